import { createHash, createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { fromHex, toHex, utf8 } from '../src/bytes.ts';
import { DiceError, parseDice, roll, type Dialect } from '../src/dice.ts';
import { FairDice, commitment, isNonce } from '../src/fairness.ts';
import { Sha256, hmacSha256, sha256 } from '../src/sha256.ts';

interface Golden {
  fairness: {
    seed: string;
    commitment: string;
    episode: string;
    number: number;
    nonce: string;
    block0: string;
    fingerprint: string;
    sides: number[];
    faces: number[];
  }[];
  rolls: {
    seed: string;
    episode: string;
    cases: {
      number: number;
      nonce: string;
      expr: string;
      dialect: Dialect;
      lowest: number;
      highest: number;
      total: number;
      crit: string;
      natural: number;
      capped: boolean;
      dice: [number, number, number][];
    }[];
  };
  errors: { expr: string; dialect: Dialect; code: number; column: number }[];
}

// The same vectors as the server's tests.
const file = new URL('../../../src/episode/golden/dice.json', import.meta.url);
const golden = JSON.parse(readFileSync(file, 'utf8')) as Golden;

describe('SHA-256', () => {
  test('agrees with the platform at every length around the block size', () => {
    for (let length = 0; length < 300; ++length) {
      const bytes = Uint8Array.from({ length }, (_, i) => (i * 31 + length) & 255);
      const expected = createHash('sha256').update(bytes).digest('hex');
      expect(toHex(sha256(bytes))).toBe(expected);
      const cut = new Sha256().update(bytes.subarray(0, length >> 1));
      expect(toHex(cut.update(bytes.subarray(length >> 1)).finish())).toBe(expected);
      const key = bytes.subarray(0, length % 100);
      const mac = createHmac('sha256', key).update(bytes).digest('hex');
      expect(toHex(hmacSha256(key, bytes))).toBe(mac);
    }
  });

  test('gives the vector of FIPS 180-4', () => {
    expect(toHex(sha256(utf8('abc')))).toBe(
      'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    );
  });
});

describe('fair dice', () => {
  test.each(golden.fairness)('roll $number of $episode', (vector) => {
    const seed = fromHex(vector.seed, 32)!;
    expect(toHex(commitment(seed))).toBe(vector.commitment);
    const dice = new FairDice(seed, vector.episode, vector.number, vector.nonce);
    expect(toHex(dice.block(0))).toBe(vector.block0);
    expect(toHex(dice.fingerprint())).toBe(vector.fingerprint);
    expect(vector.sides.map((sides) => dice.face(sides))).toEqual(vector.faces);
  });

  test('a nonce is 16 to 64 lower-case hex digits', () => {
    expect(isNonce('0123456789abcdef')).toBe(true);
    expect(isNonce('f'.repeat(64))).toBe(true);
    for (const bad of ['', 'a'.repeat(15), 'a'.repeat(65), 'ABCDEF0123456789', 'g'.repeat(16)]) {
      expect(isNonce(bad)).toBe(false);
    }
  });
});

describe('dice expressions', () => {
  test.each(golden.rolls.cases)('$expr in $dialect', (vector) => {
    const expr = parseDice(vector.expr, vector.dialect);
    expect([expr.lowest + 0, expr.highest + 0]).toEqual([vector.lowest, vector.highest]);
    const seed = fromHex(golden.rolls.seed, 32)!;
    const faces = new FairDice(seed, golden.rolls.episode, vector.number, vector.nonce);
    const result = roll(expr, faces);
    const dice = result.dice.map((die) => [
      die.sides,
      die.value,
      Number(die.kept) + 2 * Number(die.exploded) + 4 * Number(die.rerolled),
    ]);
    expect(dice).toEqual(vector.dice);
    const { total, crit, natural, capped } = result;
    expect({ total, crit, natural, capped }).toEqual({
      total: vector.total,
      crit: vector.crit,
      natural: vector.natural,
      capped: vector.capped,
    });
  });

  test.each(golden.errors)('refuses "$expr" in $dialect', ({ expr, dialect, code, column }) => {
    let thrown: unknown;
    try {
      parseDice(expr, dialect);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(DiceError);
    expect((thrown as DiceError).code).toBe(code);
    if (column > 0) expect((thrown as DiceError).column).toBe(column);
  });

  test('a roll at the caps ends and says so', () => {
    const sixes = { face: (sides: number) => sides };
    expect(roll(parseDice('1d6x', 'foundry'), sixes).dice.length).toBe(21);
    const many = roll(parseDice('50d6x+50d6x', 'foundry'), sixes);
    expect(many.dice.length).toBe(200);
    expect(many.capped).toBe(true);
  });
});
