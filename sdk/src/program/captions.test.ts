import { describe, expect, it } from 'vitest';
import type { Caption } from '../wire.ts';
import { CaptionsInStep } from './captions.ts';

const caption = (n: number, change: Partial<Caption> = {}): Caption => ({
  n,
  said_ms: 10_000,
  at_ms: 10_000,
  for_ms: 2_000,
  lang: 'en',
  text: `Line ${n}`,
  ...change,
});
const view = (...all: Caption[]): Map<string, Caption> =>
  new Map(all.map((one) => [String(one.n), one]));

describe('CaptionsInStep', () => {
  const of = (...all: Caption[]): CaptionsInStep => {
    const captions = new CaptionsInStep();
    captions.update(view(...all));
    return captions;
  };
  const seen = (captions: CaptionsInStep, shown_ms: number, now_ms: number): number[] =>
    captions.seen({ shown_ms, now_ms }).map(({ n }) => n);

  it('shows a caption with the picture of its words, for its time by that picture', () => {
    const captions = of(caption(1));
    expect(captions.next_ms(8_000)).toBe(10_000);
    expect(seen(captions, 9_999, 12_500)).toEqual([]);
    expect(seen(captions, 10_000, 12_501)).toEqual([1]);
    expect(captions.next_ms(10_000)).toBe(Infinity);
    expect(seen(captions, 11_999, 14_500)).toEqual([1]);
    expect(seen(captions, 12_000, 14_501)).toEqual([]);
  });

  it('shows one that was taken back no longer, nor its language', () => {
    const captions = of(caption(1), caption(2, { lang: 'de' }));
    captions.update(view(caption(1), caption(2, { lang: 'de', text: '', for_ms: 0 })));
    expect(seen(captions, 10_500, 10_500)).toEqual([1]);
    expect(captions.languages).toEqual(['en']);
  });

  it('shows one whose picture was there before it when it comes, as in the call, and for all of its time', () => {
    const captions = of(caption(1, { at_ms: 7_000 }));
    expect(seen(captions, 10_010, 10_010)).toEqual([1]);
    expect(seen(captions, 11_999, 11_999)).toEqual([1]);
    expect(seen(captions, 12_000, 12_000)).toEqual([]);
    // Two seconds late, it came three after its words.
    expect(seen(captions, 8_010, 10_010)).toEqual([1]);
    expect(seen(captions, 10_000, 12_000)).toEqual([]);
  });

  it('waits on while the picture stands', () => {
    const captions = of(caption(1));
    expect(seen(captions, 11_000, 60_000)).toEqual([1]);
  });

  it('shows several in the order of their words, whatever the order they were said in', () => {
    const captions = of(caption(1), caption(2, { at_ms: 9_500 }), caption(3));
    expect(seen(captions, 10_500, 12_500)).toEqual([2, 1, 3]);
  });

  it('shows who joins late none of the old ones but what is due', () => {
    const captions = of(
      caption(1, { at_ms: 1_000, said_ms: 2_000 }),
      caption(2, { at_ms: 9_000, said_ms: 9_500 }),
      caption(3, { at_ms: 11_500, said_ms: 12_000 }),
    );
    expect(seen(captions, 10_500, 12_500)).toEqual([2]);
  });

  it('keeps what the server has forgotten for who is late, and so many at most', () => {
    const captions = of(caption(1));
    captions.update(view(caption(2)));
    expect(seen(captions, 10_000, 13_000)).toEqual([1, 2]);
    for (let n = 3; n < 1_000; ++n) captions.update(view(caption(n)));
    expect(seen(captions, 10_000, 13_000)).toHaveLength(200);
  });

  it('shows those of a recording wherever it is, back and forth', () => {
    const captions = of(caption(1));
    captions.recorded([
      { n: 1, at_ms: 10_000, for_ms: 2_000, lang: 'en', text: 'One' },
      { n: 2, at_ms: 20_000, for_ms: 2_000, lang: 'de', text: 'Zwei' },
    ]);
    const now_ms = 90_000;
    const at = (shown_ms: number): number[] => seen(captions, shown_ms, now_ms);
    expect([at(9_999), at(10_500), at(12_000), at(20_500), at(10_500)]).toEqual([
      [],
      [1],
      [],
      [2],
      [1],
    ]);
    expect(captions.languages).toEqual(['en', 'de']);
  });

  it('knows no language before there is a caption', () => {
    expect(new CaptionsInStep().languages).toEqual([]);
    expect(of(caption(1), caption(2, { lang: 'de' }), caption(3)).languages).toEqual(['en', 'de']);
  });
});
