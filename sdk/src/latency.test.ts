import { describe, expect, test } from 'vitest';
import { LatencyMeter, figuresOf } from './latency.ts';
import type { LatencyClass } from './wire.ts';

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
