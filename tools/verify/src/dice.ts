/** Dice expressions and their results, from docs/formats/dice.md alone. */
import { utf8 } from './bytes.ts';

export type Dialect = 'foundry' | 'bang';

export interface Die {
  sides: number; // 0: a fate die
  value: number;
  kept: boolean;
  exploded: boolean;
  rerolled: boolean;
}

export interface CritRule {
  sides: number; // 0: off
  hit_from: number;
  miss_to: number;
}

export interface Roll {
  dice: Die[];
  total: number;
  crit: '' | 'hit' | 'miss';
  natural: number;
  capped: boolean;
}

export interface Faces {
  /** Uniform in 1..sides. */
  face(sides: number): number;
}

export class DiceError extends Error {
  constructor(
    readonly code: 4400 | 4401,
    readonly column: number, // from 1, in bytes; 0: none
    what: string,
  ) {
    super(column > 0 ? `column ${column}: ${what}` : what);
  }
}

type Test = { sign: string; target: number };
type Chain = 'once' | 'again' | 'compound';
type Selection = { keep: boolean; high: boolean; count: number };

interface Pool {
  count: number;
  sides: number;
  reroll?: { chain: Chain; test: Test };
  explode?: { chain: Chain; test: Test };
  selections: Selection[];
  success?: Test;
  failure?: Test;
}

type Node =
  | { kind: 'number'; value: number; low: number; high: number; dice: false }
  | { kind: 'pool'; pool: Pool; low: number; high: number; dice: true }
  | { kind: 'negate'; a: Node; low: number; high: number; dice: boolean }
  | { kind: '+' | '-' | '*' | '/'; a: Node; b: Node; low: number; high: number; dice: boolean };

export interface DiceExpr {
  root: Node;
  dice: number; // as written
  lowest: number;
  highest: number;
}

const MOST_BYTES = 200;
const MOST_DEPTH = 16;
const MOST_DICE = 100;
const MOST_SIDES = 1000;
const MOST_SELECTIONS = 4;
const MOST_NUMBER = 1_000_000;
const MOST_VALUE = 1_000_000_000_000;
const MOST_CHAIN = 20;
const MOST_DRAWN = 200;

function holds(test: Test | undefined, value: number): boolean {
  switch (test?.sign) {
    case '=':
      return value === test.target;
    case '<':
      return value < test.target;
    case '<=':
      return value <= test.target;
    case '>':
      return value > test.target;
    case '>=':
      return value >= test.target;
    default:
      return false;
  }
}

const lowestFace = (pool: Pool) => (pool.sides === 0 ? -1 : 1);
const highestFace = (pool: Pool) => (pool.sides === 0 ? 1 : pool.sides);

function holdsAlways(test: Test, pool: Pool): boolean {
  for (let face = lowestFace(pool); face <= highestFace(pool); ++face) {
    if (!holds(test, face)) return false;
  }
  return true;
}

/** dice.md, "Bounds of a sub-expression". */
function poolBounds(pool: Pool): [number, number] {
  const left = (dice: number) =>
    pool.selections.reduce(
      (n, s) => (s.keep ? Math.min(s.count, n) : n - Math.min(s.count, n)),
      dice,
    );
  const links = pool.explode?.chain === 'once' ? 1 : MOST_CHAIN;
  const most = Math.min(pool.count * (1 + links), MOST_DRAWN);
  const few = left(pool.count);
  const adds = pool.explode !== undefined && pool.explode.chain !== 'compound';
  const many = adds ? left(most) : few;
  const faces = pool.explode?.chain === 'compound' ? most : many;
  if (pool.success) return [pool.failure ? 0 - many : 0, many];
  if (pool.sides === 0) return [0 - Math.max(many, pool.explode ? faces : many), faces];
  return [Math.min(few, many), faces * pool.sides];
}

class Parser {
  private at = 0;
  private dice = 0;
  private readonly text: string; // one character per byte

  constructor(
    text: string,
    private readonly dialect: Dialect,
  ) {
    const bytes = utf8(text);
    if (bytes.length > MOST_BYTES) throw new DiceError(4401, 0, 'longer than 200 bytes');
    this.text = String.fromCharCode(...bytes);
  }

  parse(): DiceExpr {
    const root = this.sum(0);
    this.blanks();
    if (this.at < this.text.length) this.wrong(this.at, 'expected an operator or the end');
    return { root, dice: this.dice, lowest: root.low, highest: root.high };
  }

  private wrong(at: number, what: string): never {
    throw new DiceError(4400, at + 1, what);
  }
  private tooLarge(at: number, what: string): never {
    throw new DiceError(4401, at + 1, what);
  }

  private blanks(): void {
    this.match(/[ \t]*/y);
  }
  private match(pattern: RegExp): string | null {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (found === null) return null;
    this.at += found[0].length;
    return found[0].toLowerCase();
  }
  private number(most: number, what: string): number {
    const start = this.at;
    const digits = this.match(/[0-9]+/y);
    if (digits === null) this.wrong(start, 'expected a number');
    const value = Number(digits);
    if (value > most) this.tooLarge(start, what);
    return value;
  }

  private sum(depth: number): Node {
    let left = this.product(depth);
    for (;;) {
      this.blanks();
      const at = this.at;
      const sign = this.match(/[+-]/y);
      if (sign === null) return left;
      left = this.combine(sign as '+' | '-', left, this.product(depth), at);
    }
  }

  private product(depth: number): Node {
    let left = this.signed(depth);
    for (;;) {
      this.blanks();
      const at = this.at;
      const sign = this.match(/[*/]/y);
      if (sign === null) return left;
      left = this.combine(sign as '*' | '/', left, this.signed(depth), at);
    }
  }

  private combine(kind: '+' | '-' | '*' | '/', a: Node, b: Node, at: number): Node {
    let corners: number[];
    if (kind === '+') corners = [a.low + b.low, a.high + b.high];
    else if (kind === '-') corners = [a.low - b.high, a.high - b.low];
    else if (kind === '*') {
      corners = [a.low * b.low, a.low * b.high, a.high * b.low, a.high * b.high];
    } else {
      if (b.dice || b.low === 0) this.wrong(at, 'the divisor must be a constant other than 0');
      corners = [Math.floor(a.low / b.low), Math.floor(a.high / b.low)];
    }
    const low = Math.min(...corners);
    const high = Math.max(...corners);
    if (low < -MOST_VALUE || high > MOST_VALUE) this.tooLarge(at, 'the result could be too large');
    return { kind, a, b, low, high, dice: a.dice || b.dice };
  }

  private signed(depth: number): Node {
    this.blanks();
    if (depth > MOST_DEPTH) this.tooLarge(this.at, 'nested too deep');
    const sign = this.match(/[+-]/y);
    if (sign === null) return this.atom(depth);
    const a = this.signed(depth + 1);
    return sign === '+' ? a : { kind: 'negate', a, low: 0 - a.high, high: 0 - a.low, dice: a.dice };
  }

  private atom(depth: number): Node {
    this.blanks();
    const start = this.at;
    if (this.match(/\(/y)) {
      const inner = this.sum(depth + 1);
      this.blanks();
      if (!this.match(/\)/y)) this.wrong(this.at, 'expected ")"');
      return inner;
    }
    const word = this.match(/adv|dis/iy);
    if (word !== null) {
      const both = { keep: true, high: word === 'adv', count: 1 };
      return this.finish({ count: 2, sides: 20, selections: [both] }, start);
    }
    let count = 1;
    if (/[0-9]/.test(this.text[this.at] ?? '')) {
      count = this.number(MOST_NUMBER, 'a number above 1000000');
      this.blanks();
      if (!/d/i.test(this.text[this.at] ?? '')) {
        return { kind: 'number', value: count, low: count, high: count, dice: false };
      }
    }
    if (!this.match(/d/iy)) this.wrong(this.at, 'expected a number, dice or "("');
    this.blanks();
    if (count < 1) this.wrong(start, 'at least one die');
    if (count > MOST_DICE) this.tooLarge(start, 'more than 100 dice');
    const sidesAt = this.at;
    let sides: number;
    if (this.match(/%/y)) sides = 100;
    else if (this.match(/f/iy)) sides = 0;
    else {
      sides = this.number(MOST_SIDES, 'more than 1000 sides');
      if (sides === 0) this.wrong(sidesAt, 'at least one side');
    }
    return this.finish({ count, sides, selections: [] }, start);
  }

  private finish(pool: Pool, start: number): Node {
    while (this.modifier(pool));
    if (pool.failure && !pool.success) this.wrong(start, 'sf needs cs');
    this.dice += pool.count;
    if (this.dice > MOST_DICE) this.tooLarge(start, 'more than 100 dice');
    const [low, high] = poolBounds(pool);
    return { kind: 'pool', pool, low, high, dice: true };
  }

  private modifier(pool: Pool): boolean {
    this.blanks();
    const at = this.at;
    const word = this.match(/adv|dis|rr|ro|r|xo|x|!!|!o|!|cs|cf|sf|kh|kl|k|dh|dl|d/iy);
    if (word === null) return false;
    switch (word) {
      case 'adv':
      case 'dis':
        if (pool.count !== 1 || pool.explode || pool.selections.length > 0) {
          this.wrong(at, `${word} belongs to a single die`);
        }
        pool.count = 2;
        this.select(pool, { keep: true, high: word === 'adv', count: 1 }, at);
        return true;
      case 'r':
      case 'rr':
      case 'ro':
        this.reroll(pool, word, at);
        return true;
      case 'cs':
      case 'cf':
        if (pool.success) this.wrong(at, 'a second count');
        pool.success = this.test(pool, null);
        return true;
      case 'sf':
        if (pool.failure) this.wrong(at, 'a second count');
        pool.failure = this.test(pool, null);
        return true;
      default:
        if (/^[x!]/.test(word)) this.explode(pool, word, at);
        else this.selection(pool, word, at);
        return true;
    }
  }

  private reroll(pool: Pool, word: 'r' | 'rr' | 'ro', at: number): void {
    const foundry = this.dialect === 'foundry';
    if (word === (foundry ? 'ro' : 'rr')) this.wrong(at, `${word} is of the other dialect`);
    if (pool.reroll) this.wrong(at, 'a second reroll');
    const chain = word === 'ro' || (foundry && word === 'r') ? 'once' : 'again';
    const test = this.test(pool, lowestFace(pool));
    if (chain === 'again' && holdsAlways(test, pool)) this.tooLarge(at, 'rerolled without end');
    pool.reroll = { chain, test };
  }

  private explode(pool: Pool, word: string, at: number): void {
    if (word.startsWith('x') !== (this.dialect === 'foundry')) {
      this.wrong(at, `${word} is of the other dialect`);
    }
    if (pool.explode) this.wrong(at, 'a second explosion');
    const chain = word === '!!' ? 'compound' : word.endsWith('o') ? 'once' : 'again';
    const test = this.test(pool, highestFace(pool));
    if (chain !== 'once' && holdsAlways(test, pool)) this.tooLarge(at, 'explodes without end');
    pool.explode = { chain, test };
  }

  private selection(pool: Pool, word: string, at: number): void {
    let count = 1;
    if (/[0-9]/.test(this.text[this.at] ?? '')) {
      count = this.number(MOST_DICE, 'more than 100 dice');
      if (count === 0) this.wrong(at, 'at least one die must be kept or dropped');
    } else if (word === 'd') {
      this.wrong(this.at, 'expected dh, dl or a number');
    }
    this.select(pool, { keep: word[0] === 'k', high: word === 'k' || word[1] === 'h', count }, at);
  }

  private select(pool: Pool, selection: Selection, at: number): void {
    if (pool.selections.length === MOST_SELECTIONS) this.tooLarge(at, 'more than 4 selections');
    pool.selections.push(selection);
  }

  private test(pool: Pool, otherwise: number | null): Test {
    this.blanks();
    const sign = this.match(/<=|>=|<|>|=/y);
    if (sign === null && !/[0-9]/.test(this.text[this.at] ?? '')) {
      if (otherwise === null) this.wrong(this.at, 'expected a condition');
      return { sign: '=', target: otherwise };
    }
    if (sign !== null) this.blanks();
    const negative = sign !== null && pool.sides === 0 && this.match(/-/y) !== null;
    const target = this.number(MOST_NUMBER, 'a number above 1000000');
    return { sign: sign ?? '=', target: negative ? -target : target };
  }
}

export function parseDice(text: string, dialect: Dialect): DiceExpr {
  return new Parser(text, dialect).parse();
}

class Roller {
  readonly dice: Die[] = [];
  capped = false;
  private spare: number;

  constructor(
    expr: DiceExpr,
    private readonly faces: Faces,
  ) {
    this.spare = MOST_DRAWN - expr.dice;
  }

  value(node: Node): number {
    switch (node.kind) {
      case 'number':
        return node.value;
      case 'pool':
        return this.pool(node.pool);
      case 'negate':
        return 0 - this.value(node.a);
      default: {
        const a = this.value(node.a);
        const b = this.value(node.b);
        if (node.kind === '+') return a + b;
        if (node.kind === '-') return a - b;
        return node.kind === '*' ? a * b : Math.floor(a / b);
      }
    }
  }

  private pool(pool: Pool): number {
    const first = this.dice.length;
    for (let i = 0; i < pool.count; ++i) this.die(pool);
    const mine = this.dice.slice(first);
    for (const selection of pool.selections) {
      // Highest first; among equal dice the earlier is the higher (sort is stable).
      const ranked = mine.filter((die) => die.kept).sort((a, b) => b.value - a.value);
      if (!selection.high) ranked.reverse();
      ranked.forEach((die, i) => (die.kept = i < selection.count === selection.keep));
    }
    return mine.reduce((sum, die) => sum + (die.kept ? worth(pool, die.value) : 0), 0);
  }

  private die(pool: Pool): void {
    let face = this.draw(pool);
    let die: Die = this.made(pool, face);
    for (let n = 0; pool.explode && holds(pool.explode.test, face); ++n) {
      if (!this.more(pool.explode.chain, n)) break;
      die.exploded = true;
      if (pool.explode.chain === 'compound') {
        face = this.draw(pool);
        die.value += face;
      } else {
        this.dice.push(die);
        face = this.draw(pool);
        die = this.made(pool, face);
      }
    }
    this.dice.push(die);
  }

  private draw(pool: Pool): number {
    let face = this.face(pool);
    for (let n = 0; pool.reroll && holds(pool.reroll.test, face); ++n) {
      if (!this.more(pool.reroll.chain, n)) break;
      this.dice.push({ ...this.made(pool, face), kept: false, rerolled: true });
      face = this.face(pool);
    }
    return face;
  }

  /** Whether a chain whose condition holds may take its link number `n`. */
  private more(chain: Chain, n: number): boolean {
    if (chain === 'once' && n === 1) return false;
    if (n === MOST_CHAIN || this.spare === 0) {
      this.capped = true;
      return false;
    }
    --this.spare;
    return true;
  }

  private face(pool: Pool): number {
    return pool.sides === 0 ? this.faces.face(3) - 2 : this.faces.face(pool.sides);
  }
  private made(pool: Pool, value: number): Die {
    return { sides: pool.sides, value, kept: true, exploded: false, rerolled: false };
  }
}

function worth(pool: Pool, value: number): number {
  if (!pool.success) return value;
  if (holds(pool.failure, value)) return -1;
  return holds(pool.success, value) ? 1 : 0;
}

export const USUAL_CRIT: CritRule = { sides: 20, hit_from: 20, miss_to: 1 };

export function roll(expr: DiceExpr, faces: Faces, rule: CritRule = USUAL_CRIT): Roll {
  const roller = new Roller(expr, faces);
  const total = roller.value(expr.root);
  const judged = roller.dice.filter(
    (die) => die.kept && rule.sides > 0 && die.sides === rule.sides,
  );
  const natural = judged.length === 1 ? judged[0]!.value : 0;
  let crit: Roll['crit'] = '';
  if (judged.length === 1) {
    crit = natural >= rule.hit_from ? 'hit' : natural <= rule.miss_to ? 'miss' : '';
  }
  // Adding 0 turns -0 into 0.
  return { dice: roller.dice, total: total + 0, crit, natural, capped: roller.capped };
}
