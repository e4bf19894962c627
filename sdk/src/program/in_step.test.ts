import { describe, expect, it } from 'vitest';
import type { Poll } from '../wire.ts';
import { allowance_ms, lastMoment_ms, PollsInStep } from './in_step.ts';

const poll = (change: Partial<Poll>): Poll => ({
  title: 'Left or right?',
  options: ['Left', 'Right'],
  kind: 'single',
  max: 1,
  state: 'ready',
  hidden: false,
  changeable: true,
  quorum: 0,
  opened_ms: 0,
  deadline_ms: 0,
  allowance_ms: 3_000,
  weights: { viewer: 1 },
  result: null,
  ...change,
});

describe('PollsInStep', () => {
  it('shows a poll when its picture is on the screen', () => {
    const polls = new PollsInStep();
    polls.update(new Map([['fork', poll({})]]), 1_000);
    const open = poll({ state: 'open', opened_ms: 10_000, deadline_ms: 20_000 });
    polls.update(new Map([['fork', open]]), 10_010);
    expect(polls.seen({ shown_ms: 8_000, now_ms: 10_010 }).get('fork')?.state).toBe('ready');
    expect(polls.seen({ shown_ms: 9_999, now_ms: 12_000 }).get('fork')?.state).toBe('ready');
    const seen = polls.seen({ shown_ms: 10_000, now_ms: 12_000 }).get('fork');
    expect(seen).toMatchObject({ state: 'open', deadline_ms: 22_000 });
  });

  it('does not take back what was seen when the picture becomes later', () => {
    const polls = new PollsInStep();
    polls.update(new Map([['fork', poll({})]]), 1_000);
    const open = poll({ state: 'open', opened_ms: 10_000, deadline_ms: 20_000 });
    polls.update(new Map([['fork', open]]), 10_000);
    expect(polls.seen({ shown_ms: 10_100, now_ms: 10_100 }).get('fork')?.state).toBe('open');
    const later = polls.seen({ shown_ms: 9_000, now_ms: 11_000 }).get('fork');
    expect(later).toMatchObject({ state: 'open', deadline_ms: 22_000 });
  });

  it('is open as long as the server takes the vote, and no longer', () => {
    const polls = new PollsInStep();
    const open = poll({ state: 'open', opened_ms: 10_000, deadline_ms: 20_000 });
    polls.update(new Map([['fork', open]]), 10_000);
    polls.update(new Map([['fork', { ...open, state: 'closing' }]]), 20_000);
    const at = (behind_ms: number, now_ms: number): string | undefined =>
      polls.seen({ shown_ms: now_ms - behind_ms, now_ms }).get('fork')?.state;
    expect(at(0, 20_001)).toBe('closing');
    expect(at(2_000, 21_999)).toBe('open');
    expect(at(2_000, 22_001)).toBe('closing');
    expect(at(9_000, 23_001)).toBe('closing');
  });

  it('says of a poll that is open in the picture when it is over for who is further behind', () => {
    const polls = new PollsInStep();
    polls.update(new Map([['fork', poll({})]]), 1_000);
    const open = poll({ state: 'open', opened_ms: 10_000, deadline_ms: 20_000 });
    polls.update(new Map([['fork', open]]), 10_000);
    polls.update(new Map([['fork', { ...open, state: 'closed' }]]), 23_000);
    const at = (behind_ms: number, now_ms: number) => {
      const seen = polls.seen({ shown_ms: now_ms - behind_ms, now_ms }).get('fork');
      return [seen?.state, seen?.missed];
    };
    expect(at(60_000, 69_000)).toEqual(['ready', undefined]);
    expect(at(60_000, 71_000)).toEqual(['closing', true]);
    expect(at(60_000, 79_000)).toEqual(['closing', true]);
    expect(at(60_000, 80_000)).toEqual(['closing', undefined]); // it closes in the picture too
    expect(at(60_000, 83_000)).toEqual(['closed', undefined]);
  });

  it('is open no longer than the server believes the delay', () => {
    const open = poll({ state: 'open', opened_ms: 10_000, deadline_ms: 20_000 });
    const at = { shown_ms: 18_000, now_ms: 21_000 };
    expect(lastMoment_ms(open, at)).toBe(23_000);
    expect(lastMoment_ms(open, { ...at, claimed_ms: 1_000 })).toBe(21_000);
  });

  it('keeps the result until its picture', () => {
    const polls = new PollsInStep();
    const open = poll({ state: 'open', opened_ms: 10_000, deadline_ms: 20_000 });
    polls.update(new Map([['fork', open]]), 10_000);
    const result = {
      counts: [1, 2],
      voters: 3,
      late: 0,
      winner: 1,
      why: 'votes',
      log: 7,
      chain: '',
    };
    polls.update(new Map([['fork', poll({ ...open, state: 'closed', result } as Poll)]]), 22_050);
    expect(polls.seen({ shown_ms: 20_500, now_ms: 22_500 }).get('fork')).toMatchObject({
      state: 'closing',
      result: null,
    });
    expect(polls.seen({ shown_ms: 22_050, now_ms: 24_050 }).get('fork')?.result?.winner).toBe(1);
  });

  it('shows at once what was there before the viewer came', () => {
    const polls = new PollsInStep();
    polls.update(
      new Map([
        ['old', poll({ state: 'closed', opened_ms: 1_000, deadline_ms: 2_000 })],
        ['now', poll({ state: 'open', opened_ms: 50_000, deadline_ms: 0 })],
      ]),
      60_000,
    );
    const seen = polls.seen({ shown_ms: 57_000, now_ms: 60_000 });
    expect(seen.get('old')?.state).toBe('closed');
    expect(seen.get('now')).toMatchObject({ state: 'open', deadline_ms: 0 });
  });

  it('waits for the picture in which the opening is drawn, within a second', () => {
    const polls = new PollsInStep();
    polls.update(new Map([['fork', poll({})]]), 1_000);
    const open = poll({ state: 'open', opened_ms: 10_000, deadline_ms: 20_000 });
    polls.update(new Map([['fork', open]]), 10_010);
    expect(polls.coming(9_000)).toEqual([{ id: 'fork', opened_ms: 10_000, since_ms: 10_000 }]);
    polls.drawn('fork', 10_000, 60_000); // a lie
    polls.drawn('fork', 9_000, 9_500); // another opening
    expect(polls.coming(9_000)[0]?.since_ms).toBe(10_000);
    polls.drawn('fork', 10_000, 10_230);
    expect(polls.seen({ shown_ms: 10_229, now_ms: 12_000 }).get('fork')?.state).toBe('ready');
    expect(polls.seen({ shown_ms: 10_230, now_ms: 12_000 }).get('fork')?.state).toBe('open');
    expect(polls.coming(10_230)).toEqual([]);
  });

  it('caps the allowance', () => {
    const one = poll({ deadline_ms: 20_000, allowance_ms: 3_000 });
    expect(allowance_ms(one, { shown_ms: 0, now_ms: 60_000 })).toBe(3_000);
    expect(allowance_ms(one, { shown_ms: 500, now_ms: 0 })).toBe(0);
    expect(lastMoment_ms(one, { shown_ms: 8_500, now_ms: 10_000 })).toBe(21_500);
    expect(lastMoment_ms(poll({}), { shown_ms: 0, now_ms: 9 })).toBe(0);
  });
});
