import type { Clock, Random, TimerHandle } from '../types.ts';

interface Due {
  at_ms: number;
  order: number;
  run: () => void;
}

/**
 * Time that passes only when told to. Timers run in the order they are due, and between two of them
 * everything promised is carried out: a test on it is the same every time.
 */
export class ManualClock implements Clock {
  #now_ms = 0;
  #order = 0;
  #due = new Map<number, Due>();
  readonly #start_ms: number;

  /** `start_ms`: Unix milliseconds at which the wall clock begins. */
  constructor(start_ms = 1_767_225_600_000) {
    this.#start_ms = start_ms;
  }

  now(): number {
    return this.#now_ms;
  }
  wall(): number {
    return Math.floor(this.#start_ms + this.#now_ms);
  }
  setTimeout(run: () => void, ms: number): TimerHandle {
    const order = ++this.#order;
    this.#due.set(order, { at_ms: this.#now_ms + Math.max(0, ms), order, run });
    return order;
  }
  clearTimeout(handle: TimerHandle): void {
    this.#due.delete(handle as number);
  }

  /** Timers that wait. */
  get pending(): number {
    return this.#due.size;
  }

  /**
   * A clock on the same time for one client: counts its own timers, and may be wrong by `skew_ms`.
   * Its monotonic clock begins elsewhere, as another machine's does.
   */
  fork(skew_ms = 0): Clock & { readonly pending: number } {
    const own = new Set<TimerHandle>();
    return {
      now: () => this.#now_ms + 1000,
      wall: () => this.wall() + skew_ms,
      setTimeout: (run, ms) => {
        const handle = this.setTimeout(() => {
          own.delete(handle);
          run();
        }, ms);
        own.add(handle);
        return handle;
      },
      clearTimeout: (handle) => {
        own.delete(handle);
        this.clearTimeout(handle);
      },
      get pending() {
        return own.size;
      },
    };
  }

  /** Lets `ms` pass. */
  async advance(ms: number): Promise<void> {
    const until_ms = this.#now_ms + ms;
    await settled();
    for (;;) {
      let next: Due | null = null;
      for (const due of this.#due.values()) {
        if (due.at_ms > until_ms) continue;
        if (!next || due.at_ms < next.at_ms || (due.at_ms === next.at_ms && due.order < next.order))
          next = due;
      }
      if (!next) break;
      this.#due.delete(next.order);
      this.#now_ms = Math.max(this.#now_ms, next.at_ms);
      next.run();
      await settled();
    }
    this.#now_ms = until_ms;
  }

  /** Lets time pass until `holds`, in steps of `step_ms`; throws when it does not within `limit_ms`. */
  async until(holds: () => boolean, limit_ms = 60_000, step_ms = 10): Promise<void> {
    await settled();
    for (let passed_ms = 0; !holds(); passed_ms += step_ms) {
      if (passed_ms >= limit_ms) throw new Error(`Not within ${limit_ms} ms: ${String(holds)}`);
      await this.advance(step_ms);
    }
  }
}

// Taken now, before a test framework puts its own in place.
const { setImmediate: turn } = globalThis as { setImmediate?: (run: () => void) => unknown };

/** Until all that is promised by now has been carried out: a turn of the event loop, not a time. */
export function settled(): Promise<void> {
  return new Promise((resolve) => {
    if (turn) {
      turn(resolve);
      return;
    }
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(0);
  });
}

/** Random numbers from a seed: mulberry32. Not for secrets. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const unit = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  return { unit, bytes: (n) => Uint8Array.from({ length: n }, () => Math.floor(unit() * 256)) };
}
