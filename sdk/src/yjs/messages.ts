/** What is said about a board, both ways (docs/protocol.md, Boards), read as strictly as the rest of the protocol. */

import * as decoding from 'lib0/decoding';
import * as encoding from 'lib0/encoding';
import type { BoardMessage } from '../wire.ts';

// y-protocols as y-websocket frames it.
const SYNC = 0;
const AWARENESS = 1;
const QUERY_AWARENESS = 3;
const STEP_1 = 0;
const STEP_2 = 1;
const UPDATE = 2;

/** The update of nothing: no structs, no deletions. */
export const EMPTY_UPDATE = Uint8Array.of(0, 0);

export type BoardFrame =
  | { kind: 'step1'; vector: Uint8Array }
  | { kind: 'step2' | 'update'; update: Uint8Array }
  | { kind: 'awareness'; update: Uint8Array }
  | { kind: 'query' };

/** Null: not a message of y-protocols, or one that means nothing here. */
export function readFrame(payload: Uint8Array): BoardFrame | null {
  try {
    const decoder = decoding.createDecoder(payload);
    switch (decoding.readVarUint(decoder)) {
      case SYNC: {
        const step = decoding.readVarUint(decoder);
        const bytes = decoding.readVarUint8Array(decoder);
        if (step === STEP_1) return { kind: 'step1', vector: bytes };
        if (step === STEP_2) return { kind: 'step2', update: bytes };
        return step === UPDATE ? { kind: 'update', update: bytes } : null;
      }
      case AWARENESS:
        return { kind: 'awareness', update: decoding.readVarUint8Array(decoder) };
      case QUERY_AWARENESS:
        return { kind: 'query' };
    }
  } catch {
    // Cut short.
  }
  return null;
}

export function writeFrame(frame: BoardFrame): Uint8Array {
  const encoder = encoding.createEncoder();
  const write = (...numbers: number[]): void =>
    numbers.forEach((n) => encoding.writeVarUint(encoder, n));
  switch (frame.kind) {
    case 'step1':
      write(SYNC, STEP_1);
      encoding.writeVarUint8Array(encoder, frame.vector);
      break;
    case 'step2':
    case 'update':
      write(SYNC, frame.kind === 'step2' ? STEP_2 : UPDATE);
      encoding.writeVarUint8Array(encoder, frame.update);
      break;
    case 'awareness':
      write(AWARENESS);
      encoding.writeVarUint8Array(encoder, frame.update);
      break;
    case 'query':
      write(QUERY_AWARENESS);
  }
  return encoding.toUint8Array(encoder);
}

export type Right = 'insert' | 'change' | 'delete';

/** What this role may do on a board; the rule with the longest path that matches counts. */
export interface BoardRights {
  edit: boolean;
  /** Where no rule matches. */
  may: Right[];
  rules: { path: string; may: Right[] }[];
}

export interface BoardLimits {
  update_bytes: number;
  doc_bytes: number;
  awareness_bytes: number;
}

/** What the server tells of a board when it is opened. */
export interface BoardInfo {
  client: number;
  gen: number;
  rights: BoardRights;
  title: string;
  kind: string;
  limits: BoardLimits;
}

/** An edit that the event log contradicts: the server has written `value` over `was`. */
export interface Overruled {
  path: string;
  value: unknown;
  was: unknown;
  /** The authoritative field, as a path in the view. */
  by: string;
  /** Log sequence the value stands at. */
  log: number;
  why: string;
}

export type BoardWord =
  | { kind: 'opened'; info: BoardInfo }
  | { kind: 'reset'; client: number; gen: number }
  | { kind: 'ack'; n: number }
  | { kind: 'held'; n: number; code: number; message: string; wait_ms: number }
  | {
      kind: 'refused';
      n: number;
      code: number;
      message: string;
      path: string;
      client: number;
      gen: number;
    }
  | { kind: 'failed'; code: number; message: string; wait_ms: number }
  | { kind: 'overruled'; edits: Overruled[] };

const MAX_RULES = 1000;
const MAX_OVERRULED = 256;

/** Null: a word of a newer server, or one that cannot be read. */
export function readWord(message: BoardMessage): BoardWord | null {
  const { client, gen, n, code, ack, overruled } = message;
  if (isCount(code) && code > 0) {
    const problem = { code, message: text(message['message']) };
    const after = message['retry_after_ms'];
    const wait_ms = isCount(after) ? after : 0;
    if (!isCount(n)) return { kind: 'failed', ...problem, wait_ms };
    if (!isCount(client) || !isCount(gen)) return { kind: 'held', n, ...problem, wait_ms };
    return { kind: 'refused', n, ...problem, path: text(message['path']), client, gen };
  }
  if (isCount(ack)) return { kind: 'ack', n: ack };
  if (Array.isArray(overruled)) {
    return { kind: 'overruled', edits: overruled.slice(0, MAX_OVERRULED).flatMap(readOverruled) };
  }
  if (!isCount(client) || !isCount(gen)) return null;
  if (message['reset'] === true) return { kind: 'reset', client, gen };
  const limits = fields(message['limits']);
  const bytes = (key: string, otherwise: number): number => {
    const value = limits[key];
    return isCount(value) && value >= 1024 ? value : otherwise;
  };
  return {
    kind: 'opened',
    info: {
      client,
      gen,
      rights: readRights(fields(message['rights'])),
      title: text(message['title']),
      kind: text(message['kind']),
      limits: {
        update_bytes: bytes('update_bytes', 262_144),
        doc_bytes: bytes('doc_bytes', 4_194_304),
        awareness_bytes: bytes('awareness_bytes', 4096),
      },
    },
  };
}

function readRights(f: Record<string, unknown>): BoardRights {
  const rules = Array.isArray(f['rules']) ? f['rules'].slice(0, MAX_RULES) : [];
  const verbs = (value: unknown): Right[] =>
    Array.isArray(value)
      ? value.filter((it) => it === 'insert' || it === 'change' || it === 'delete')
      : [];
  return {
    edit: f['edit'] === true,
    may: verbs(f['may']),
    rules: rules.map((one) => {
      const rule = fields(one);
      return { path: text(rule['path']), may: verbs(rule['may']) };
    }),
  };
}

function readOverruled(value: unknown): Overruled[] {
  const f = fields(value);
  const log = f['log'];
  if (typeof f['path'] !== 'string') return [];
  return [
    {
      path: f['path'],
      value: f['value'],
      was: f['was'],
      by: text(f['by']),
      log: isCount(log) ? log : 0,
      why: text(f['why']),
    },
  ];
}

/**
 * What may be done at a path such as `tokens/ogre/hp`. A rule's path is a prefix of it whose parts
 * are keys, `*` for any one key, or `[]` for any place of a sequence; the longest counts.
 */
export function mayDo(rights: BoardRights | null, right: Right, path: string): boolean {
  if (!rights?.edit) return false;
  const parts = path.split('/');
  let best: { length: number; may: readonly Right[] } = { length: 0, may: rights.may };
  for (const rule of rights.rules) {
    const pattern = rule.path.split('/');
    if (pattern.length > parts.length || pattern.length < best.length) continue;
    if (pattern.every((part, k) => part === '*' || part === parts[k])) {
      best = { length: pattern.length, may: rule.may };
    }
  }
  return best.may.includes(right);
}

function fields(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
