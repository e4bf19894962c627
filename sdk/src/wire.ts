/**
 * The session protocol, version 1, as types: docs/protocol.md is the source. Names are those on the
 * wire (snake_case); times `…_ms` that are points in time are Unix milliseconds of the server's
 * clock.
 */

import type { AnyMediaMessage, MediaRequest } from './wire_media.ts';

export * from './wire_media.ts';

export const PROTOCOL_VERSION = 1;

export type Role = 'producer' | 'gm' | 'player' | 'viewer';

/** A person's pseudonym in an episode: 16 hex digits. */
export type Who = string;

// The view ------------------------------------------------------------------------------------

/** In falling order: everything; low layers; the program by HLS; its sound; nothing but votes. */
export type MediaMode = 'full' | 'capped' | 'hls' | 'audio' | 'votes';
/** How a viewer watches the program. */
export type WatchMode = 'none' | 'rtc' | 'llhls' | 'hls' | 'audio';

export interface Slate {
  on: boolean;
  text: string;
}

/** `view.episode.state`. */
export interface Episode {
  title: string;
  state: 'waiting' | 'live' | 'ended';
  scene: string | null;
  slate: Slate;
  /** What the audience gets of voice and video, by the producer or a rule. */
  media: MediaMode;
  /** Slow mode of the chat: seconds between two messages of one person; 0 is off. */
  slow_s: number;
  started_ms: number;
  ended_ms: number;
  /** SHA-256 of the dice seed, hex, known from the start. */
  seed_commit: string;
  /** The dice seed, hex, after the end. */
  seed: string | null;
  /** Head of the log's hash chain, hex. */
  chain: string | null;
  emotes: string[];
  dice_dialect: DiceDialect;
  conditions: string[];
}

export interface SceneChoice {
  id: string;
  label: string;
  /** Where it leads; for the GM only. */
  to?: string;
}

export interface Scene {
  title: string;
  text: string;
  choices: SceneChoice[];
  visited: boolean;
  polls: string[];
}

export interface StoryStep {
  n: number;
  at_ms: number;
  scene: string;
  title: string;
  how: 'start' | 'gm' | 'poll' | 'choice' | 'rule';
  poll?: string;
  choice?: string;
}

export type PollState = 'ready' | 'open' | 'closing' | 'closed';

export interface PollResult {
  /** Weighted, in option order. */
  counts: number[];
  voters: number;
  /** Of them after the deadline, by the poll's allowance for who sees the program late. */
  late: number;
  /** Index of an option. */
  winner: number | null;
  why: 'votes' | 'tie_break' | 'default' | 'no_quorum';
  log: number;
  chain: string;
}

export interface Poll {
  title: string;
  options: string[];
  kind: 'single' | 'multiple';
  /** How many options one ballot may name. */
  max: number;
  state: PollState;
  hidden: boolean;
  changeable: boolean;
  quorum: number;
  opened_ms: number;
  deadline_ms: number;
  /** So much longer at most for who sees the program so much later. */
  allowance_ms: number;
  weights: Partial<Record<Role, number>>;
  result: PollResult | null;
}

export interface Item {
  name: string;
  n: number;
}

export interface Character {
  name: string;
  owner_name: string;
  ver: number;
  hp: number;
  hp_max: number;
  hp_temp: number;
  items: Record<string, Item>;
  conditions: string[];
  fields: Record<string, number | string>;
  portrait?: string;
}

export type DiceDialect = 'foundry' | 'bang';

export interface Die {
  sides: number;
  value: number;
  kept: boolean;
  exploded?: boolean;
  rerolled?: boolean;
}

export interface Roll {
  n: number;
  at_ms: number;
  who: Who;
  name: string;
  char?: string;
  expr: string;
  reason?: string;
  dice: Die[];
  total: number;
  crit: '' | 'hit' | 'miss';
  nonce: string;
  hash: string;
  secret: boolean;
}

export interface ChatMessage {
  id: string;
  at_ms: number;
  who: Who;
  name: string;
  role: Role;
  text: string;
}

export interface Caption {
  n: number;
  /** When it was said; its words were spoken before. */
  said_ms: number;
  /** When its words were spoken. */
  at_ms: number;
  /** How long it is to be shown; 0: it was taken back. */
  for_ms: number;
  /** A BCP 47 tag. */
  lang: string;
  /** One or two lines; empty: it was taken back. */
  text: string;
}

export interface Timer {
  label: string;
  ends_ms: number;
  total_ms: number;
}

export interface CastMember {
  name: string;
  role: Role;
  chars: string[];
  online: boolean;
}

export interface Cue {
  n: number;
  label: string;
  k: string;
  a: Record<string, unknown>;
  done: boolean;
}

export interface Moderation {
  name: string;
  muted_until_ms: number;
  banned: boolean;
}

export interface LogLine {
  log: number;
  at_ms: number;
  kind: string;
  who?: Who;
  name?: string;
  text: string;
}

/** The collections of the view and what their entities are. Ids are strings. */
export interface Collections {
  /** One entity, `state`. */
  episode: Episode;
  scenes: Scene;
  /** Id: the step's number as text. */
  story: StoryStep;
  polls: Poll;
  characters: Character;
  /** Id: the roll's number as text. The last 50. */
  rolls: Roll;
  /** The last 100. */
  chat: ChatMessage;
  /** Id: the caption's number as text. The last 20. */
  captions: Caption;
  timers: Timer;
  /** Id: `who`. */
  cast: CastMember;
  /** GM and producer only. */
  cues: Cue;
  /** GM and producer only. Id: `who`. */
  moderation: Moderation;
  /** GM and producer only. Id: the log sequence as text. The last 50. */
  log: LogLine;
}
export type CollectionName = keyof Collections;

// Server → client -------------------------------------------------------------------------------

/** What a ballot of one's own is, as the log knows it. */
export interface BallotOnRecord {
  choice: number[];
  n: number;
  log: number;
  /** The receipt: 32 hex digits, found again in the exported log. */
  hash: string;
}

/** What only this account sees. */
export interface Me {
  ballots: Record<string, BallotOnRecord>;
  last_i: number;
  muted_until_ms: number;
  chars: string[];
  who: Who;
}

export type ModeName = 'live' | 'degraded' | 'halted' | 'draining';

export interface Mode {
  mode: ModeName;
  /** 0, or the numbered reason. */
  code: number;
  message: string;
}

export interface Limits {
  frame_bytes: number;
  batch: number;
  tick_ms: number;
}

export interface WelcomeMessage {
  t: 'welcome';
  v: number;
  sid: string;
  edge: string;
  epoch: number;
  off: number;
  now_ms: number;
  ep: string;
  role: Role;
  name: string;
  resumed: boolean;
  view?: Record<string, Record<string, unknown>>;
  me: Me;
  mode: Mode;
  limits: Limits;
  build: string;
}

export interface ConfirmedEntry {
  i: number;
  log: number;
  hash?: string;
}
export interface RejectedEntry {
  i: number;
  code: number;
  message: string;
  retry_after_ms: number;
}
export interface AckMessage {
  t: 'ack';
  accepted?: number[];
  confirmed?: ConfirmedEntry[];
  rejected?: RejectedEntry[];
}

/** Replaces one entity of the view; null removes it. */
export type Patch = [collection: string, id: string, entity: unknown];
export interface DeltaMessage {
  t: 'delta';
  off: number;
  at: number;
  p: Patch[];
  cause?: { cid: string; i: number };
}

export interface TallyMessage {
  t: 'tally';
  poll: string;
  ver: number;
  /** All ballots with log sequence ≤ `log` are in. */
  log: number;
  /** Weighted, in option order. */
  counts: number[];
  voters: number;
  state: 'open' | 'closing' | 'closed';
  final: boolean;
}

export interface EmotesMessage {
  t: 'emotes';
  c: Record<string, number>;
}
export interface PresenceMessage {
  t: 'presence';
  audience: number;
  edges: [edge: string, audience: number][];
}
export interface PongMessage {
  t: 'pong';
  c: number;
  s: number;
}
export interface ModeMessage extends Mode {
  t: 'mode';
}

export interface SloClass {
  class: string;
  budget_ms: number;
  n: number;
  p50: number;
  p99: number;
  max: number;
  holds: boolean;
}
export interface SloMessage {
  t: 'slo';
  m: SloClass[];
  rates: { events_per_s: number; ballots_per_s: number; deliveries_per_s: number };
  log: { seq: number; commit_p50_us: number; commit_p99_us: number };
  edges: { edge: string; sessions: number; queue_bytes: number }[];
  /** Viewers by how they watch. */
  watching: Record<WatchMode, number>;
}
export interface ErrorMessage {
  t: 'error';
  code: number;
  message: string;
}
export interface ByeMessage {
  t: 'bye';
  code: number;
  message: string;
  reconnect: boolean;
  after_ms?: [number, number];
}

/**
 * About a board (docs/protocol.md, Boards). By its fields: the answer to `board.open` (`client`,
 * `gen`, `rights`), an acknowledgement (`ack`), a refusal (`code`), a notice of what was overruled,
 * or, where the transport has text only, a y-protocols message (`d`).
 */
export interface BoardMessage {
  t: 'board';
  b: string;
  [field: string]: unknown;
}

export type ServerMessage =
  | AnyMediaMessage
  | BoardMessage
  | WelcomeMessage
  | AckMessage
  | DeltaMessage
  | TallyMessage
  | EmotesMessage
  | PresenceMessage
  | PongMessage
  | ModeMessage
  | SloMessage
  | ErrorMessage
  | ByeMessage;

// Client → server -------------------------------------------------------------------------------

export interface HelloMessage {
  t: 'hello';
  v: number;
  token: string;
  cid: string;
  resume?: { epoch: number; off: number };
  client?: string;
}
export interface WireEvent<K extends CommandKind = CommandKind> {
  i: number;
  k: K;
  a: CommandArgs[K];
  tp: string;
}
export type LatencyClass = 'vote' | 'command' | 'reaction' | 'delta' | 'rtt';

export type BoardRequest =
  | { t: 'board.open'; b: string; [field: string]: unknown }
  | { t: 'board.close'; b: string }
  | { t: 'board'; b: string; d: string };

export type ClientMessage =
  | BoardRequest
  | MediaRequest
  | HelloMessage
  | { t: 'ev'; e: WireEvent[] }
  | { t: 'ping'; c: number }
  | { t: 'lat'; m: [LatencyClass, number][] }
  | { t: 'watch'; mode: WatchMode; cue?: string }
  | { t: 'token'; token: string }
  | { t: 'bye' };

type None = Record<string, never>;

export interface CaptionOptions {
  /** When the words were spoken; now when absent. */
  at_ms?: number;
  /** How long it is shown; by its length when absent. */
  for_ms?: number;
}

/** The commands (`k`) and their arguments (`a`). */
export interface CommandArgs {
  'poll.vote': { poll: string; choice: number[]; n: number; voter?: Who };
  emote: { e: string; n?: number };
  'chat.say': { text: string };
  'caption.say': { text: string; lang: string } & CaptionOptions;
  'caption.take_back': { caption: string };
  'dice.roll': {
    expr: string;
    nonce: string;
    char?: string;
    reason?: string;
    dialect?: DiceDialect;
    secret?: boolean;
  };
  'char.hp': { char: string; delta?: number; set?: number; temp?: number; ver?: number };
  'char.item': { char: string; item: string; delta: number; ver?: number };
  'char.cond': { char: string; cond: string; on: boolean; ver?: number };
  'char.field': { char: string; field: string; value: number | string; ver?: number };
  'poll.open': { poll: string; seconds?: number };
  'poll.close': { poll: string };
  'poll.create': {
    poll: string;
    title: string;
    options: string[];
    kind?: 'single' | 'multiple';
    max?: number;
    seconds?: number;
    hidden?: boolean;
    changeable?: boolean;
  };
  'scene.go': { scene: string };
  'story.choose': { choice: string };
  'timer.start': { id: string; seconds: number; label?: string };
  'timer.stop': { id: string };
  'chat.delete': { chat: string };
  'chat.slow': { seconds: number };
  'mod.mute': { who: Who; seconds: number };
  'mod.ban': { who: Who };
  'mod.unban': { who: Who };
  slate: { on: boolean; text?: string };
  'media.mode': { mode: MediaMode; why?: string };
  'episode.start': None;
  'episode.end': None;
}
export type CommandKind = keyof CommandArgs;
