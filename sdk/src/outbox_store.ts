/**
 * Where outboxes are kept, shared by all tabs of an origin.
 *
 *   fl1:<episode>:<account>:<cid>      {"n": next event number, "t": last use, Unix ms}
 *   fl1:<episode>:<account>:<cid>:<i>  one event, until it is confirmed or rejected
 *
 * Each tab works on an outbox of its own, which it holds by a lock of that name. A tab that opens
 * takes an outbox nobody holds, one with pending events first: so a reload finds its own again, and
 * what a closed tab left behind is sent by the next. Event numbers are never used twice, because the
 * next one is written down before an event goes out.
 */

import { randomHex } from './ids.ts';
import type { StoredEvent } from './sent_event.ts';
import type { Locks, Random, Storage } from './types.ts';

const FORGET_AFTER_MS = 7 * 24 * 3600 * 1000;

export interface Slot {
  readonly cid: string;
  /** Next event number. */
  readonly next: number;
  readonly events: Map<number, StoredEvent>;
  put(i: number, event: StoredEvent, next: number): void;
  touch(next: number): void;
  remove(i: number): void;
  release(): void;
}

interface Found {
  cid: string;
  next: number;
  used_ms: number;
  numbers: number[];
}

export class OutboxStore {
  readonly storage: Storage;
  readonly #locks: Locks;
  readonly #random: Random;
  readonly #wall: () => number;
  readonly #onFailure: () => void;

  constructor(
    storage: Storage,
    locks: Locks,
    random: Random,
    wall: () => number,
    onFailure: () => void,
  ) {
    this.storage = storage;
    this.#locks = locks;
    this.#random = random;
    this.#wall = wall;
    this.#onFailure = onFailure;
  }

  static prefix(episode: string, account: string): string {
    return `fl1:${encodeURIComponent(episode)}:${encodeURIComponent(account)}:`;
  }

  /** Takes a free outbox or makes one: `mine` if it is free, then those with pending events. */
  async open(prefix: string, mine = ''): Promise<Slot> {
    const rank = (one: Found): number => (one.cid === mine ? 0 : one.numbers.length ? 1 : 2);
    const found = this.#scan(prefix).sort((a, b) => rank(a) - rank(b) || a.used_ms - b.used_ms);
    for (const one of found) {
      const slot = await this.#take(prefix, one);
      if (slot) return slot;
    }
    for (;;) {
      const cid = randomHex(this.#random, 8);
      const slot = await this.#take(prefix, { cid, next: 1, used_ms: 0, numbers: [] });
      if (slot) return slot;
    }
  }

  /** An outbox with pending events that no tab holds, or null. */
  async orphan(prefix: string): Promise<Slot | null> {
    for (const one of this.#scan(prefix)) {
      const slot = one.numbers.length > 0 ? await this.#take(prefix, one) : null;
      if (slot) return slot;
    }
    return null;
  }

  #scan(prefix: string): Found[] {
    const found = new Map<string, Found>();
    const at = (cid: string): Found => {
      const one = found.get(cid) ?? { cid, next: 1, used_ms: 0, numbers: [] };
      found.set(cid, one);
      return one;
    };
    for (const key of this.#try(() => this.storage.keys(prefix)) ?? []) {
      const [cid = '', number] = key.slice(prefix.length).split(':');
      if (!/^[0-9a-f]{16}$/.test(cid)) continue;
      if (number !== undefined) {
        if (/^[1-9][0-9]{0,15}$/.test(number)) at(cid).numbers.push(Number(number));
        continue;
      }
      const meta = this.#read(key) as { n?: unknown; t?: unknown } | null;
      if (Number.isSafeInteger(meta?.n)) at(cid).next = Math.max(1, meta?.n as number);
      if (typeof meta?.t === 'number') at(cid).used_ms = meta.t;
    }
    const forget_before_ms = this.#wall() - FORGET_AFTER_MS;
    return [...found.values()].filter((one) => {
      if (one.numbers.length || one.used_ms >= forget_before_ms) return true;
      this.#try(() => this.storage.remove(prefix + one.cid));
      return false;
    });
  }

  async #take(prefix: string, found: Found): Promise<Slot | null> {
    const key = prefix + found.cid;
    const release = await this.#locks.claim(key);
    if (!release) return null;
    // Its last holder may have written between the scan and the claim.
    const now = this.#scan(prefix).find((one) => one.cid === found.cid) ?? found;
    const events = new Map<number, StoredEvent>();
    for (const i of now.numbers.sort((a, b) => a - b)) {
      const event = this.#read(`${key}:${i}`) as StoredEvent | null;
      if (event && typeof event.k === 'string' && typeof event.at === 'number')
        events.set(i, event);
      else this.#try(() => this.storage.remove(`${key}:${i}`));
    }
    const next = Math.max(now.next, ...now.numbers.map((i) => i + 1));
    const touch = (n: number): void => {
      this.#try(() => this.storage.set(key, JSON.stringify({ n, t: Math.round(this.#wall()) })));
    };
    touch(next);
    return {
      cid: found.cid,
      next,
      events,
      touch,
      put: (i, event, n) => {
        touch(n);
        this.#try(() => this.storage.set(`${key}:${i}`, JSON.stringify(event)));
      },
      remove: (i) => void this.#try(() => this.storage.remove(`${key}:${i}`)),
      release,
    };
  }

  #read(key: string): unknown {
    try {
      const value: unknown = JSON.parse(this.storage.get(key) ?? 'null');
      return typeof value === 'object' ? value : null;
    } catch {
      return null;
    }
  }

  #try<T>(run: () => T): T | undefined {
    try {
      return run();
    } catch {
      this.#onFailure();
      return undefined;
    }
  }
}
