import { describe, expect, it } from 'vitest';
import * as format from '../src/lib/format';

describe('countdown', () => {
  it('shows 0:00 only when the time is over', () => {
    expect(format.countdown(1)).toBe('0:01');
    expect(format.countdown(0)).toBe('0:00');
    expect(format.countdown(-5000)).toBe('0:00');
  });
  it('grows to hours', () => {
    expect(format.countdown(59_000)).toBe('0:59');
    expect(format.countdown(725_000)).toBe('12:05');
    expect(format.countdown(3_725_000)).toBe('1:02:05');
  });
  it('is spoken in words', () => {
    expect(format.countdown_words(65_000)).toBe('1 minute 5 seconds');
    expect(format.countdown_words(60_000)).toBe('1 minute');
    expect(format.countdown_words(0)).toBe('0 seconds');
  });
});

describe('percentages', () => {
  it('add up to exactly 100 whatever the counts', () => {
    for (const counts of [
      [1, 1, 1],
      [1, 2, 3, 4, 5, 6, 7],
      [999, 1],
      [2, 2, 2, 1],
      [1_000_000, 1, 1],
    ]) {
      expect(format.percentages(counts).reduce((sum, n) => sum + n, 0)).toBe(100);
    }
  });
  it('give the missing point to the largest remainder, the earlier one on a tie', () => {
    expect(format.percentages([1, 1, 1])).toEqual([34, 33, 33]);
    expect(format.percentages([2, 1])).toEqual([67, 33]);
  });
  it('are all zero when nothing was counted', () => {
    expect(format.percentages([0, 0])).toEqual([0, 0]);
    expect(format.percentages([])).toEqual([]);
  });
});

describe('leaders', () => {
  it('names all that tie and none of an empty count', () => {
    expect(format.leaders([3, 5, 5])).toEqual([1, 2]);
    expect(format.leaders([0, 0])).toEqual([]);
    expect(format.leaders([])).toEqual([]);
  });
});

describe('figures', () => {
  it('shorten large counts without rounding past the unit', () => {
    expect(['999', '1k', '12.3k', '100k', '1M', '4.5M']).toEqual(
      [999, 1000, 12_340, 99_960, 999_960, 4_500_000].map(format.short_count),
    );
  });
  it('carry their unit', () => {
    expect(format.latency(84)).toBe('84 ms');
    expect(format.latency(1440)).toBe('1.4 s');
    expect(format.micros(820)).toBe('820 µs');
    expect(format.micros(2410)).toBe('2.4 ms');
    expect(format.bytes(500)).toBe('500 B');
    expect(format.bytes(2048)).toBe('2.0 KiB');
    expect(format.bytes(3 * 1024 * 1024)).toBe('3.0 MiB');
  });
  it('use singular and plural', () => {
    expect(format.plural(1, 'voter')).toBe('1 voter');
    expect(format.plural(1067, 'voter')).toBe('1,067 voters');
  });
  it('sign with a true minus', () => {
    expect([3, -2, 0].map(format.signed)).toEqual(['+3', '−2', '0']);
  });
});

describe('words', () => {
  it('make initials of any script', () => {
    expect(format.initials('Aria Venn')).toBe('AV');
    expect(format.initials('brom')).toBe('B');
    expect(format.initials('Ζωή  Παπά Λη')).toBe('ΖΛ');
    expect(format.initials('')).toBe('');
  });
  it('read identifiers as a person would', () => {
    expect(format.humanize('no_quorum')).toBe('No quorum');
    expect(format.humanize('poll.open')).toBe('Poll open');
  });
  it('keep a hash that is short enough whole', () => {
    expect(format.short_hash('0123456789abcdef', 8)).toBe('01234567…');
    expect(format.short_hash('012345678', 8)).toBe('012345678');
  });
  it('tell how long ago', () => {
    expect(format.ago(0, 59_000)).toBe('just now');
    expect(format.ago(0, 180_000)).toBe('3 min ago');
    expect(format.ago(0, 7_200_000)).toMatch(/^\d\d:\d\d$/);
  });
});
