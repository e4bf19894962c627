import { describe, expect, test } from 'vitest';
import { advisedMs, fullJitterMs } from './backoff.ts';
import { seededRandom } from './fake/index.ts';

describe('full jitter', () => {
  test('stays within [0, min(30 s, 0.5 s · 2^attempt)) and uses all of it', () => {
    const random = seededRandom(1);
    for (let attempt = 0; attempt < 40; ++attempt) {
      const bound_ms = Math.min(30_000, 500 * 2 ** attempt);
      const waits = Array.from({ length: 500 }, () => fullJitterMs(attempt, random));
      expect(Math.min(...waits)).toBeGreaterThanOrEqual(0);
      expect(Math.max(...waits)).toBeLessThan(bound_ms);
      expect(Math.min(...waits)).toBeLessThan(bound_ms * 0.05);
      expect(Math.max(...waits)).toBeGreaterThan(bound_ms * 0.95);
    }
  });

  test('advice is followed within its window, and senseless advice within two seconds', () => {
    const random = seededRandom(2);
    for (let k = 0; k < 500; ++k) {
      const wait_ms = advisedMs([1000, 3000], random);
      expect(wait_ms).toBeGreaterThanOrEqual(1000);
      expect(wait_ms).toBeLessThan(3000);
      for (const odd of [undefined, [5, 1], [-1, 3], [0, Infinity], [0, 1e12]]) {
        const other_ms = advisedMs(odd as [number, number] | undefined, random);
        expect(other_ms).toBeGreaterThanOrEqual(0);
        expect(other_ms).toBeLessThan(2000);
      }
    }
  });
});
