import { describe, expect, test, vi } from 'vitest';
import { advisedMs, fullJitterMs } from './backoff.ts';
import { ClockSync } from './clock_sync.ts';
import { ManualClock, seededRandom } from './fake/index.ts';
import { utf8Length } from './ids.ts';
import { figuresOf, LatencyMeter } from './latency.ts';
import { Emitter, Family, Value } from './readable.ts';
import { Reactions } from './reactions.ts';
import { TallyStore } from './tally_store.ts';
import { Timers } from './timers.ts';
import { readClaims } from './token.ts';
import type { LatencyClass } from './wire.ts';

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

describe('latencies', () => {
  const collect = (): [LatencyMeter, [LatencyClass, number][]] => {
    const seen: [LatencyClass, number][] = [];
    return [new LatencyMeter((of, ms) => seen.push([of, ms])), seen];
  };

  test('a vote is measured from the click to the first tally that contains it', () => {
    const [meter, seen] = collect();
    meter.voteConfirmed('fork', 1000, 50);
    meter.tallySeen('fork', 49, 1100);
    meter.tallySeen('other', 99, 1150);
    expect(seen).toEqual([]);
    meter.tallySeen('fork', 50, 1200);
    meter.tallySeen('fork', 51, 1300);
    expect(seen).toEqual([['vote', 200]]);
  });

  test('a tally that overtook the confirmation counts from when it came', () => {
    const [meter, seen] = collect();
    meter.tallySeen('fork', 49, 1010);
    meter.tallySeen('fork', 51, 1080);
    meter.tallySeen('fork', 60, 1180);
    meter.voteConfirmed('fork', 1000, 50);
    expect(seen).toEqual([['vote', 80]]);
  });

  test('a tally from before the click never counts, and none in 30 s gives up', () => {
    const [meter, seen] = collect();
    meter.tallySeen('fork', 99, 900);
    meter.voteConfirmed('fork', 1000, 50);
    meter.tallySeen('fork', 100, 40_000);
    expect(seen).toEqual([]);
  });

  test('a reaction is measured from the first click to the sum that has it', () => {
    const [meter, seen] = collect();
    meter.reactionSent('heart', 0);
    meter.reactionSent('heart', 100);
    meter.reactionsSeen(['clap'], 200);
    meter.reactionsSeen(['heart'], 260);
    meter.reactionsSeen(['heart'], 500);
    expect(seen).toEqual([['reaction', 260]]);
  });

  test('a report holds at most 64, the newest, in whole milliseconds, and once', () => {
    const [meter] = collect();
    for (let k = 0; k < 100; ++k) meter.add('rtt', k + 0.4);
    meter.add('command', -3);
    const report = meter.takeReport();
    expect(report).toHaveLength(64);
    expect(report[0]).toEqual(['rtt', 37]);
    expect(report.at(-1)).toEqual(['command', 0]);
    expect(meter.takeReport()).toEqual([]);
    expect(meter.figures().rtt).toMatchObject({ n: 100, max: 99.4 });
  });

  test('percentiles are by nearest rank', () => {
    const hundred = Array.from({ length: 100 }, (_, k) => k + 1);
    expect(figuresOf(hundred)).toEqual({ n: 100, last: 100, p50: 50, p99: 99, max: 100 });
    expect(figuresOf([7])).toEqual({ n: 1, last: 7, p50: 7, p99: 7, max: 7 });
  });
});

describe('observables', () => {
  test('a subscriber is called at once, at each change, and not after it has ended', () => {
    const value = new Value(1);
    const seen: number[] = [];
    const end = value.subscribe((v) => seen.push(v));
    value.set(1);
    value.set(2);
    end();
    value.set(3);
    expect(seen).toEqual([1, 2]);
  });

  test('one that throws is reported and costs the others nothing', () => {
    const report = vi.spyOn(console, 'error').mockImplementation(() => {});
    const value = new Value(1);
    const seen: number[] = [];
    value.subscribe(() => {
      throw new Error('mine');
    });
    value.subscribe((v) => seen.push(v));
    value.set(2);
    expect(seen).toEqual([1, 2]);
    expect(report).toHaveBeenCalledTimes(2);
    const emitter = new Emitter<{ a: number }>();
    emitter.on('a', () => {
      throw new Error('mine');
    });
    emitter.on('a', (v) => seen.push(v));
    emitter.emit('a', 9);
    expect(seen).toEqual([1, 2, 9]);
    report.mockRestore();
  });

  test('one that ends another in its call is obeyed', () => {
    const value = new Value(0);
    const seen: string[] = [];
    let endSecond = (): void => {};
    value.subscribe((v) => {
      if (v === 1) endSecond();
      seen.push(`a${v}`);
    });
    endSecond = value.subscribe((v) => seen.push(`b${v}`));
    value.set(1);
    expect(seen).toEqual(['a0', 'b0', 'a1']);
  });

  test('a family keeps only what is watched', () => {
    const values = new Map([['x', 1]]);
    const family = new Family<string, number | undefined>((key) => values.get(key));
    const seen: (number | undefined)[] = [];
    const end = family.of('x').subscribe((v) => seen.push(v));
    values.set('x', 2);
    expect(family.of('x').get()).toBe(2);
    family.refresh('x');
    family.refresh('y');
    end();
    values.set('x', 3);
    family.refreshAll();
    expect(seen).toEqual([1, 2]);
    expect(family.of('x').get()).toBe(3);
  });
});

test('tallies: the highest version wins, until versions begin anew', () => {
  const store = new TallyStore();
  const seen: (number | undefined)[] = [];
  store.of('fork').subscribe((tally) => seen.push(tally?.ver));
  const tally = (ver: number) =>
    store.apply({
      ...{ t: 'tally', poll: 'fork', ver, log: ver, counts: [ver], voters: 1 },
      ...{ state: 'open', final: false },
    });
  expect(tally(5)?.counts).toEqual([5]);
  expect(tally(4)).toBeNull();
  expect(tally(5)).toBeNull();
  expect(tally(6)).not.toBeNull();
  store.restart();
  expect(store.of('fork').get()?.ver).toBe(6);
  expect(tally(1)).not.toBeNull();
  expect(tally(1)).toBeNull();
  expect(seen).toEqual([undefined, 5, 6, 1]);
});

test('reactions of one moment are summed by name, within the protocol’s bounds', () => {
  const reactions = new Reactions(seededRandom(1));
  expect(reactions.add('heart', 1)).toBe(true);
  expect(reactions.add('heart', 4)).toBe(true);
  expect(reactions.add('clap', 99)).toBe(true);
  expect(reactions.add('clap', 1)).toBe(false);
  expect(reactions.add('clap', 0)).toBe(false);
  expect(reactions.add('clap', NaN)).toBe(false);
  let i = 10;
  const frame = JSON.parse(reactions.takeFrame(() => i++) ?? '') as { e: unknown[] };
  expect(frame.e).toMatchObject([
    { i: 10, k: 'emote', a: { e: 'heart', n: 5 } },
    { i: 11, k: 'emote', a: { e: 'clap', n: 10 } },
  ]);
  expect(reactions.takeFrame(() => i++)).toBeNull();
  for (let k = 0; k < 16; ++k) expect(reactions.add(`e${k}`, 1)).toBe(true);
  expect(reactions.add('one more', 1)).toBe(false);
});

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

test('a length in UTF-8 is what an encoder makes of it', () => {
  const encoder = new TextEncoder();
  for (const text of ['', 'abc', 'grüße', '€', '🎲', 'a🎲é', '\ud83c', '\udfb2x', '🎲'.repeat(9)]) {
    expect(utf8Length(text), text).toBe(encoder.encode(text).length);
  }
});

test('claims are read from a JWT, and nothing else is', () => {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const token = (claims: unknown): string => `${part({ alg: 'HS256' })}.${part(claims)}.c2ln`;
  expect(readClaims(token({ sub: 'zoë', ep: 'demo', exp: 10 }))).toEqual({
    ...{ sub: 'zoë', ep: 'demo', expMs: 10_000 },
  });
  expect(readClaims(token({ sub: 'a', ep: 'b' }))?.expMs).toBe(Infinity);
  for (const bad of [
    '',
    'x',
    'a.b.c',
    'a.!!.c',
    token(null),
    token([]),
    token({ sub: 1, ep: 2 }),
  ]) {
    expect(readClaims(bad)).toBeNull();
  }
});
