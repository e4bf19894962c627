/**
 * What the client's user sees: states, statuses, stores, options, and what may be injected. The
 * protocol's own types are in `wire.ts`.
 */

import type {
  AnyMediaMessage,
  BoardMessage,
  BoardRequest,
  CaptionOptions,
  CollectionName,
  Collections,
  CommandArgs,
  CommandKind,
  EmotesMessage,
  LatencyClass,
  Me,
  MediaMode,
  MediaRequest,
  Mode,
  PresenceMessage,
  Role,
  SloMessage,
  TallyMessage,
  WatchMode,
} from './wire.ts';

export type Unsubscribe = () => void;

/**
 * A value that changes. The contract of Svelte's stores: `subscribe` calls `run` at once with the
 * present value, then at each change, and returns the function that ends it. Values are immutable:
 * a change is a new object, and what did not change stays the same object.
 */
export interface Readable<T> {
  get(): T;
  subscribe(run: (value: T) => void): Unsubscribe;
}

/** `channel`: a data channel of a peer connection of `@footlight/client/media`. */
export type TransportKind = 'websocket' | 'https' | 'channel';

/** A numbered reason: 4000–4999 are the server's (docs/errors.md), below 100 the client's own. */
export interface Problem {
  code: number;
  message: string;
}

export type ClientState =
  /** Made, or never connected. */
  | { name: 'idle' }
  /** Opening a connection or waiting for the welcome. */
  | { name: 'connecting'; transport: TransportKind; attempt: number }
  /** Welcomed: the view is whole and current. */
  | { name: 'live'; transport: TransportKind; resumed: boolean; edge: string }
  /** Not connected; tries again by itself at `until` (local Unix milliseconds). */
  | { name: 'waiting'; reason: Problem; until: number; attempt: number }
  /** Ended for good, by `close()` (code 0) or by the server. `connect()` starts anew. */
  | { name: 'closed'; code: number; message: string };

/** What became of an event. */
export type EventStatus =
  /** In the outbox: sent or to be sent. With `retry`, the server asked to wait until then. */
  | { state: 'pending'; tries: number; retry?: Problem & { until: number } }
  /** Valid, and on its way to the log. */
  | { state: 'accepted' }
  /** Durable at log sequence `log`; for a ballot `hash` is its receipt. */
  | { state: 'confirmed'; log: number; hash?: string }
  /** Refused; nothing changed. */
  | { state: 'rejected'; code: number; message: string };

export interface Confirmation {
  log: number;
  /** For a ballot: the receipt, 32 hex digits. */
  hash?: string;
}

/** One event on its way. Its id is (account, cid, `i`). */
export interface Sent<K extends CommandKind = CommandKind> {
  readonly kind: K;
  readonly args: CommandArgs[K];
  /** W3C traceparent of this action. */
  readonly traceparent: string;
  /** The event's number in its outbox; 0 until the outbox has been opened. */
  readonly i: number;
  /** Local Unix milliseconds of the click. */
  readonly at: number;
  readonly status: Readable<EventStatus>;
  /** Settles at the first of accepted and confirmed; rejects with a `FootlightError`. */
  readonly accepted: Promise<void>;
  /**
   * Settles when the event is durable; rejects with a `FootlightError` when it is refused, or when
   * the client is closed first (then the event stays in the outbox and `status` goes on).
   * Ignoring a rejection is allowed: it raises no unhandled-rejection error.
   */
  readonly confirmed: Promise<Confirmation>;
}

/** The own ballot in a poll, as it is to be shown: the newest click, whatever became of it. */
export interface OwnBallot {
  choice: readonly number[];
  n: number;
  status: EventStatus['state'];
  /** When confirmed. */
  receipt?: Confirmation;
  /** When rejected. */
  problem?: Problem;
}

/** A ballot's receipt, kept in storage. */
export interface Receipt {
  poll: string;
  choice: number[];
  n: number;
  log: number;
  hash: string;
}

export type Collection<C extends CollectionName> = ReadonlyMap<string, Collections[C]>;

/** The view of the episode as this role sees it, kept current by the server's deltas. */
export interface View {
  readonly epoch: number;
  /** Log sequence the view stands at. */
  readonly offset: number;
  get<C extends CollectionName>(collection: C, id: string): Collections[C] | undefined;
  /** All of a collection, in the order of arrival. Notifies when any entity of it changes. */
  collection<C extends CollectionName>(collection: C): Readable<Collection<C>>;
  /** One entity; undefined while it is not there. Notifies when that entity changes. */
  entity<C extends CollectionName>(collection: C, id: string): Readable<Collections[C] | undefined>;
  /** `entity('episode', 'state')`. */
  readonly episode: Readable<Collections['episode'] | undefined>;
}

export type Tally = Omit<TallyMessage, 't'>;
export type Presence = Omit<PresenceMessage, 't'>;
export type Slo = Omit<SloMessage, 't'>;
export type EmoteCounts = EmotesMessage['c'];

/** Who one is, by the last welcome. */
export interface Session {
  ep: string;
  role: Role;
  name: string;
  edge: string;
  build: string;
  who: string;
  chars: readonly string[];
}

/** The server's clock as seen from here. */
export interface ClockEstimate {
  /** Server minus local wall clock, milliseconds. */
  offsetMs: number;
  /** Round trip of the sample in use; half of it bounds the error of `offsetMs`. */
  rttMs: number;
  samples: number;
}

/** Latencies measured here, milliseconds: the last 128 of a class. */
export interface LatencyFigures {
  n: number;
  last: number;
  p50: number;
  p99: number;
  max: number;
}
export type Latencies = Partial<Record<LatencyClass, LatencyFigures>>;

export interface Cause {
  cid: string;
  i: number;
}

/** What `client.on` tells. */
export interface ClientEvents {
  state: ClientState;
  welcome: Session;
  /** One delta of the view: which entities changed, and whose event caused it. */
  delta: {
    off: number;
    atMs: number;
    changed: readonly (readonly [CollectionName, string])[];
    cause: Cause | null;
  };
  tally: Tally;
  emotes: EmoteCounts;
  presence: Presence;
  mode: Mode;
  slo: Slo;
  /** An event's status changed. */
  event: { sent: Sent; status: EventStatus };
  latency: { of: LatencyClass; ms: number };
  /** The server runs another build than at the first welcome: a page may want to reload. */
  build: { from: string; to: string };
  /** A fault that cost no session: the server's `error`, a frame that could not be read, … */
  problem: Problem;
}

export interface PollDraft {
  title: string;
  options: string[];
  kind?: 'single' | 'multiple';
  max?: number;
  seconds?: number;
  hidden?: boolean;
  changeable?: boolean;
}

export interface RollOptions {
  char?: string;
  reason?: string;
  secret?: boolean;
  dialect?: 'foundry' | 'bang';
  /** 16–64 hex digits, never used before; made at random when absent. */
  nonce?: string;
}

export interface CharCommands {
  /** Exactly one of `delta`, `set`, `temp`; with `ver`, refused (4412) when the character changed. */
  hp(
    char: string,
    change: { delta: number } | { set: number } | { temp: number },
    ver?: number,
  ): Sent<'char.hp'>;
  item(char: string, item: string, delta: number, ver?: number): Sent<'char.item'>;
  cond(char: string, cond: string, on: boolean, ver?: number): Sent<'char.cond'>;
  field(char: string, field: string, value: number | string, ver?: number): Sent<'char.field'>;
}
export interface PollCommands {
  open(poll: string, seconds?: number): Sent<'poll.open'>;
  close(poll: string): Sent<'poll.close'>;
  create(poll: string, draft: PollDraft): Sent<'poll.create'>;
}
export interface TimerCommands {
  start(id: string, seconds: number, label?: string): Sent<'timer.start'>;
  stop(id: string): Sent<'timer.stop'>;
}
export interface ModCommands {
  mute(who: string, seconds: number): Sent<'mod.mute'>;
  unmute(who: string): Sent<'mod.mute'>;
  ban(who: string): Sent<'mod.ban'>;
  unban(who: string): Sent<'mod.unban'>;
  deleteChat(chat: string): Sent<'chat.delete'>;
  slow(seconds: number): Sent<'chat.slow'>;
}

/** The client of one episode. `createClient` makes it. */
export interface Client {
  /** Opens the outbox, connects and stays connected until `close()`. Idempotent. */
  connect(): void;
  /** Leaves: bye, no timers, no reconnect. What is pending stays in the outbox for the next time. */
  close(): void;

  readonly state: Readable<ClientState>;
  readonly session: Readable<Session | null>;
  readonly view: View;
  readonly me: Readable<Me | null>;
  readonly mode: Readable<Mode>;
  readonly presence: Readable<Presence>;
  readonly slo: Readable<Slo | null>;
  /** The sums of the last `emotes` message. */
  readonly emotes: Readable<EmoteCounts>;
  /** The newest tally of a poll, by version. */
  tally(poll: string): Readable<Tally | undefined>;
  /** All tallies by poll id. */
  readonly tallies: Readable<ReadonlyMap<string, Tally>>;
  /** The own ballot in a poll, pending at once. */
  ballot(poll: string): Readable<OwnBallot | undefined>;
  /** Receipts by poll id, kept across reloads. */
  readonly receipts: Readable<ReadonlyMap<string, Receipt>>;
  /** Events that are pending or accepted, oldest first. */
  readonly outbox: Readable<readonly Sent[]>;
  readonly clock: Readable<ClockEstimate | null>;
  readonly latencies: Readable<Latencies>;
  /** Server time now, Unix milliseconds: what deadlines and timers are to be compared with. */
  serverNow(): number;

  on<E extends keyof ClientEvents>(event: E, run: (value: ClientEvents[E]) => void): Unsubscribe;

  /** Any command by its name on the wire. The helpers below are this with names. */
  send<K extends Exclude<CommandKind, 'emote'>>(kind: K, args: CommandArgs[K]): Sent<K>;

  /** Options by index; an empty list withdraws the ballot. */
  vote(poll: string, choice: readonly number[]): Sent<'poll.vote'>;
  /** Lossy: false when it was dropped here (not live, or too many at once). */
  emote(name: string, n?: number): boolean;
  chat(text: string): Sent<'chat.say'>;
  caption(text: string, lang: string, options?: CaptionOptions): Sent<'caption.say'>;
  takeBackCaption(n: number): Sent<'caption.take_back'>;
  roll(expr: string, options?: RollOptions): Sent<'dice.roll'>;
  readonly char: CharCommands;
  readonly poll: PollCommands;
  scene(scene: string): Sent<'scene.go'>;
  story(choice: string): Sent<'story.choose'>;
  readonly timer: TimerCommands;
  readonly mod: ModCommands;
  slate(on: boolean, text?: string): Sent<'slate'>;
  mediaMode(mode: MediaMode, why?: string): Sent<'media.mode'>;
  start(): Sent<'episode.start'>;
  end(): Sent<'episode.end'>;

  /**
   * Tells how this viewer watches the program, and by a cue of the stream which picture it is being
   * shown: `@footlight/client/program` does it. Lost while there is no connection.
   */
  reportWatch(mode: WatchMode, cue?: string): void;

  /**
   * The way of one board's messages over this session, for what speaks y-protocols:
   * `@footlight/client/yjs` is built on it. One port a board at a time.
   */
  board(id: string, handlers: BoardHandlers): BoardPort;
  /**
   * The way of voice and video's signaling over this session: `@footlight/client/media` is built on
   * it. One port at a time.
   */
  media(handlers: MediaHandlers): MediaPort;
}

/** What the media's port tells. The media sessions themselves outlive a lost connection. */
export interface MediaHandlers {
  /** The session is live. Called anew after each reconnect. */
  live(): void;
  lost(): void;
  /** The client was closed, by `close()` or by the server. */
  closed(): void;
  message(message: AnyMediaMessage): void;
}

export interface MediaPort {
  readonly live: boolean;
  readonly clock: Clock;
  readonly random: Random;
  send(message: MediaRequest): void;
  /** A transport of the session for as long as it is there, better than the others; null: none. */
  offer(transport: Transport | null): void;
  detach(): void;
}

/** What a board's port tells. */
export interface BoardHandlers {
  /** The session is live: `board.open` may be sent. Called anew after each reconnect. */
  live(): void;
  /** The session is gone; what was sent and not acknowledged may be lost. */
  lost(): void;
  /** The client was closed, by `close()` or by the server. `connect()` may come later. */
  closed(): void;
  message(message: BoardMessage): void;
  /** One y-protocols message. */
  frame(payload: Uint8Array): void;
}

/** Sending for one board. */
export interface BoardPort {
  /** Whether the session is live. */
  readonly live: boolean;
  /** Whether frames go as they are; else within JSON, a third larger. */
  readonly binary: boolean;
  /** Whether the connection takes more without piling it up; what is lossy waits for it. */
  readonly writable: boolean;
  /** Where what must survive a reload is kept, and the prefix of this account's keys. */
  readonly storage: Storage;
  readonly prefix: string;
  readonly locks: Locks;
  readonly clock: Clock;
  readonly random: Random;
  send(message: BoardRequest): void;
  /** One y-protocols message: binary where the transport can, else within JSON. */
  sendFrame(payload: Uint8Array): void;
  /** Nothing is told any more. */
  detach(): void;
}

// What may be injected ----------------------------------------------------------------------------

/** An opaque timer handle. */
export type TimerHandle = unknown;

export interface Clock {
  /** Monotonic milliseconds, fractions allowed. */
  now(): number;
  /** Unix milliseconds of the local wall clock. */
  wall(): number;
  setTimeout(run: () => void, ms: number): TimerHandle;
  clearTimeout(handle: TimerHandle): void;
}

export interface Random {
  /** Uniform in [0, 1). */
  unit(): number;
  /** Unpredictable bytes: ids, nonces, trace ids. */
  bytes(n: number): Uint8Array;
}

/**
 * Where the outbox and the receipts live: strings by key, synchronous, so that an event is kept
 * before the call that made it returns. May throw (quota, private mode): the client then goes on in
 * memory and says so with a `problem`.
 */
export interface Storage {
  get(key: string): string | null;
  set(key: string, value: string): void;
  remove(key: string): void;
  /** All keys that begin with `prefix`. */
  keys(prefix: string): string[];
}

/** Names held by one holder at a time among all tabs of this origin. */
export interface Locks {
  /** The release function, or null when another holder has it. Never waits for the holder. */
  claim(name: string): Promise<(() => void) | null>;
}

export type LifecycleEvent = 'visible' | 'hidden' | 'online' | 'offline' | 'leave' | 'return';

/** The page around the client. */
export interface Lifecycle {
  hidden(): boolean;
  subscribe(run: (event: LifecycleEvent) => void): Unsubscribe;
}

/** One open connection of a transport. */
export interface Connection {
  /** Takes one message. Order is kept. */
  send(message: string): void;
  /** Takes one binary frame, in order with the messages; absent where the transport has text only. */
  sendBytes?(frame: Uint8Array): void;
  /** Bytes accepted but not yet passed to the network. */
  buffered(): number;
  /** Told the session's id when the welcome has come. */
  welcomed(sid: string): void;
  /** Ends it; no handler is called after that. */
  close(): void;
}

export interface ConnectionHandlers {
  /** The transport reached the server; `hello` is on its way. */
  opened(): void;
  message(text: string): void;
  /** A binary frame (docs/protocol.md, Boards). */
  bytes?(frame: Uint8Array): void;
  /** Once, the last call. `code` 0: the network, not the server, ended it. */
  closed(problem: Problem & { retryAfterMs?: number }): void;
}

export interface Transport {
  readonly kind: TransportKind;
  /** `hello` is the first message. `hello()` is called as late as the transport can. */
  open(url: string, hello: () => string, handlers: ConnectionHandlers): Connection;
}

/** The part of a browser's WebSocket that is used: `globalThis.WebSocket`, or `ws` in Node. */
export interface WebSocketLike {
  readonly bufferedAmount: number;
  binaryType: string;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  send(data: string | Uint8Array<ArrayBuffer>): void;
  close(code?: number, reason?: string): void;
}
export type WebSocketConstructor = new (
  url: string,
  protocols?: string | string[],
) => WebSocketLike;

/** Why a token is wanted. */
export type TokenReason = 'connect' | 'expiring' | 'refused';

export interface ClientOptions {
  /** Address of the edge, `https://host[:port]`; `http`, `ws` and `wss` are understood. In a page, default is its own origin. */
  url?: string;
  /** The JWT. Without it, `getToken` is asked. */
  token?: string;
  /** Called before connecting without a token, a minute before expiry, and after a refusal. */
  getToken?: (reason: TokenReason) => Promise<string>;
  /** `local` (default): localStorage shared by all tabs; `memory`: nothing survives a reload. */
  storage?: Storage | 'local' | 'memory';
  locks?: Locks;
  clock?: Clock;
  random?: Random;
  lifecycle?: Lifecycle;
  /** Most wanted first. Default: WebSocket, then HTTPS. */
  transports?: Transport[];
  /** Where there is no global one (Node before 22). */
  WebSocket?: WebSocketConstructor;
  fetch?: typeof fetch;
  /** Told to the server, `name/version`, at most 64 bytes. */
  client?: string;
  /** How many events the outbox holds; beyond, `send` is rejected at once. Default 256. */
  outboxLimit?: number;
  /** An event older than this is not sent any more but rejected. Default 15 minutes. */
  maxEventAgeMs?: number;
  /** Time to open a connection and be welcomed. Default 8 s. */
  connectTimeoutMs?: number;
  /** While not on the best transport, how long until that is tried again. Doubles up to 10 minutes. Default 60 s. */
  websocketRetryMs?: number;
}
