/** The rolls of an export, kept until the seed is known, then derived again. */
import { fromHex, toHex } from './bytes.ts';
import { DiceError, parseDice, roll, type CritRule, type Die } from './dice.ts';
import { FairDice, commitment, isNonce } from './fairness.ts';
import { bool, int, list, text, type Json } from './json.ts';

export interface Outcome {
  seq: number;
  line: number;
  wrong: string | null;
}

interface Kept {
  seq: number;
  line: number;
  data: Json;
}

export class Dice {
  seed: string | null = null;
  private readonly kept: Kept[] = [];
  private readonly outcomes: Outcome[] = [];
  private readonly nonces = new Set<string>();

  constructor(
    private readonly episode: string,
    private readonly commitment: string,
    private readonly crit: CritRule,
  ) {}

  get rolls(): number {
    return this.kept.length;
  }

  add(seq: number, line: number, data: Json): void {
    this.kept.push({ seq, line, data });
  }

  reveal(seq: number, line: number, seed: string): void {
    const bytes = fromHex(seed, 32);
    let wrong: string | null = null;
    if (!bytes) wrong = 'the revealed seed is malformed';
    else if (toHex(commitment(bytes)) !== this.commitment) {
      wrong = 'the revealed seed is not the one committed to at the start';
    } else this.seed = seed;
    this.outcomes.push({ seq, line, wrong });
  }

  /** One outcome for the seed, and one per roll once the seed is known. */
  check(): Outcome[] {
    const seed = this.seed === null ? null : fromHex(this.seed, 32);
    this.kept.forEach(({ seq, line, data }, index) => {
      let wrong: string | null;
      try {
        wrong = this.plain(data, index) ?? (seed ? this.derived(data, seed) : null);
      } catch (error) {
        wrong = error instanceof Error ? `the roll: ${error.message}` : String(error);
      }
      if (seed || wrong !== null) this.outcomes.push({ seq, line, wrong });
    });
    return this.outcomes;
  }

  /** What can be said without the seed. */
  private plain(data: Json, index: number): string | null {
    const number = int(data, 'n');
    const nonce = text(data, 'nonce');
    if (number !== index + 1) return `roll ${number} stands at place ${index + 1}`;
    if (!isNonce(nonce)) return `roll ${number} has a malformed nonce`;
    if (this.nonces.has(nonce)) return `roll ${number} has a nonce that was used before`;
    this.nonces.add(nonce);
    return null;
  }

  private derived(data: Json, seed: Uint8Array): string | null {
    const number = int(data, 'n');
    const dialect = text(data, 'dialect');
    if (dialect !== 'foundry' && dialect !== 'bang') return `roll ${number} has no dialect`;
    const faces = new FairDice(seed, this.episode, number, text(data, 'nonce'));
    let expr;
    try {
      expr = parseDice(text(data, 'expr'), dialect);
    } catch (error) {
      if (error instanceof DiceError) return `roll ${number} cannot be read: ${error.message}`;
      throw error;
    }
    const result = roll(expr, faces, this.crit);
    if (text(data, 'hash') !== toHex(faces.fingerprint())) {
      return `roll ${number} has another fingerprint than the seed gives`;
    }
    const stated = list(data, 'dice').map(shownDie);
    const expected = result.dice.map(dieText);
    if (stated.join(' ') !== expected.join(' ')) {
      return `roll ${number}: the seed gives ${expected.join(' ')}, the log says ${stated.join(' ')}`;
    }
    const same =
      int(data, 'total') === result.total &&
      text(data, 'crit') === result.crit &&
      int(data, 'natural') === result.natural &&
      bool(data, 'capped') === result.capped;
    return same ? null : `roll ${number} has another result than its dice give: ${result.total}`;
  }
}

function dieText(die: Die): string {
  const marks = `${die.kept ? '' : '-'}${die.exploded ? '!' : ''}${die.rerolled ? 'r' : ''}`;
  return `d${die.sides}=${die.value}${marks}`;
}

function shownDie(json: Json): string {
  return dieText({
    sides: int(json, 'sides'),
    value: int(json, 'value'),
    kept: bool(json, 'kept'),
    exploded: bool(json, 'exploded', false),
    rerolled: bool(json, 'rerolled', false),
  });
}
