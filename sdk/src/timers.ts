import type { Clock, TimerHandle } from './types.ts';

/** Named timers on an injected clock; all of them end with one call. */
export class Timers {
  #handles = new Map<string, TimerHandle>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Sets or replaces the timer `name`. */
  set(name: string, ms: number, run: () => void): void {
    this.clear(name);
    // Browsers take a longer time for zero.
    const wait_ms = Math.min(Math.max(0, ms), 0x7fffffff);
    const handle = this.#clock.setTimeout(() => {
      if (this.#handles.get(name) !== handle) return;
      this.#handles.delete(name);
      run();
    }, wait_ms);
    this.#handles.set(name, handle);
  }

  has(name: string): boolean {
    return this.#handles.has(name);
  }

  clear(name: string): void {
    if (!this.#handles.has(name)) return;
    this.#clock.clearTimeout(this.#handles.get(name));
    this.#handles.delete(name);
  }

  clearAll(): void {
    for (const name of [...this.#handles.keys()]) this.clear(name);
  }
}
