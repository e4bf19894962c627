// Fog of war: which squares the players have seen. Kept as blocks of 8 × 8 squares, one key each with
// 16 hex digits, so that uncovering a room is a few keys and not a few hundred.
import type * as Y from 'yjs';

const kBlock = 8;
const kNothing = '0'.repeat(16);

export type Cell = readonly [x: number, y: number];
type FogMap = Pick<Y.Map<unknown>, 'get' | 'set' | 'delete' | 'keys'>;

const key_of = (x: number, y: number): string =>
  `${Math.floor(x / kBlock)},${Math.floor(y / kBlock)}`;
/** Bit of a square within its block; positive for negative coordinates too. */
const bit_of = (x: number, y: number): number =>
  (((y % kBlock) + kBlock) % kBlock) * kBlock + (((x % kBlock) + kBlock) % kBlock);

function bits_of(value: unknown): bigint {
  return typeof value === 'string' && /^[0-9a-f]{16}$/.test(value) ? BigInt(`0x${value}`) : 0n;
}

export function is_on(fog: FogMap): boolean {
  return fog.get('on') === true;
}

export function is_revealed(fog: FogMap, [x, y]: Cell): boolean {
  return ((bits_of(fog.get(key_of(x, y))) >> BigInt(bit_of(x, y))) & 1n) === 1n;
}

/** Looks many squares up without reading a block twice. */
export function revealed_lookup(fog: FogMap): (x: number, y: number) => boolean {
  const blocks = new Map<string, bigint>();
  return (x, y) => {
    const key = key_of(x, y);
    let bits = blocks.get(key);
    if (bits === undefined) {
      bits = bits_of(fog.get(key));
      blocks.set(key, bits);
    }
    return ((bits >> BigInt(bit_of(x, y))) & 1n) === 1n;
  };
}

/** Uncovers or covers squares; sets only the blocks that change. How many did. */
export function paint_fog(fog: FogMap, cells: Iterable<Cell>, reveal: boolean): number {
  const blocks = new Map<string, bigint>();
  for (const [x, y] of cells) {
    const key = key_of(x, y);
    const bit = 1n << BigInt(bit_of(x, y));
    const bits = blocks.get(key) ?? bits_of(fog.get(key));
    blocks.set(key, reveal ? bits | bit : bits & ~bit);
  }
  let changed = 0;
  for (const [key, bits] of blocks) {
    const value = bits.toString(16).padStart(16, '0');
    if (value === (fog.get(key) ?? kNothing)) continue;
    ++changed;
    if (value === kNothing) fog.delete(key);
    else fog.set(key, value);
  }
  return changed;
}

/** Covers everything again. */
export function cover_all(fog: FogMap): void {
  for (const key of [...fog.keys()]) if (key !== 'on') fog.delete(key);
}

/** The squares a brush of `radius` squares touches around a point. */
export function brush(x: number, y: number, radius: number, [columns, rows]: Cell): Cell[] {
  const cells: Cell[] = [];
  const from = (at: number): number => Math.max(0, Math.floor(at - radius));
  for (let row = from(y); row < Math.min(rows, y + radius + 1); ++row) {
    for (let column = from(x); column < Math.min(columns, x + radius + 1); ++column) {
      const near = Math.hypot(column + 0.5 - x, row + 0.5 - y) <= Math.max(radius, 0.71);
      if (near) cells.push([column, row]);
    }
  }
  return cells;
}
