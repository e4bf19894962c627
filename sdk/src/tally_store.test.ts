import { expect, test } from 'vitest';
import { TallyStore } from './tally_store.ts';

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
