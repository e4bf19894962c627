import { expect, test } from 'vitest';
import { ManualClock } from './fake/index.ts';
import { Timers } from './timers.ts';

test('timers: a name holds one timer, and clearAll leaves none', async () => {
  const clock = new ManualClock();
  const timers = new Timers(clock);
  const seen: string[] = [];
  timers.set('a', 10, () => seen.push('first'));
  timers.set('a', 20, () => seen.push('second'));
  timers.set('b', 30, () => seen.push('b'));
  timers.set('far', 1e12, () => seen.push('far'));
  await clock.advance(25);
  expect(seen).toEqual(['second']);
  expect(timers.has('a')).toBe(false);
  timers.clearAll();
  expect(clock.pending).toBe(0);
  await clock.advance(100);
  expect(seen).toEqual(['second']);
});
