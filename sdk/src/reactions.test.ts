import { expect, test } from 'vitest';
import { seededRandom } from './fake/index.ts';
import { Reactions } from './reactions.ts';

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
