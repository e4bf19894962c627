/** Waiting times of docs/protocol.md, "What happens when": spread, so that a crowd does not return as one. */

import type { Random } from './types.ts';

export const BACKOFF_BASE_MS = 500;
export const BACKOFF_CAP_MS = 30_000;

/** Full jitter: uniform in [0, min(30 s, 0.5 s · 2^attempt)). `attempt` counts from 0. */
export function fullJitterMs(attempt: number, random: Random): number {
  return random.unit() * Math.min(BACKOFF_CAP_MS, BACKOFF_BASE_MS * 2 ** Math.min(attempt, 16));
}

/** Uniform in the range a `bye` advises; a range that makes no sense is read as [0, 2 s]. */
export function advisedMs(range: readonly [number, number] | undefined, random: Random): number {
  const [low, high] = range ?? [0, 2000];
  if (!(low >= 0 && high >= low && high <= 3_600_000)) return random.unit() * 2000;
  return low + random.unit() * (high - low);
}
