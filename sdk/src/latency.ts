/**
 * Latencies as a person at this client feels them, by class (docs/protocol.md, `lat`), shown here
 * and reported to the server. All times are monotonic milliseconds.
 */

import type { Latencies, LatencyFigures } from './types.ts';
import type { LatencyClass } from './wire.ts';

const KEPT = 128;
const REPORT_LIMIT = 64;
const WAITING_LIMIT = 64;
/** What takes longer was overtaken by something else: a hidden tally, a poll that closed. */
const GIVE_UP_MS = 30_000;

interface Waiting {
  poll: string;
  clicked_ms: number;
  log: number;
}

export class LatencyMeter {
  #kept = new Map<LatencyClass, number[]>();
  #unreported: [LatencyClass, number][] = [];
  #votes: Waiting[] = [];
  #tallies = new Map<string, { log: number; at_ms: number }[]>();
  #reactions = new Map<string, number>();
  readonly #onSample: (of: LatencyClass, ms: number) => void;

  constructor(onSample: (of: LatencyClass, ms: number) => void = () => {}) {
    this.#onSample = onSample;
  }

  add(of: LatencyClass, ms: number): void {
    const value = Math.max(0, ms);
    const kept = this.#kept.get(of) ?? [];
    this.#kept.set(of, kept);
    kept.push(value);
    if (kept.length > KEPT) kept.shift();
    // Beyond what one report carries the oldest go: the newest tell how it is now.
    this.#unreported.push([of, Math.round(value)]);
    if (this.#unreported.length > REPORT_LIMIT) this.#unreported.shift();
    this.#onSample(of, value);
  }

  /** A ballot was confirmed at `log`. Its tally may have come already or is still to come. */
  voteConfirmed(poll: string, clicked_ms: number, log: number): void {
    const seen = this.#tallies
      .get(poll)
      ?.find((tally) => tally.log >= log && tally.at_ms >= clicked_ms);
    if (seen) {
      this.add('vote', seen.at_ms - clicked_ms);
      return;
    }
    this.#votes.push({ poll, clicked_ms, log });
    if (this.#votes.length > WAITING_LIMIT) this.#votes.shift();
  }

  tallySeen(poll: string, log: number, now_ms: number): void {
    const seen = this.#tallies.get(poll) ?? [];
    this.#tallies.set(poll, seen);
    seen.push({ log, at_ms: now_ms });
    if (seen.length > 32) seen.shift();
    if (this.#tallies.size > 16) this.#tallies.delete(this.#tallies.keys().next().value as string);
    this.#votes = this.#votes.filter((vote) => {
      if (now_ms - vote.clicked_ms > GIVE_UP_MS) return false;
      if (vote.poll !== poll || vote.log > log) return true;
      this.add('vote', now_ms - vote.clicked_ms);
      return false;
    });
  }

  reactionSent(name: string, now_ms: number): void {
    if (!this.#reactions.has(name) && this.#reactions.size < WAITING_LIMIT) {
      this.#reactions.set(name, now_ms);
    }
  }

  reactionsSeen(names: readonly string[], now_ms: number): void {
    for (const name of names) {
      const clicked_ms = this.#reactions.get(name);
      if (clicked_ms !== undefined && now_ms - clicked_ms <= GIVE_UP_MS) {
        this.add('reaction', now_ms - clicked_ms);
      }
      this.#reactions.delete(name);
    }
  }

  /** What has been measured since the last call, at most 64. */
  takeReport(): [LatencyClass, number][] {
    const report = this.#unreported;
    this.#unreported = [];
    return report;
  }

  figures(): Latencies {
    const out: Latencies = {};
    for (const [of, kept] of this.#kept) out[of] = figuresOf(kept);
    return out;
  }
}

/** Nearest-rank percentiles. `samples` must not be empty. */
export function figuresOf(samples: readonly number[]): LatencyFigures {
  const sorted = [...samples].sort((a, b) => a - b);
  const rank = (q: number): number => sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? 0;
  const last = samples[samples.length - 1] ?? 0;
  return { n: samples.length, last, p50: rank(0.5), p99: rank(0.99), max: rank(1) };
}
