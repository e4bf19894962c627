import { describe, expect, test } from 'vitest';
import { ClockSync } from './clock_sync.ts';
import { ManualClock } from './fake/index.ts';

describe('clock sync', () => {
  /** One exchange: `up` and `down` milliseconds on the way, the server `ahead` of local wall time. */
  async function exchange(
    clock: ManualClock,
    sync: ClockSync,
    [up_ms, down_ms]: [number, number],
    ahead_ms: number,
  ): Promise<number | null> {
    const c = sync.begin();
    await clock.advance(up_ms);
    const server_ms = clock.wall() + ahead_ms;
    await clock.advance(down_ms);
    return sync.end(c, server_ms);
  }

  test('equal ways give the exact offset, unequal ones err by half their difference', async () => {
    const clock = new ManualClock();
    const even = new ClockSync(clock);
    expect(await exchange(clock, even, [20, 20], 5000)).toBe(40);
    expect(even.serverNow()).toBe(clock.wall() + 5000);
    expect(even.estimate()).toEqual({ offsetMs: 5000, rttMs: 40, samples: 1 });
    const odd = new ClockSync(clock);
    await exchange(clock, odd, [30, 10], 5000);
    expect(odd.serverNow() - clock.wall()).toBe(5010);
  });

  test('the shortest of the last eight round trips counts', async () => {
    const clock = new ManualClock();
    const sync = new ClockSync(clock);
    await exchange(clock, sync, [100, 0], 0);
    expect(sync.serverNow() - clock.wall()).toBe(50);
    await exchange(clock, sync, [5, 5], 0);
    expect(sync.serverNow() - clock.wall()).toBe(0);
    for (let k = 0; k < 7; ++k) await exchange(clock, sync, [60, 0], 0);
    expect(sync.serverNow() - clock.wall()).toBe(0);
    await exchange(clock, sync, [60, 0], 0);
    expect(sync.serverNow() - clock.wall()).toBe(30);
  });

  test('a welcome gives a first guess, which no pong of another takes away', async () => {
    const clock = new ManualClock();
    const sync = new ClockSync(clock);
    expect(sync.serverNow()).toBe(clock.wall());
    sync.welcome(clock.wall() + 700);
    expect(sync.serverNow()).toBe(clock.wall() + 700);
    expect(sync.exact).toBe(false);
    expect(sync.end(12345, 1)).toBeNull();
    expect(sync.end(-1, 1)).toBeNull();
    const c = sync.begin();
    expect(sync.end(c, clock.wall())).toBe(0);
    expect(sync.end(c, clock.wall() + 9)).toBeNull();
    expect(sync.exact).toBe(true);
  });

  test('pings without an answer are not kept for ever', () => {
    const sync = new ClockSync(new ManualClock());
    const first = sync.begin();
    for (let k = 0; k < 8; ++k) sync.begin();
    expect(sync.end(first, 1)).toBeNull();
  });
});
