import { newTraceparent } from './ids.ts';
import type { Random } from './types.ts';
import type { WireEvent } from './wire.ts';

const MAX_NAMES = 16;
/** Of one emote in one event (docs/protocol.md, `emote`). */
const MAX_N = 10;

/** Emotes of one moment, summed by name until they are sent. Lossy: what is too much is dropped. */
export class Reactions {
  #waiting = new Map<string, { n: number; tp: string }>();
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  /** False when there are too many at once. */
  add(name: string, n: number): boolean {
    const one = this.#waiting.get(name);
    if (!(n >= 1) || (one?.n ?? 0) >= MAX_N || (!one && this.#waiting.size >= MAX_NAMES)) {
      return false;
    }
    const sum = Math.min(MAX_N, (one?.n ?? 0) + Math.floor(n));
    this.#waiting.set(name, { n: sum, tp: one?.tp ?? newTraceparent(this.#random) });
    return true;
  }

  /** All that wait as one frame, or null. */
  takeFrame(nextNumber: () => number): string | null {
    if (!this.#waiting.size) return null;
    const e = [...this.#waiting].map(
      ([name, { n, tp }]): WireEvent<'emote'> => ({
        i: nextNumber(),
        k: 'emote',
        a: n === 1 ? { e: name } : { e: name, n },
        tp,
      }),
    );
    this.#waiting.clear();
    return JSON.stringify({ t: 'ev', e });
  }

  clear(): void {
    this.#waiting.clear();
  }
}
