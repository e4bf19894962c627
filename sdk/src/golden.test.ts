import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { FakeServer, seededRandom } from './fake/index.ts';
import { newTraceparent } from './ids.ts';
import { packed, unpacked } from './boards.ts';
import { createClient } from './index.ts';
import { parseServerMessage } from './parse.ts';
import { readFrame, readWord, writeFrame } from './yjs/messages.ts';

interface Case {
  name: string;
  json: string;
  canonical?: string;
  unknown?: string;
  code?: number;
  tp?: string;
  valid?: boolean;
}

function golden(file: string): Case[] {
  const url = new URL(`../../src/proto/golden/${file}`, import.meta.url);
  return (JSON.parse(readFileSync(url, 'utf8')) as { cases: Case[] }).cases;
}

const withoutEmptyLists = (value: object): object =>
  Object.fromEntries(
    Object.entries(value).filter(([, v]) => !(Array.isArray(v) && v.length === 0)),
  );

test.each(golden('server.json'))('reads what the C++ codec writes: $name', (one) => {
  const read = parseServerMessage(one.json);
  if (one.unknown !== undefined) {
    expect(read).toEqual({ t: 'unknown', of: one.unknown });
    return;
  }
  const want = JSON.parse(one.canonical ?? one.json) as { t: string; me?: object };
  if (want.t === 'ack') expect(withoutEmptyLists(read)).toEqual(withoutEmptyLists(want));
  else if (want.me) expect(read).toMatchObject(want);
  else expect(read).toEqual(want);
});

test.each(golden('server_invalid.json'))('refuses what the C++ codec refuses: $name', (one) => {
  expect(parseServerMessage(one.json).t).toBe('unreadable');
});

test('the frames it sends are those of the golden vectors, byte for byte', async () => {
  const vectors = new Map(golden('client.json').map((one) => [one.name, one.json]));
  const server = new FakeServer({ episode: { polls: { fork: { options: ['a', 'b'] } } } });
  const frames: string[] = [];
  const { WebSocket: Inner } = server.network;
  class Spy extends Inner {
    override send(data: string): void {
      frames.push(data);
      super.send(data);
    }
  }
  const client = createClient(
    server.options(
      { sub: 'ann' },
      { WebSocket: Spy, getToken: () => Promise.resolve(server.token({ sub: 'ann' })) },
    ),
  );
  client.connect();
  await server.clock.until(() => client.state.get().name === 'live');
  client.vote('fork', [1]);
  await server.advance(12_000);
  client.close();
  await server.advance(100);

  /** The vector with the values that differ by nature put in from what was sent. */
  const filled = (name: string, sent: string, patterns: [RegExp, RegExp][]): string => {
    let text = vectors.get(name) ?? '';
    for (const [find, take] of patterns) {
      const value = take.exec(sent)?.[0];
      text = text.replace(find, () => value ?? 'NOT SENT');
    }
    return text;
  };
  const number = /\d+/;
  const hello = frames.find((one) => one.includes('"hello"')) ?? '';
  const token = /"token":"[^"]+"/;
  const cid = /"cid":"[0-9a-f]{16}"/;
  const least = filled('hello with the least', hello, [
    [token, token],
    [cid, cid],
  ]);
  expect(hello).toBe(`${least.slice(0, -1)},"client":"sdk/0.1.0"}`);
  const vote = frames.find((one) => one.includes('poll.vote')) ?? '';
  const tp = /00-[0-9a-f]{32}-[0-9a-f]{16}-01/;
  expect(vote).toBe(filled('one vote', vote, [[tp, tp]]).replace('"i":17', '"i":1'));
  const ping = frames.find((one) => one.includes('ping')) ?? '';
  expect(ping).toBe(`{"t":"ping","c":${number.exec(ping)?.[0]}}`);
  const lat = frames.find((one) => one.includes('"lat"')) ?? '';
  expect(lat).toMatch(/^\{"t":"lat","m":\[(\["(vote|command|reaction|delta|rtt)",\d+\],?)+\]\}$/);
  expect(frames.at(-1)).toBe('{"t":"bye"}');
  expect([...vectors.values()]).toContain('{"t":"bye"}');
});

test('a resuming hello is that of the golden vectors', async () => {
  const vectors = new Map(golden('client.json').map((one) => [one.name, one.json]));
  const want = JSON.parse(vectors.get('hello with everything') ?? '') as object;
  const server = new FakeServer();
  const client = createClient(server.options({ sub: 'ann' }));
  client.connect();
  await server.clock.until(() => client.state.get().name === 'live');
  server.disconnect();
  await server.clock.until(() => server.history.length === 2);
  const hello = server.history[1]?.hello ?? {};
  expect(Object.keys(hello)).toEqual(Object.keys(want));
  expect(hello).toMatchObject({ resume: { epoch: 1, off: 0 } });
  client.close();
});

test('a traceparent it makes is one the vectors call valid, and never the same twice', () => {
  const valid = golden('traceparent.json').filter((one) => one.valid && one.tp?.startsWith('00-'));
  const shape = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;
  for (const one of valid) expect(one.tp).toMatch(shape);
  const random = seededRandom(7);
  const made = Array.from({ length: 1000 }, () => newTraceparent(random));
  for (const one of made) expect(one).toMatch(shape);
  expect(new Set(made).size).toBe(1000);
  const zeros = { unit: () => 0, bytes: (n: number) => new Uint8Array(n) };
  expect(newTraceparent(zeros)).toMatch(shape);
});

interface FrameCase {
  name: string;
  board: string;
  kind: string;
  payload: string;
  message: string;
  frame: string;
}
const frames = JSON.parse(
  readFileSync(new URL('../../src/proto/golden/board_frames.json', import.meta.url), 'utf8'),
) as { cases: FrameCase[]; bad: FrameCase[] };
const bytes = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'));
const hex = (of: Uint8Array): string => Buffer.from(of).toString('hex');

test.each(frames.cases)('reads and writes a board as the C++ codec does: $name', (one) => {
  const read = readFrame(bytes(one.message));
  expect(read?.kind).toBe(one.kind);
  if (!read) return;
  const payload = read.kind === 'step1' ? read.vector : 'update' in read ? read.update : bytes('');
  expect(hex(payload)).toBe(one.payload);
  expect(hex(writeFrame(read))).toBe(one.message);
  expect(hex(packed(one.board, bytes(one.message)))).toBe(one.frame);
  const back = unpacked(bytes(one.frame));
  expect([back?.id, hex(back?.payload ?? bytes(''))]).toEqual([one.board, one.message]);
});

test.each(frames.bad)('passes over what is no frame of a board: $name', (one) => {
  expect(unpacked(bytes(one.frame))).toBeNull();
});

test('knows every word about a board by its fields', () => {
  const kinds = golden('server.json').flatMap(({ name, json }) => {
    const read = parseServerMessage(json);
    return read.t === 'board' && !('d' in read) ? [[name, readWord(read)?.kind]] : [];
  });
  expect(Object.fromEntries(kinds)).toEqual({
    'a board is open': 'opened',
    'a board that may only be looked at': 'opened',
    'a board that cannot be opened': 'failed',
    'edits of a board are durable': 'ack',
    'the opening of a board dealt with nothing yet': 'ack',
    'an edit of a board is asked for again': 'held',
    'an edit of a board is refused': 'refused',
    'an edit of a board is overruled': 'overruled',
    'a board began anew': 'reset',
  });
});
