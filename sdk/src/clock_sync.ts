/**
 * Clock synchronisation by NTP's arithmetic (RFC 5905, section 8, with the server's receive and
 * transmit times taken as one): of the last eight exchanges the one with the shortest round trip
 * counts, because it leaves the least room for error. Half its round trip bounds the error.
 */

import type { Clock, ClockEstimate } from './types.ts';

interface Sample {
  /** Server Unix milliseconds minus local monotonic milliseconds. */
  offset_ms: number;
  rtt_ms: number;
}

const KEPT = 8;
const OUTSTANDING = 8;

export class ClockSync {
  readonly #clock: Clock;
  #samples: Sample[] = [];
  #best: Sample | null = null;
  #outstanding = new Map<number, number>();
  #next = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The welcome's `now_ms`: a first guess until a pong has come. The way here is not known. */
  welcome(server_ms: number): void {
    if (!this.#samples.length) {
      this.#best = { offset_ms: server_ms - this.#clock.now(), rtt_ms: Infinity };
    }
  }

  /** Begins an exchange; the number goes into the ping's `c`. */
  begin(): number {
    const c = ++this.#next;
    this.#outstanding.set(c, this.#clock.now());
    if (this.#outstanding.size > OUTSTANDING) {
      this.#outstanding.delete(this.#outstanding.keys().next().value as number);
    }
    return c;
  }

  /** A pong. Returns the round trip in ms, or null when it answers no ping of ours. */
  end(c: number, server_ms: number): number | null {
    const sent_ms = this.#outstanding.get(c);
    if (sent_ms === undefined) return null;
    this.#outstanding.delete(c);
    const now_ms = this.#clock.now();
    const rtt_ms = Math.max(0, now_ms - sent_ms);
    this.#samples.push({ offset_ms: server_ms - (sent_ms + now_ms) / 2, rtt_ms });
    if (this.#samples.length > KEPT) this.#samples.shift();
    this.#best = this.#samples.reduce((best, s) => (s.rtt_ms < best.rtt_ms ? s : best));
    return rtt_ms;
  }

  /** Old exchanges no longer count: another server, or the machine slept. The estimate stays. */
  restart(): void {
    this.#samples = [];
    this.#outstanding.clear();
  }

  /** Server Unix milliseconds now; the local wall clock until anything is known. */
  serverNow(): number {
    return this.#best ? this.#clock.now() + this.#best.offset_ms : this.#clock.wall();
  }

  /** Whether an exchange, not only the welcome, stands behind the estimate. */
  get exact(): boolean {
    return this.#best !== null && this.#best.rtt_ms !== Infinity;
  }

  estimate(): ClockEstimate | null {
    if (!this.#best) return null;
    const offsetMs = this.#best.offset_ms + this.#clock.now() - this.#clock.wall();
    return { offsetMs, rttMs: this.#best.rtt_ms, samples: this.#samples.length };
  }
}
