/** Blocks of ballots and receipts: docs/formats/events.md, "Ballots". */
import { concat, toHex, utf8 } from './bytes.ts';
import { sha256 } from './sha256.ts';

export interface Ballot {
  who: string; // 16 hex digits
  cid: string;
  i: bigint;
  poll: number; // index
  choice: number[]; // option numbers, rising
  mask: number;
  n: number;
  weight: number;
  flags: number;
  edge: number;
  edgeMs: number;
}

const MOST_BALLOTS = 65_536;

class Reader {
  private at = 0;
  private readonly view: DataView;

  constructor(private readonly bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get left(): number {
    return this.bytes.length - this.at;
  }
  u8(): number {
    return this.view.getUint8(this.take(1));
  }
  u64(): bigint {
    return this.view.getBigUint64(this.take(8), true);
  }
  u64Hex(): string {
    const at = this.take(8);
    return toHex(this.bytes.slice(at, at + 8).reverse());
  }
  varint(): bigint {
    let low = 0; // up to 28 bits need no big integer
    let shift = 0;
    let byte = this.u8();
    for (; byte >= 0x80 && shift < 21; byte = this.u8()) {
      low |= (byte & 0x7f) << shift;
      shift += 7;
    }
    if (byte < 0x80) {
      if (byte === 0 && shift > 0) throw new Error('a number is not in its shortest form');
      return BigInt(low | (byte << shift));
    }
    let value = BigInt(low);
    for (let at = BigInt(shift); ; at += 7n, byte = this.u8()) {
      value |= BigInt(byte & 0x7f) << at;
      if (byte < 0x80) {
        if (byte === 0) throw new Error('a number is not in its shortest form');
        if (value >> 64n !== 0n) throw new Error('a number is too large');
        return value;
      }
      if (at >= 63n) throw new Error('a number is too long');
    }
  }
  below(limit: number, what: string): number {
    const value = this.varint();
    if (value >= BigInt(limit)) throw new Error(`${what} is too large`);
    return Number(value);
  }

  private take(size: number): number {
    if (this.left < size) throw new Error('the block ends too early');
    const at = this.at;
    this.at += size;
    return at;
  }
}

function optionsOf(mask: number): number[] {
  const out: number[] = [];
  for (let i = 0; i < 32; ++i) if ((mask >>> i) & 1) out.push(i);
  return out;
}

/** Throws an Error with a sentence when the block is malformed. */
export function decodeBallots(payload: Uint8Array): Ballot[] {
  const reader = new Reader(payload);
  if (reader.u8() !== 1) throw new Error('the block has an unknown version');
  const count = reader.below(MOST_BALLOTS + 1, 'the number of ballots');
  if (count === 0) throw new Error('the block is empty');
  const base = reader.u64();
  const ballots: Ballot[] = [];
  for (let k = 0; k < count; ++k) {
    const who = reader.u64Hex();
    const cid = reader.u64Hex();
    const i = reader.varint();
    const poll = reader.below(2 ** 32, 'a poll index');
    const mask = reader.below(2 ** 32, 'a choice');
    const n = reader.below(2 ** 32, 'a change number');
    const weight = reader.u8();
    const flags = reader.u8();
    const edge = reader.below(2 ** 16, 'an edge number');
    const zigzag = reader.varint();
    const delta = zigzag & 1n ? -((zigzag + 1n) >> 1n) : zigzag >> 1n;
    const edgeMs = BigInt.asIntN(64, base + delta);
    if (edgeMs > BigInt(Number.MAX_SAFE_INTEGER) || edgeMs < -BigInt(Number.MAX_SAFE_INTEGER)) {
      throw new Error('a time is out of range');
    }
    const choice = optionsOf(mask);
    ballots.push({
      who,
      cid,
      i,
      poll,
      choice,
      mask,
      n,
      weight,
      flags,
      edge,
      edgeMs: Number(edgeMs),
    });
  }
  if (reader.left !== 0) throw new Error('bytes follow the last ballot');
  return ballots;
}

const RECEIPT_TAG = utf8('footlight ballot 1\0');

const prefixes = new Map<string, Uint8Array>();

function prefixOf(poll: string): Uint8Array {
  let prefix = prefixes.get(poll);
  if (prefix === undefined) {
    const id = utf8(poll);
    prefix = concat(RECEIPT_TAG, Uint8Array.of(id.length), id);
    prefixes.set(poll, prefix);
  }
  return prefix;
}

const rest = new Uint8Array(28);
const view = new DataView(rest.buffer);

/** The voter's receipt, 32 hex digits. */
export function receiptOf(ballot: Ballot, poll: string): string {
  view.setUint32(0, parseInt(ballot.who.slice(0, 8), 16));
  view.setUint32(4, parseInt(ballot.who.slice(8), 16));
  view.setUint32(8, ballot.n);
  view.setUint32(12, ballot.mask);
  view.setUint8(16, ballot.weight);
  view.setUint8(17, ballot.flags);
  view.setUint16(18, ballot.edge);
  view.setBigInt64(20, BigInt(ballot.edgeMs));
  return toHex(sha256(prefixOf(poll), rest).subarray(0, 16));
}

/** A ballot as the export shows it: docs/formats/export.md. */
export function shownBallot(ballot: Ballot, poll: string, receipt: string): string {
  return (
    `{"poll":${JSON.stringify(poll)},"who":"${ballot.who}","cid":"${ballot.cid}","i":${ballot.i},` +
    `"n":${ballot.n},"choice":[${ballot.choice.join(',')}],"weight":${ballot.weight},` +
    `"flags":${ballot.flags},"edge":${ballot.edge},"edge_ms":${ballot.edgeMs},` +
    `"receipt":"${receipt}"}`
  );
}
