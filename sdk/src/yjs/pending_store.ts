/**
 * Where a board's edits are kept until they are durable, so that they survive a reload.
 *
 *   fl1b:<episode>:<account>:<board>:<slot>:<n>   {"g": generation, "u": update, base64url}
 *
 * Each tab writes to a slot of its own, which it holds by a lock of that name. A tab that opens a
 * board takes over what slots nobody holds: its own from before a reload, and what closed tabs have
 * left behind.
 */

import { base64url, fromBase64url } from '../boards.ts';
import { randomHex } from '../ids.ts';
import type { BoardPort } from '../types.ts';

export interface StoredEdit {
  n: number;
  gen: number;
  update: Uint8Array;
}

export class PendingStore {
  readonly #port: BoardPort;
  readonly #board: string;
  readonly #onFailure: () => void;
  #base = '';
  #slot = '';
  #next = 1;
  #release: (() => void) | null = null;

  constructor(port: BoardPort, board: string, onFailure: () => void) {
    this.#port = port;
    this.#board = board;
    this.#onFailure = onFailure;
  }

  /** Whether edits are being kept. */
  get open(): boolean {
    return this.#release !== null;
  }

  /** Claims a slot; gives what was found in those that were free, oldest first. */
  async claim(): Promise<StoredEdit[]> {
    const { storage, locks, prefix, random } = this.#port;
    this.#base = `fl1b:${prefix.replace(/^fl1:/, '')}${encodeURIComponent(this.#board)}:`;
    const slots = new Set(this.#keys().map((key) => key.slice(this.#base.length).split(':')[0]));
    const found: StoredEdit[] = [];
    for (const slot of [...slots].sort()) {
      const release = await locks.claim(this.#base + slot);
      if (!release) continue;
      const edits = this.#read(`${this.#base}${slot}:`);
      if (!this.#release) {
        this.#release = release;
        this.#slot = slot ?? '';
        this.#next = 1 + Math.max(0, ...edits.map(({ n }) => n));
        found.push(...edits);
        continue;
      }
      for (const { n, gen, update } of edits) {
        found.push({ n: this.put(gen, update), gen, update });
        this.#try(() => storage.remove(`${this.#base}${slot}:${n}`));
      }
      release();
    }
    while (!this.#release) {
      this.#slot = randomHex(random, 6);
      this.#release = await locks.claim(this.#base + this.#slot);
    }
    return found;
  }

  /** Keeps an edit; its number. */
  put(gen: number, update: Uint8Array, n = this.#next++): number {
    const value = JSON.stringify({ g: gen, u: base64url(update) });
    this.#try(() => this.#port.storage.set(`${this.#base}${this.#slot}:${n}`, value));
    return n;
  }

  remove(n: number): void {
    this.#try(() => this.#port.storage.remove(`${this.#base}${this.#slot}:${n}`));
  }

  /** Lets the slot go; what is in it stays for the next. */
  release(): void {
    this.#release?.();
    this.#release = null;
  }

  #keys(): string[] {
    return this.#try(() => this.#port.storage.keys(this.#base)) ?? [];
  }

  #read(prefix: string): StoredEdit[] {
    const edits: StoredEdit[] = [];
    for (const key of this.#keys().filter((one) => one.startsWith(prefix))) {
      const n = Number(key.slice(prefix.length));
      const edit = this.#try(() => parse(this.#port.storage.get(key)));
      if (edit && Number.isSafeInteger(n) && n > 0) edits.push({ n, ...edit });
      else this.#try(() => this.#port.storage.remove(key));
    }
    return edits.sort((a, b) => a.n - b.n);
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

function parse(text: string | null): { gen: number; update: Uint8Array } | null {
  try {
    const { g, u } = JSON.parse(text ?? '') as { g: unknown; u: unknown };
    if (!Number.isSafeInteger(g) || typeof u !== 'string') return null;
    const update = fromBase64url(u);
    return update.length >= 2 ? { gen: g as number, update } : null;
  } catch {
    return null;
  }
}
