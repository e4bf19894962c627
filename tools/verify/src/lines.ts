/** Lines of an export in their exact form: docs/formats/export.md. */

export interface Header {
  episode: string;
  records: number;
}

export interface RecordLine {
  seq: number;
  kind: Kind;
  atMs: bigint;
  chain: string;
  payload: string; // base64url
  data: string; // as it stands in the line
}

export interface Footer {
  seq: number;
  chain: string;
  sha256: string;
}

export const KINDS = { genesis: 1, event: 2, ballots: 3, epoch: 4 } as const;
export type Kind = keyof typeof KINDS;

const INTEGER = '(0|-?[1-9][0-9]*)';
const HEADER = new RegExp(
  `^\\{"footlight":"export","v":1,"episode":"([A-Za-z0-9_.-]{0,64})","records":${INTEGER}\\}$`,
);
const RECORD = new RegExp(
  `^\\{"seq":${INTEGER},"kind":"(genesis|event|ballots|epoch)","at_ms":${INTEGER},` +
    `"chain":"([0-9a-f]{64})","payload":"([A-Za-z0-9_-]*)","data":`,
);
const FOOTER = new RegExp(
  `^\\{"end":true,"seq":${INTEGER},"chain":"([0-9a-f]{64})","sha256":"([0-9a-f]{64})"\\}$`,
);

function safe(digits: string): number | null {
  const value = Number(digits);
  return Number.isSafeInteger(value) && value >= 0 ? value : null;
}

export function parseHeader(line: string): Header | null {
  const found = HEADER.exec(line);
  const records = found && safe(found[2]!);
  return found && records !== null ? { episode: found[1]!, records } : null;
}

export function parseRecord(line: string): RecordLine | null {
  const found = RECORD.exec(line);
  if (found === null || !line.endsWith('}')) return null;
  const seq = safe(found[1]!);
  const atMs = BigInt(found[3]!);
  if (seq === null || BigInt.asIntN(64, atMs) !== atMs) return null;
  return {
    seq,
    kind: found[2] as Kind,
    atMs,
    chain: found[4]!,
    payload: found[5]!,
    data: line.slice(found[0].length, -1),
  };
}

export function parseFooter(line: string): Footer | null {
  const found = FOOTER.exec(line);
  const seq = found && safe(found[1]!);
  return found && seq !== null ? { seq, chain: found[2]!, sha256: found[3]! } : null;
}
