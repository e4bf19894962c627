/**
 * Reads a frame of the server, as strictly as the server's own codec (`src/proto`, same golden
 * vectors): a frame with a missing or senseless field is refused whole. Whatever comes, what leaves
 * here has the types of `wire.ts`, and nothing leaves as an exception. Unknown fields and types are
 * ignored (docs/protocol.md). Entities of the view are objects or null; their fields are the
 * server's word.
 */

import type {
  ConfirmedEntry,
  IceServer,
  Limits,
  Me,
  Mode,
  Patch,
  PlaceInfo,
  RejectedEntry,
  Role,
  ServerMessage,
  SloClass,
  WatchMode,
} from './wire.ts';

type Fields = Record<string, unknown>;

/** A frame that is refused; `of` is its type as far as it can be told. */
export interface Unreadable {
  t: 'unreadable';
  of: string;
}
/** A message of a newer server. */
export interface Unknown {
  t: 'unknown';
  of: string;
}

export function parseServerMessage(text: string): ServerMessage | Unreadable | Unknown {
  let of = '';
  try {
    const fields = object(JSON.parse(text));
    of = string(fields['t']);
    if (!Object.hasOwn(READERS, of)) return { t: 'unknown', of };
    return READERS[of as ServerMessage['t']](fields);
  } catch {
    return { t: 'unreadable', of };
  }
}

function readServer(value: unknown): IceServer {
  const { urls, username, credential } = object(value);
  check(list(urls).length > 0);
  return {
    urls: list(urls).map(string),
    ...(username !== undefined && { username: string(username) }),
    ...(credential !== undefined && { credential: string(credential) }),
  };
}

const ROLES: readonly Role[] = ['producer', 'gm', 'player', 'viewer'];
const MODES: readonly Mode['mode'][] = ['live', 'degraded', 'halted', 'draining'];
const POLL_STATES = ['open', 'closing', 'closed'] as const;
const MAX_OPTIONS = 32;

const READERS: { [T in ServerMessage['t']]: (f: Fields) => ServerMessage & { t: T } } = {
  welcome(f) {
    const resumed = f['resumed'] === true;
    return {
      t: 'welcome',
      v: count(f['v']),
      sid: string(f['sid']),
      edge: string(f['edge'] ?? ''),
      epoch: count(f['epoch']),
      off: count(f['off']),
      now_ms: integer(f['now_ms']),
      ep: string(f['ep'] ?? ''),
      role: word(f['role'], ROLES),
      name: string(f['name'] ?? ''),
      resumed,
      ...(resumed ? {} : { view: object(f['view']) as Record<string, Fields> }),
      me: readMe(object(f['me'] ?? {})),
      mode: readMode(object(f['mode'] ?? {})),
      limits: readLimits(object(f['limits'] ?? {})),
      build: string(f['build'] ?? ''),
    };
  },

  ack: (f) => ({
    t: 'ack',
    accepted: list(f['accepted'] ?? []).map(count),
    confirmed: list(f['confirmed'] ?? []).map(readConfirmed),
    rejected: list(f['rejected'] ?? []).map(readRejected),
  }),

  delta(f) {
    const { cause } = f;
    const by = cause === undefined || cause === null ? null : object(cause);
    return {
      t: 'delta',
      off: count(f['off']),
      at: integer(f['at']),
      p: list(f['p']).map(readPatch),
      ...(by && { cause: { cid: string(by['cid']), i: count(by['i']) } }),
    };
  },

  tally: (f) => ({
    t: 'tally',
    poll: string(f['poll']),
    ver: count(f['ver']),
    log: count(f['log']),
    counts: list(f['counts'], MAX_OPTIONS).map(count),
    voters: count(f['voters'] ?? 0),
    state: word(f['state'] ?? 'open', POLL_STATES),
    final: f['final'] === true,
  }),

  emotes(f) {
    const pairs = Object.entries(object(f['c'])).map(([name, n]) => [name, count(n)] as const);
    return { t: 'emotes', c: Object.fromEntries(pairs) };
  },

  presence: (f) => ({
    t: 'presence',
    audience: count(f['audience']),
    edges: list(f['edges'] ?? []).map((one) => {
      const [edge, audience] = list(one);
      return [string(edge), count(audience)];
    }),
  }),

  pong: (f) => ({ t: 'pong', c: integer(f['c']), s: integer(f['s']) }),
  mode: (f) => ({ t: 'mode', ...readMode({ ...f, mode: string(f['mode']) }) }),

  slo(f) {
    const rates = object(f['rates'] ?? {});
    const log = object(f['log'] ?? {});
    return {
      t: 'slo',
      m: list(f['m'] ?? []).map(readSloClass),
      rates: {
        events_per_s: count(rates['events_per_s'] ?? 0),
        ballots_per_s: count(rates['ballots_per_s'] ?? 0),
        deliveries_per_s: count(rates['deliveries_per_s'] ?? 0),
      },
      log: {
        seq: count(log['seq'] ?? 0),
        commit_p50_us: count(log['commit_p50_us'] ?? 0),
        commit_p99_us: count(log['commit_p99_us'] ?? 0),
      },
      edges: list(f['edges'] ?? []).map((one) => {
        const edge = object(one);
        return {
          edge: string(edge['edge']),
          sessions: count(edge['sessions'] ?? 0),
          queue_bytes: count(edge['queue_bytes'] ?? 0),
        };
      }),
      watching: readWatching(f['watching']),
    };
  },

  // Its other fields are read by what speaks y-protocols (src/yjs/messages.ts).
  board: (f) => ({ ...f, t: 'board', b: string(f['b']) }),

  media(f) {
    const { n, id, sdp, ice, code: number, message } = f;
    check(n !== undefined || id !== undefined);
    return {
      t: 'media',
      ...(n !== undefined && { n: count(n) }),
      ...(id !== undefined && { id: string(id) }),
      ...(sdp !== undefined && { sdp: string(sdp) }),
      ...(ice !== undefined && { ice: string(ice) }),
      ...(f['servers'] !== undefined && {
        servers: list(f['servers']).map(readServer),
        ttl: count(f['ttl'] ?? 0),
      }),
      ...(f['over'] === true && { over: true }),
      ...(number !== undefined && { code: code(number), message: string(message ?? '') }),
    };
  },
  'media.places': (f) => ({
    t: 'media.places',
    id: string(f['id']),
    places: list(f['places']).map(readPlace),
  }),
  'media.room': (f) => ({
    t: 'media.room',
    ...(f['speaking'] !== undefined && {
      speaking: list(f['speaking']).map((one) => {
        const [of, level] = list(one);
        return [who(of), count(level)] as [string, number];
      }),
    }),
    ...(f['links'] !== undefined && {
      links: list(f['links']).map((one) => {
        const [of, rtt, loss] = list(one);
        return [who(of), count(rtt), count(loss)] as [string, number, number];
      }),
    }),
    ...(f['recording'] !== undefined && { recording: f['recording'] === true }),
  }),
  'media.quality': (f) => ({
    t: 'media.quality',
    id: string(f['id']),
    rtt: count(f['rtt'] ?? 0),
    loss: count(f['loss'] ?? 0),
    bps: count(f['bps'] ?? 0),
    places: list(f['places'] ?? []).map((one) => {
      const [mid, layer] = list(one);
      return [string(mid), integer(layer)] as [string, number];
    }),
  }),

  error: (f) => ({ t: 'error', code: code(f['code']), message: string(f['message'] ?? '') }),

  bye(f) {
    const window = f['after_ms'] === undefined ? null : list(f['after_ms'], 2).map(count);
    const [low = 0, high = 0] = window ?? [];
    check(low <= high);
    return {
      t: 'bye',
      code: code(f['code']),
      message: string(f['message'] ?? ''),
      reconnect: f['reconnect'] === true,
      ...(window && { after_ms: [low, high] as [number, number] }),
    };
  },
};

function readConfirmed(value: unknown): ConfirmedEntry {
  const f = object(value);
  const entry = { i: count(f['i']), log: count(f['log']) };
  return f['hash'] === undefined ? entry : { ...entry, hash: receipt(f['hash']) };
}

function readRejected(value: unknown): RejectedEntry {
  const f = object(value);
  return {
    i: count(f['i']),
    code: code(f['code']),
    message: string(f['message'] ?? ''),
    retry_after_ms: count(f['retry_after_ms'] ?? 0),
  };
}

function readPatch(value: unknown): Patch {
  const [collection, id, entity] = list(value);
  return [string(collection), string(id), entity === null ? null : object(entity)];
}

function readPlace(value: unknown): PlaceInfo {
  const f = object(value);
  const place = { mid: string(f['mid']), kind: word(f['kind'], ['audio', 'video'] as const) };
  if (f['who'] === undefined) return place;
  return {
    ...place,
    who: who(f['who']),
    name: string(f['name'] ?? ''),
    role: word(f['role'], ROLES),
    label: string(f['label'] ?? ''),
    muted: f['muted'] === true,
  };
}

function readMe(f: Fields): Me {
  const ballots = Object.entries(object(f['ballots'] ?? {})).map(([poll, value]) => {
    const one = object(value);
    const hash = one['hash'] === undefined ? '' : receipt(one['hash']);
    const choice = list(one['choice'], MAX_OPTIONS).map(count);
    return [poll, { choice, n: count(one['n']), log: count(one['log'] ?? 0), hash }] as const;
  });
  return {
    ballots: Object.fromEntries(ballots),
    last_i: count(f['last_i'] ?? 0),
    muted_until_ms: integer(f['muted_until_ms'] ?? 0),
    chars: list(f['chars'] ?? []).map(string),
    who: string(f['who'] ?? ''),
  };
}

function readMode(f: Fields): Mode {
  return {
    mode: word(f['mode'] ?? 'live', MODES),
    code: code(f['code'] ?? 0),
    message: string(f['message'] ?? ''),
  };
}

/** Limits out of reason are not obeyed: a batch of none would never be sent. */
function readLimits(f: Fields): Limits {
  const within = (key: string, low: number, high: number, otherwise: number): number => {
    const n = integer(f[key] ?? otherwise);
    return n >= low && n <= high ? n : otherwise;
  };
  return {
    frame_bytes: within('frame_bytes', 1024, 1 << 20, 16_384),
    batch: within('batch', 1, 64, 64),
    tick_ms: within('tick_ms', 1, 60_000, 100),
  };
}

function readSloClass(value: unknown): SloClass {
  const f = object(value);
  return {
    class: string(f['class']),
    budget_ms: count(f['budget_ms'] ?? 0),
    n: count(f['n'] ?? 0),
    p50: count(f['p50'] ?? 0),
    p99: count(f['p99'] ?? 0),
    max: count(f['max'] ?? 0),
    holds: f['holds'] === true,
  };
}

function readWatching(value: unknown): Record<WatchMode, number> {
  const f = object(value ?? {});
  const of = (mode: WatchMode): number => count(f[mode] ?? 0);
  return {
    none: of('none'),
    rtc: of('rtc'),
    llhls: of('llhls'),
    hls: of('hls'),
    audio: of('audio'),
  };
}

// Each returns the value with its type or throws; only parseServerMessage catches.

function check(holds: boolean): asserts holds {
  if (!holds) throw new RangeError();
}
function object(value: unknown): Fields {
  check(typeof value === 'object' && value !== null && !Array.isArray(value));
  return value as Fields;
}
function list(value: unknown, limit = 65_536): unknown[] {
  check(Array.isArray(value) && value.length <= limit);
  return value as unknown[];
}
function string(value: unknown): string {
  check(typeof value === 'string');
  return value as string;
}
function integer(value: unknown): number {
  check(Number.isSafeInteger(value));
  return value as number;
}
function count(value: unknown): number {
  check(integer(value) >= 0);
  return value as number;
}
function code(value: unknown): number {
  const n = count(value);
  check(n === 0 || (n >= 4000 && n <= 4999));
  return n;
}
function receipt(value: unknown): string {
  check(/^[0-9a-f]{32}$/i.test(string(value)));
  return value as string;
}
function who(value: unknown): string {
  check(/^[0-9a-f]{16}$/i.test(string(value)));
  return value as string;
}
function word<T extends string>(value: unknown, words: readonly T[]): T {
  check(words.includes(value as T));
  return value as T;
}
