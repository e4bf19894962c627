import { describe, expect, it } from 'vitest';
import {
  type Mark,
  type MarkSources,
  marks_of,
  moment_at,
  parse_thumbs,
  place,
  place_in,
  polls_of,
  polls_then,
  scenes_of,
  words_of,
} from '../src/watch/moments';

const kMarks: Mark[] = [
  { at_ms: 500, kind: 'start' },
  { at_ms: 2_000, kind: 'scene', title: 'The gate' },
  { at_ms: 3_000, kind: 'poll', poll: 'fork', title: 'Which?', options: ['Left', 'Right'] },
  { at_ms: 9_000, kind: 'dice', who: 'Aria', expr: '1d20', total: 20, crit: 'hit' },
  {
    ...{ at_ms: 12_000, kind: 'result', poll: 'fork', title: 'Which?' },
    ...{ options: ['Left', 'Right'], counts: [3, 5], voters: 8, winner: 1 },
  },
  { at_ms: 13_000, kind: 'scene', title: 'The bell' },
  { at_ms: 99_000, kind: 'end' },
];
// The recording begins at 1 s wall time and is 20 s long.
const time_of = (at_ms: number): number | null =>
  at_ms < 1000 || at_ms > 21_000 ? null : (at_ms - 1000) / 1000;
const moments = place(kMarks, time_of);

describe('marks of a recording', () => {
  it('stand where the recording shows them, and nowhere else', () => {
    expect(moments.map(({ at_s }) => at_s)).toEqual([1, 2, 8, 11, 12]);
  });
  it('are told in words', () => {
    expect(moments.map(words_of)).toEqual([
      'Scene: The gate',
      'Poll opens: Which?',
      'Aria rolls 1d20: 20, critical hit',
      'Poll closes: “Right” with 5 of 8',
      'Scene: The bell',
    ]);
    expect(words_of({ at_ms: 0, kind: 'result', title: 'Which?', winner: -1 })).toBe(
      'Poll closes: Which? Nobody won.',
    );
  });
  it('make spans of scenes and polls', () => {
    expect(scenes_of(moments, 20)).toEqual([
      { from_s: 1, to_s: 12, words: 'The gate' },
      { from_s: 12, to_s: 20, words: 'The bell' },
    ]);
    expect(polls_of(moments, 20)).toEqual([
      { from_s: 2, to_s: 11, words: 'Poll closes: “Right” with 5 of 8' },
    ]);
    expect(polls_of(moments.slice(0, 2), 20)[0]?.to_s).toBe(20);
  });
  it('say how polls stood at a moment', () => {
    expect(polls_then(moments, 1.5)).toEqual([]);
    expect(polls_then(moments, 8)[0]).toMatchObject({ title: 'Which?', counts: null });
    expect(polls_then(moments, 11)[0]).toMatchObject({ counts: [3, 5], winner: 1, voters: 8 });
  });
  it('know which one was last', () => {
    expect(moment_at(moments, 0)).toBe(-1);
    expect(moment_at(moments, 8)).toBe(2);
    expect(moment_at(moments, 100)).toBe(4);
  });
});

describe('marks of a live program', () => {
  const about = { title: 'Which?', options: ['Left', 'Right'], deadline_ms: 12_000 };
  const result = { counts: [3, 5], voters: 8, winner: 1 };
  const sources = {
    story: new Map([
      ['1', { n: 1, at_ms: 2_000, scene: 'gate', title: 'The gate' }],
      ['2', { n: 2, at_ms: 13_000, scene: 'bell', title: 'The bell' }],
    ]),
    polls: new Map([
      ['fork', { ...about, opened_ms: 3_000, result }],
      ['ready', { ...about, opened_ms: 0, result: null }],
      ['open', { ...about, title: 'Ring?', opened_ms: 8_000, deadline_ms: 0, result: null }],
    ]),
    rolls: new Map([
      ['1', { n: 1, at_ms: 9_000, char: 'a', name: 'Ann', expr: '1d20', total: 20, crit: 'hit' }],
      ['2', { n: 2, at_ms: 9_500, name: 'Gale', expr: '1d4', total: 1, crit: '', secret: true }],
    ]),
    characters: new Map([['a', { name: 'Aria' }]]),
  } as unknown as MarkSources;
  it('are what the view tells: scenes, polls and their results, dice, nothing secret', () => {
    expect(marks_of(sources).map((mark) => [mark.at_ms, words_of(mark)])).toEqual([
      [2_000, 'Scene: The gate'],
      [3_000, 'Poll opens: Which?'],
      [8_000, 'Poll opens: Ring?'],
      [9_000, 'Aria rolls 1d20: 20, critical hit'],
      [12_000, 'Poll closes: “Right” with 5 of 8'],
      [13_000, 'Scene: The bell'],
    ]);
  });
  it('stand in what is kept; what it begins in stands at its beginning', () => {
    const from = (from_ms: number, to_ms = 12_500) =>
      place_in(
        marks_of(sources),
        (at_ms) => (at_ms < from_ms || at_ms > to_ms ? null : at_ms / 1000),
        { from_s: from_ms / 1000, from_ms },
      ).map((one) => [one.at_s, one.kind, one.title]);
    expect(from(9_200)).toEqual([
      [9.2, 'scene', 'The gate'],
      [9.2, 'poll', 'Which?'],
      [9.2, 'poll', 'Ring?'],
      [12, 'result', 'Which?'],
    ]);
    expect(from(12_400)).toEqual([
      [12.4, 'scene', 'The gate'],
      [12.4, 'poll', 'Ring?'],
    ]);
  });
});

describe('small pictures', () => {
  it('are read from WebVTT, with addresses as told from it', () => {
    const vtt =
      'WEBVTT\n\n00:00:00.000 --> 00:00:05.500\ne1/t0.jpg\n\n01:00:05.500 --> 01:00:10.000\ne1/t1.jpg\n';
    expect(parse_thumbs(vtt, 'http://h/v1/program/x/thumbs.vtt')).toEqual([
      { from_s: 0, to_s: 5.5, url: 'http://h/v1/program/x/e1/t0.jpg' },
      { from_s: 3605.5, to_s: 3610, url: 'http://h/v1/program/x/e1/t1.jpg' },
    ]);
    expect(parse_thumbs('not found', 'http://h/')).toEqual([]);
  });
});
