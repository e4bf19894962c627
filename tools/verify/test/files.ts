/** Golden exports, made by the server's own `footlight export`, and a builder that makes new ones. */
import { readFileSync } from 'node:fs';
import { fromBase64url, fromUtf8, littleEndian, toBase64url, toHex, utf8 } from '../src/bytes.ts';
import { decodeBallots, receiptOf, shownBallot, type Ballot } from '../src/ballots.ts';
import { KINDS, parseRecord, type Kind } from '../src/lines.ts';
import { sha256 } from '../src/sha256.ts';

export function golden(name: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(`golden/${name}`, import.meta.url)));
}

export interface Entry {
  kind: Kind;
  atMs: number;
  payload: Uint8Array;
}

/** A whole, well-formed export of these records: chain, header and footer are made to fit. */
export function build(entries: readonly Entry[], episode = 'small'): string {
  const polls: string[] = [];
  let chain = new Uint8Array(32);
  let file = `{"footlight":"export","v":1,"episode":"${episode}","records":${entries.length}}\n`;
  entries.forEach(({ kind, atMs, payload }, i) => {
    chain = sha256(
      chain,
      littleEndian(i + 1, 8),
      Uint8Array.of(KINDS[kind]),
      littleEndian(atMs, 8),
      payload,
    ) as Uint8Array<ArrayBuffer>;
    let data: string;
    if (kind === 'ballots') {
      const shown = decodeBallots(payload).map((ballot) => {
        const poll = polls[ballot.poll] ?? '';
        return shownBallot(ballot, poll, receiptOf(ballot, poll));
      });
      data = `[${shown.join(',')}]`;
    } else {
      data = fromUtf8(payload)!;
      const json = JSON.parse(data);
      if (kind === 'genesis') polls.push(...Object.keys(json.definition?.polls ?? {}));
      if (json.k === 'poll.created') polls.push(json.d.poll);
    }
    file +=
      `{"seq":${i + 1},"kind":"${kind}","at_ms":${atMs},"chain":"${toHex(chain)}",` +
      `"payload":"${toBase64url(payload)}","data":${data}}\n`;
  });
  const seal = toHex(sha256(utf8(file)));
  return `${file}{"end":true,"seq":${entries.length},"chain":"${toHex(chain)}","sha256":"${seal}"}\n`;
}

export function entriesOf(file: Uint8Array): Entry[] {
  return fromUtf8(file)!
    .split('\n')
    .map(parseRecord)
    .filter((record) => record !== null)
    .map((record) => ({
      kind: record.kind,
      atMs: Number(record.atMs),
      payload: fromBase64url(record.payload)!,
    }));
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- whatever the log holds
export type Edit = (json: any) => void;

/** The records with every event of kind `k` (or the genesis) edited. */
export function edited(entries: readonly Entry[], k: string, edit: Edit): Entry[] {
  let found = false;
  const out = entries.map((entry) => {
    if (entry.kind === 'ballots') return entry;
    const json = JSON.parse(fromUtf8(entry.payload)!);
    if (json.k !== k && entry.kind !== k) return entry;
    found = true;
    edit(json);
    return { ...entry, payload: utf8(JSON.stringify(json)) };
  });
  if (!found) throw new Error(`there is no ${k} to edit`);
  return out;
}

export function event(k: string, d: object, atMs = 2000): Entry {
  return { kind: 'event', atMs, payload: utf8(JSON.stringify({ k, d })) };
}

export function genesis(definition: object, seedCommit = '0'.repeat(64)): Entry {
  const json = { v: 1, episode: 'small', created_ms: 1000, seed_commit: seedCommit, definition };
  return { kind: 'genesis', atMs: 1000, payload: utf8(JSON.stringify(json)) };
}

function varint(value: number): number[] {
  const out: number[] = [];
  for (; value >= 128; value = Math.floor(value / 128)) out.push((value % 128) + 128);
  return [...out, value];
}

export function block(ballots: readonly Partial<Ballot>[], atMs = 2000): Entry {
  const base = ballots[0]?.edgeMs ?? 2000;
  const bytes: number[] = [1, ...varint(ballots.length), ...littleEndian(base, 8)];
  for (const ballot of ballots) {
    const delta = (ballot.edgeMs ?? base) - base;
    bytes.push(
      ...littleEndian(BigInt(`0x${ballot.who ?? '1'}`), 8),
      ...littleEndian(7, 8),
      ...varint(Number(ballot.i ?? 1)),
      ...varint(ballot.poll ?? 0),
      ...varint(ballot.mask ?? 1),
      ...varint(ballot.n ?? 1),
      ballot.weight ?? 1,
      ballot.flags ?? 0,
      ...varint(ballot.edge ?? 0),
      ...varint(delta < 0 ? -2 * delta - 1 : 2 * delta),
    );
  }
  return { kind: 'ballots', atMs, payload: Uint8Array.from(bytes) };
}
