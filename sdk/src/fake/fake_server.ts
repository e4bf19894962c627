/**
 * A Footlight server in the test's own process: the session protocol over a fake WebSocket and a
 * fake fetch, a small episode behind it, and switches for what goes wrong in the field. Time is the
 * `ManualClock`'s, so a test waits for nothing and is the same every time.
 */

import { Codes, codes } from '../codes.ts';
import { memoryLocks, memoryStorage } from '../platform.ts';
import type { ClientOptions, Random, TransportKind } from '../types.ts';
import {
  PROTOCOL_VERSION,
  type BoardRequest,
  type ByeMessage,
  type ClientMessage,
  type HelloMessage,
  type MediaRequest,
  type Mode,
  type Patch,
  type RejectedEntry,
  type ServerMessage,
  type WireEvent,
} from '../wire.ts';
import { FakeEpisode, type FakeActor, type FakeEpisodeOptions } from './fake_episode.ts';
import { FakeLifecycle } from './fake_lifecycle.ts';
import { FakeNetwork, type Acceptor, type Peer } from './fake_network.ts';
import { claimsOf, type FakeClaims, tokenOf, whoOf } from './fake_token.ts';
import { ManualClock, seededRandom } from './manual_clock.ts';

export interface FakeServerOptions {
  clock?: ManualClock;
  seed?: number;
  /** Name of the episode in the tokens. */
  ep?: string;
  episode?: FakeEpisodeOptions;
  /** One way. Default 5 ms. */
  latencyMs?: number;
  /** From accepted to confirmed. Default 5 ms. */
  commitMs?: number;
  tickMs?: number;
  build?: string;
  /** Boards: `fakeBoards()` of `@footlight/client/yjs/fake`. */
  boards?: FakeBoardHost;
  /** Voice and video: `fakeMedia()` of `@footlight/client/media/fake`. */
  media?: FakeMediaHost;
}

export interface FakeMediaHost {
  begin(server: FakeServer): void;
  message(session: FakeSession, message: MediaRequest): void;
}

/** What stands behind the boards' part of the protocol. */
export interface FakeBoardHost {
  begin(server: FakeServer): void;
  message(session: FakeSession, message: BoardRequest): void;
  /** A binary frame, whole. */
  frame(session: FakeSession, frame: Uint8Array): void;
  gone(session: FakeSession): void;
  /** The view changed. */
  changed(patches: Patch[]): void;
}

/** A session as the server knows it; `received` holds all it has said. */
export interface FakeSession extends FakeActor {
  readonly sid: string;
  readonly cid: string;
  readonly hello: HelloMessage;
  readonly transport: TransportKind;
  readonly received: ClientMessage[];
  readonly peer: Peer;
}

interface Session extends FakeSession {
  token: string;
}
interface Answer {
  body: string;
  log: number;
  hash?: string;
  refusal?: RejectedEntry;
}
interface Released {
  off: number;
  at: number;
  patches: Patch[];
  cause: { cid: string; i: number };
}

const KEPT_DELTAS = 1000;

export class FakeServer {
  readonly url = 'https://footlight.test';
  readonly clock: ManualClock;
  readonly network: FakeNetwork;
  readonly random: Random;
  readonly lifecycle = new FakeLifecycle();
  readonly storage = memoryStorage();
  readonly locks = memoryLocks();
  episode: FakeEpisode;
  epoch = 1;
  build: string;
  commitMs: number;
  tickMs: number;
  mode: Mode = { mode: 'live', code: 0, message: '' };
  /** Events are decided and made durable, but nobody is told. */
  loseAcks = false;
  /** The next events are refused so, each entry once. */
  readonly refusals: { code: number; retry_after_ms?: number }[] = [];
  /** Admission: milliseconds to wait before this event may be sent again; 0 admits it. */
  admit: (session: FakeSession, event: WireEvent) => number = () => 0;
  /** The next hellos are refused so, each entry once. */
  readonly helloRefusals: Omit<ByeMessage, 't' | 'message'>[] = [];
  /** Every session there has been, oldest first. */
  readonly history: FakeSession[] = [];
  /** Kinds of the events that took effect, in the order of the log. */
  readonly applied: WireEvent[] = [];

  readonly #options: FakeServerOptions;
  readonly #ep: string;
  #sessions = new Map<string, Session>();
  #answers = new Map<string, Answer>();
  #log = 1;
  #released: Released[] = [];
  #forgotten = 0;
  #dirty = new Set<string>();
  #reactions: Record<string, number> = {};
  #ticking = false;
  #reacting = false;
  #next_sid = 1;

  constructor(options: FakeServerOptions = {}) {
    this.#options = options;
    this.clock = options.clock ?? new ManualClock();
    this.random = seededRandom(options.seed ?? 1);
    this.commitMs = options.commitMs ?? 5;
    this.tickMs = options.tickMs ?? 100;
    this.build = options.build ?? 'fake';
    this.#ep = options.ep ?? 'demo';
    this.episode = this.#newEpisode();
    const serving = {
      accept: (peer: Peer, transport: TransportKind) => this.#accept(peer, transport),
      find: (sid: string) => {
        const session = this.#sessions.get(sid);
        return session ? this.#endOf(session) : null;
      },
    };
    this.network = new FakeNetwork(this.clock, serving, options.latencyMs ?? 5);
    for (const host of [options.boards, options.media]) host?.begin(this);
  }

  /** Sessions that are open now. */
  get sessions(): FakeSession[] {
    return [...this.#sessions.values()];
  }
  /** Head of the log. */
  get head(): number {
    return this.#log;
  }

  /** A token this server takes. It is signed by nobody. */
  token(claims: FakeClaims): string {
    return tokenOf(claims, this.#ep, this.clock.wall());
  }

  /** All a client needs to talk to this server; what is given in `more` wins. */
  options(claims: FakeClaims, more: ClientOptions = {}): ClientOptions {
    const { WebSocket, fetch } = this.network;
    const { url, clock, random, storage, locks, lifecycle } = this;
    const token = this.token(claims);
    return { url, token, clock, random, storage, locks, lifecycle, WebSocket, fetch, ...more };
  }

  /** Lets time pass. */
  advance(ms: number): Promise<void> {
    return this.clock.advance(ms);
  }

  // What goes wrong -------------------------------------------------------------------------------

  /** Cuts connections without a word: all, or those of one account. */
  disconnect(sub?: string): void {
    for (const session of this.#of(sub)) this.#end(session, 0, '');
  }

  bye(code: number, more: Partial<ByeMessage> & { sub?: string } = {}): void {
    const { sub, reconnect = false, after_ms, message = sentence(code) } = more;
    for (const session of this.#of(sub)) {
      const range = after_ms ? { after_ms } : {};
      this.#send(session, { t: 'bye', code, message, reconnect, ...range });
      this.#end(session, code, '');
    }
  }

  /** Closes with a code and no bye. */
  close(code: number, sub?: string): void {
    for (const session of this.#of(sub)) this.#end(session, code, '');
  }

  /** Any text as a frame. */
  raw(text: string, sub?: string): void {
    for (const session of this.#of(sub)) session.peer.send(text);
  }

  tell(message: ServerMessage, sub?: string): void {
    this.raw(JSON.stringify(message), sub);
  }

  setMode(mode: Mode): void {
    this.mode = mode;
    this.tell({ t: 'mode', ...mode });
  }

  /** The process dies and comes back: connections and undelivered answers are gone, the log is not. */
  restart(build = this.build): void {
    this.disconnect();
    ++this.epoch;
    this.build = build;
  }

  /** Deltas up to now can no longer be resumed from. */
  forgetDeltas(): void {
    this.#released = [];
    this.#forgotten = this.#log;
  }

  /** A change of the view by the server itself. */
  patch(patches: Patch[]): void {
    for (const [name, id, entity] of patches) this.episode.put(name, id, entity as object | null);
    this.#release(++this.#log, patches, { cid: '', i: 0 });
  }

  // Sessions --------------------------------------------------------------------------------------

  #of(sub: string | undefined): Session[] {
    return [...this.#sessions.values()].filter((one) => sub === undefined || one.sub === sub);
  }

  #accept(peer: Peer, transport: TransportKind): Acceptor {
    let end: Acceptor | null = null;
    return {
      message: (text) => {
        if (end) end.message(text);
        else end = this.#hello(peer, transport, text);
      },
      bytes: (frame) => end?.bytes(frame),
      gone: () => end?.gone(),
    };
  }

  #endOf(session: Session): Acceptor {
    return {
      message: (text) => this.#receive(session, text),
      bytes: (frame) => {
        if (this.#sessions.has(session.sid)) this.#options.boards?.frame(session, frame);
      },
      gone: () => {
        this.#sessions.delete(session.sid);
        this.#options.boards?.gone(session);
      },
    };
  }

  #hello(peer: Peer, transport: TransportKind, text: string): Acceptor | null {
    const refuse = (code: number, more: Partial<ByeMessage> = {}): null => {
      const bye = { t: 'bye', code, message: sentence(code), reconnect: false, ...more };
      peer.send(JSON.stringify(bye));
      peer.close(code, '');
      return null;
    };
    const hello = JSON.parse(text) as HelloMessage;
    if (hello.t !== 'hello') return refuse(Codes.HelloExpected);
    if (hello.v !== PROTOCOL_VERSION) return refuse(Codes.UnknownVersion);
    const planned = this.helloRefusals.shift();
    if (planned) return refuse(planned.code, planned);
    const claims = claimsOf(hello.token);
    if (!claims) return refuse(Codes.TokenMalformed);
    if (claims.exp * 1000 < this.clock.wall()) return refuse(Codes.TokenExpired);
    if (claims.ep !== this.#ep) return refuse(Codes.TokenForeignEpisode);
    const { sub, role, name, chars, captions } = claims;
    for (const old of this.#of(sub)) {
      if (old.cid !== hello.cid) continue;
      const message = sentence(Codes.SessionReplaced);
      this.#send(old, { t: 'bye', code: Codes.SessionReplaced, message, reconnect: false });
      this.#end(old, Codes.SessionReplaced, '');
    }
    const actor = { sub, who: whoOf(sub), role, name, chars, captions };
    const sid = `s-${this.#next_sid++}`;
    const { cid, token } = hello;
    const session: Session = { ...actor, sid, cid, hello, transport, received: [], peer, token };
    this.#sessions.set(sid, session);
    this.history.push(session);
    this.#welcome(session);
    return this.#endOf(session);
  }

  #welcome(session: Session): void {
    const { resume } = session.hello;
    const { sid, role, name, who, chars } = session;
    const resumed =
      resume !== undefined && resume.epoch <= this.epoch && resume.off >= this.#forgotten;
    const ballots = [...this.episode.ballots].flatMap(([poll, registers]) => {
      const mine = registers.get(session.sub);
      return mine ? [[poll, { ...mine, weight: undefined }]] : [];
    });
    const me = {
      ballots: Object.fromEntries(ballots),
      last_i: this.#lastI(session),
      ...{ muted_until_ms: 0, chars: [...chars], who },
    };
    this.#send(session, {
      ...{ t: 'welcome', v: PROTOCOL_VERSION, sid, edge: 'fake-0', epoch: this.epoch },
      ...{ off: this.#off, now_ms: this.clock.wall(), ep: this.#ep, role, name, resumed, me },
      ...(resumed ? {} : { view: this.episode.viewFor(role) as never }),
      mode: this.mode,
      limits: { frame_bytes: 16_384, batch: 64, tick_ms: this.tickMs },
      build: this.build,
    });
    if (resumed) {
      for (const one of this.#released) if (one.off > resume.off) this.#sendDelta(session, one);
    }
    for (const [poll, one] of Object.entries(this.episode.view['polls'] ?? {})) {
      if ((one as { state: string }).state !== 'ready') this.#dirty.add(poll);
    }
    this.#tickLater();
  }

  get #off(): number {
    return this.#released.at(-1)?.off ?? this.#forgotten;
  }

  #lastI({ sub, cid }: Session): number {
    const prefix = `${sub} ${cid} `;
    const numbers = [...this.#answers].flatMap(([id, answer]) =>
      id.startsWith(prefix) && !answer.refusal ? [Number(id.slice(prefix.length))] : [],
    );
    return Math.max(0, ...numbers);
  }

  #receive(session: Session, text: string): void {
    if (!this.#sessions.has(session.sid)) return;
    const message = JSON.parse(text) as ClientMessage;
    session.received.push(message);
    switch (message.t) {
      case 'ev':
        this.#events(session, message.e);
        break;
      case 'ping':
        this.#send(session, { t: 'pong', c: message.c, s: this.clock.wall() });
        break;
      case 'token':
        session.token = message.token;
        break;
      case 'bye':
        this.#sessions.delete(session.sid);
        this.#options.boards?.gone(session);
        break;
      case 'board':
      case 'board.open':
      case 'board.close':
        this.#options.boards?.message(session, message);
        break;
      default:
        this.#options.media?.message(session, message as MediaRequest);
    }
  }

  // Events ----------------------------------------------------------------------------------------

  #events(session: Session, events: WireEvent[]): void {
    const accepted: number[] = [];
    const rejected: RejectedEntry[] = [];
    const confirm: (() => void)[] = [];
    for (const event of events) {
      if (event.k === 'emote') {
        this.#react(event as WireEvent<'emote'>);
        continue;
      }
      const answer = this.#decide(session, event);
      const { refusal, log, hash } = answer;
      if (refusal) rejected.push(refusal);
      else {
        accepted.push(event.i);
        const entry = hash === undefined ? { i: event.i, log } : { i: event.i, log, hash };
        confirm.push(() => this.#ack(session, { t: 'ack', confirmed: [entry] }));
      }
    }
    if (accepted.length || rejected.length) {
      const lists = { ...(accepted.length && { accepted }), ...(rejected.length && { rejected }) };
      this.#ack(session, { t: 'ack', ...lists });
    }
    if (confirm.length) this.clock.setTimeout(() => confirm.forEach((run) => run()), this.commitMs);
  }

  #ack(session: Session, message: ServerMessage): void {
    if (!this.loseAcks) this.#send(session, message);
  }

  #decide(session: Session, event: WireEvent): Answer {
    const { i, k, a } = event;
    const id = `${session.sub} ${session.cid} ${i}`;
    const body = JSON.stringify([k, a]);
    const known = this.#answers.get(id);
    if (known && known.body !== body) return refused(body, i, Codes.EventIdReused);
    if (known) return known;
    const wait_ms = this.admit(session, event);
    if (wait_ms > 0) return refused(body, i, Codes.RateConnection, wait_ms);
    const planned = this.refusals.shift();
    if (planned) return refused(body, i, planned.code, planned.retry_after_ms);
    const log = this.#log + 1;
    const decision = this.episode.decide(session, k, a, log, this.clock.wall());
    if ('code' in decision) {
      const answer = refused(body, i, decision.code, decision.retry_after_ms);
      if (!decision.retry_after_ms) this.#answers.set(id, answer);
      return answer;
    }
    this.#log = log;
    this.applied.push(event);
    const { hash, patches } = decision;
    const answer: Answer = hash === undefined ? { body, log } : { body, log, hash };
    this.#answers.set(id, answer);
    const cause = { cid: session.cid, i };
    this.clock.setTimeout(() => this.#release(log, patches, cause), this.commitMs);
    if (k === 'poll.vote' || k === 'poll.close' || k === 'poll.open') {
      this.#dirty.add((a as { poll: string }).poll);
      this.#tickLater();
    }
    return answer;
  }

  #release(off: number, patches: Patch[], cause: Released['cause']): void {
    if (!patches.length) return;
    const released = { off, at: this.clock.wall(), patches, cause };
    this.#released.push(released);
    if (this.#released.length > KEPT_DELTAS) this.#forgotten = this.#released.shift()?.off ?? 0;
    for (const session of this.#sessions.values()) this.#sendDelta(session, released);
    this.#options.boards?.changed(patches);
  }

  #sendDelta(session: Session, { off, at, patches, cause }: Released): void {
    const p = this.episode.patchesFor(session.role, patches);
    const by = cause.i ? { cause } : {};
    this.#send(session, { t: 'delta', off, at, p, ...by });
  }

  #tickLater(): void {
    if (this.#ticking || !this.#dirty.size) return;
    this.#ticking = true;
    this.clock.setTimeout(() => {
      this.#ticking = false;
      for (const poll of this.#dirty) this.tell(this.episode.tally(poll));
      this.#dirty.clear();
    }, this.tickMs);
  }

  #react({ a }: WireEvent<'emote'>): void {
    this.#reactions[a.e] = (this.#reactions[a.e] ?? 0) + (a.n ?? 1);
    if (this.#reacting) return;
    this.#reacting = true;
    this.clock.setTimeout(() => {
      this.#reacting = false;
      this.tell({ t: 'emotes', c: this.#reactions });
      this.#reactions = {};
    }, 250);
  }

  #send(session: Session, message: ServerMessage): void {
    session.peer.send(JSON.stringify(message));
  }

  #end(session: Session, code: number, reason: string): void {
    this.#sessions.delete(session.sid);
    this.#options.boards?.gone(session);
    session.peer.close(code, reason);
  }

  #newEpisode(): FakeEpisode {
    return new FakeEpisode(this.#options.episode ?? {}, this.random, this.clock.wall());
  }
}

function refused(body: string, i: number, code: number, retry_after_ms = 0): Answer {
  return { body, log: 0, refusal: { i, code, message: sentence(code), retry_after_ms } };
}

function sentence(code: number): string {
  return codes[code]?.sentence ?? '';
}
