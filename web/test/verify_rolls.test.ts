// @vitest-environment node
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { check_rolls, type RollsToCheck } from '../src/lib/verify_rolls';

interface Vector {
  episode: string;
  seed: string;
  commitment: string;
  number: number;
  nonce: string;
  fingerprint: string;
  sides: number[];
  faces: number[];
}
const golden = JSON.parse(
  readFileSync(new URL('../../src/episode/golden/dice.json', import.meta.url), 'utf8'),
);
const vectors: RollsToCheck[] = (golden.fairness as Vector[]).map((it) => ({
  episode: it.episode,
  seed: it.seed,
  seed_commit: it.commitment,
  rolls: [
    {
      n: it.number,
      nonce: it.nonce,
      hash: it.fingerprint,
      dice: it.faces.map((value, index) => ({
        sides: it.sides[index] as number,
        value,
        kept: true,
      })),
    },
  ],
}));

describe('rolls recomputed on the page', () => {
  it('agree with every vector shared with the server', async () => {
    expect(vectors.length).toBeGreaterThan(0);
    for (const vector of vectors) {
      const outcome = await check_rolls(vector);
      expect(outcome.commitment).toBe(true);
      expect([...outcome.by_roll.values()]).toEqual([{ state: 'holds', reason: '' }]);
    }
  });
  it('break when anything about the roll is changed', async () => {
    const vector = vectors[0] as RollsToCheck;
    const roll = vector.rolls[0] as RollsToCheck['rolls'][number];
    const [first, ...rest] = roll.dice;
    if (!first) throw new Error('no dice');
    const changed: RollsToCheck[] = [
      { ...vector, episode: 'other' },
      { ...vector, seed: '00'.repeat(32) },
      { ...vector, rolls: [{ ...roll, n: roll.n + 1 }] },
      { ...vector, rolls: [{ ...roll, nonce: 'f'.repeat(32) }] },
      { ...vector, rolls: [{ ...roll, hash: '0'.repeat(64) }] },
      { ...vector, rolls: [{ ...roll, dice: [{ ...first, value: first.value + 1 }, ...rest] }] },
    ];
    for (const it of changed) {
      expect([...(await check_rolls(it)).by_roll.values()][0]?.state).toBe('broken');
    }
  });
  it('say when the seed is not the one that was committed to', async () => {
    const outcome = await check_rolls({ ...(vectors[0] as RollsToCheck), seed: '00'.repeat(32) });
    expect(outcome.commitment).toBe(false);
  });
});
