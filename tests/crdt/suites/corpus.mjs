// The inputs of the fuzz targets, and damaged ones, to yjs and the engine: updates (crdt_update),
// sync messages (crdt_sync), awareness, and lib0 values inside sound updates. CRDT_CORPUS names a
// further folder of inputs, such as build/found after a long run of the fuzzers.
import fs from 'node:fs';
import path from 'node:path';
import * as decoding from 'lib0/decoding';
import * as encoding from 'lib0/encoding';
import * as awarenessProtocol from 'y-protocols/awareness';
import * as syncProtocol from 'y-protocols/sync';
import * as Y from 'yjs';
import { C } from '../lib/commands.mjs';
import { alike, compare, hex, mutate, quietly, taken, twins } from '../lib/damaged.mjs';
import { Prng } from '../lib/prng.mjs';
import { readAny, same } from '../lib/replica.mjs';
import { test } from '../lib/suite.mjs';

const here = path.dirname(new URL(import.meta.url).pathname);
const folders = [path.join(here, '../../fuzz/corpus'), process.env.CRDT_CORPUS].filter(Boolean);

const inputs = (target) =>
  folders
    .map((folder) => path.join(folder, target))
    .filter((folder) => fs.existsSync(folder))
    .flatMap((folder) => fs.readdirSync(folder).map((name) => path.join(folder, name)))
    .filter((file) => fs.statSync(file).isFile() && fs.statSync(file).size < 4096)
    .map((file) => [path.basename(file), new Uint8Array(fs.readFileSync(file))]);

const SEED = Number(process.env.CRDT_SEED ?? '1');
const [COPIES, VALUES, AWARENESS] = [8, 1500, 300]; // damaged copies of an input; values; histories

const fresh = (client) => {
  const doc = new Y.Doc();
  doc.clientID = client;
  const awareness = new awarenessProtocol.Awareness(doc);
  clearInterval(awareness._checkInterval);
  awareness.setLocalState(null);
  return awareness;
};

// --- crdt_update: the first byte names the format, its next bit says that two updates follow.

const updatesIn = (input) => {
  const version = input[0] % 2 === 0 ? 1 : 2;
  const rest = input.subarray(1);
  if (input[0] % 4 < 2 || rest.length === 0) return [version, [rest]];
  const cut = Math.min(rest[0], rest.length - 1);
  return [version, [rest.subarray(1, 1 + cut), rest.subarray(1 + cut)]];
};

// A few bytes of v2 may stand for a million structs, which cost yjs minutes.
const claimsMuch = (session, version, update) => {
  let size = 0;
  if (version === 1) return false;
  session.u(C.convert).u(2).bytes(update);
  taken(session, hex(update), (payload) => {
    size = payload.length;
  });
  return size > 50000;
};

let updates = 0;
test('updates of the fuzz corpus, whole and damaged, do the same in both, or nothing', (session) => {
  const rng = new Prng(SEED, 0xc0);
  for (const [name, input] of inputs('crdt_update')) {
    if (input.length === 0) continue;
    for (let copy = 0; copy <= COPIES; copy++) {
      const doc = twins(session);
      const [version, list] = updatesIn(input);
      for (const update of list) {
        const bytes = copy === 0 ? update : mutate(rng, update);
        if (claimsMuch(session, version, bytes)) continue;
        updates += alike(session, doc, version, bytes, `${name} v${version} ${hex(bytes)}`) ? 1 : 0;
      }
    }
  }
});
test('some updates of the corpus were taken', () => {
  if (updates < 15) throw new Error(`only ${updates}`);
});

// --- crdt_sync: steps that apply updates (below 96) and framed messages (below 160); its edits, a
// byte and a number each, are what random.mjs does better.

const stepsOf = function* (input) {
  const decoder = decoding.createDecoder(input);
  try {
    decoding.readUint8(decoder);
    while (decoding.hasContent(decoder)) {
      const what = decoding.readUint8(decoder);
      if (what >= 160) {
        decoding.readVarUint(decoder);
        continue;
      }
      const size = decoding.readVarUint(decoder);
      const bytes = decoder.arr.slice(decoder.pos, decoder.pos + size);
      decoder.pos += bytes.length;
      yield [what, bytes];
    }
  } catch {
    // cut off: the fuzz target stops here too
  }
};

// y-websocket's treatment of a message; whether it could be read to its end, and the answer.
const received = (doc, message) => {
  const decoder = decoding.createDecoder(message);
  const reply = encoding.createEncoder();
  const kind = decoding.readVarUint(decoder);
  // Messages that later versions may add are passed over here; y-protocols throws.
  if (kind === 0 && decoding.readVarUint(decoding.clone(decoder)) <= 2) {
    encoding.writeVarUint(reply, 0);
    syncProtocol.readSyncMessage(decoder, reply, doc, 'engine', (error) => {
      throw error;
    });
  }
  return encoding.length(reply) > 1 ? encoding.toUint8Array(reply) : new Uint8Array();
};

const messageAlike = (session, doc, message, words) => {
  const before = Y.encodeStateAsUpdate(doc);
  let answer;
  session.u(C.syncRead).u(1).bytes(message);
  const accepted = taken(session, words, (payload) => {
    answer = new Uint8Array(payload);
  });
  if (accepted) {
    let expected;
    try {
      expected = quietly(() => received(doc, message));
    } catch (error) {
      throw new Error(`the engine takes what yjs refuses (${error.message}): ${words}`);
    }
    if (Buffer.compare(answer, expected) !== 0)
      throw new Error(`answers differ:\n yjs ${hex(expected)}\n ours ${hex(answer)}\n${words}`);
  }
  compare(session, doc, accepted ? undefined : before, words);
  return accepted;
};

let messages = 0;
test('sync messages of the fuzz corpus, whole and damaged, do the same in both, or nothing', (session) => {
  const rng = new Prng(SEED, 0xc1);
  for (const [name, input] of inputs('crdt_sync')) {
    for (let copy = 0; copy <= 1; copy++) {
      const doc = twins(session);
      for (const [what, step] of stepsOf(input)) {
        const bytes = copy === 0 ? step : mutate(rng, step);
        const words = `${name} copy ${copy} ${hex(bytes)}`;
        if (what >= 96) {
          messages += messageAlike(session, doc, bytes, words) ? 1 : 0;
        } else {
          const version = what % 2 === 0 ? 1 : 2;
          if (!claimsMuch(session, version, bytes)) alike(session, doc, version, bytes, words);
        }
      }
      // Empty, it means "nothing" to the engine; yjs cannot read it.
      const damaged = mutate(rng, Y.encodeStateVector(doc));
      const vector = damaged.length > 0 ? damaged : Y.encodeStateVector(doc);
      const step1 = encoding.createEncoder();
      encoding.writeVarUint(step1, 0);
      encoding.writeVarUint(step1, 0);
      encoding.writeVarUint8Array(step1, copy === 0 ? Y.encodeStateVector(doc) : vector);
      const asked = encoding.toUint8Array(step1);
      messages += messageAlike(session, doc, asked, `${name} step 1 ${hex(asked)}`) ? 1 : 0;
    }
  }
});
test('some sync messages of the corpus were taken', () => {
  if (messages < 15) throw new Error(`only ${messages}`);
});

// --- awareness

const statesOf = (awareness) =>
  Object.fromEntries(
    [...awareness.getStates()].map(([client, state]) => [client, JSON.stringify(state)]),
  );

// Spelled as JSON.stringify would not, and some that are no JSON.
const SPELLINGS = [
  ...[
    'null',
    ' null ',
    '{}',
    '{ "x" : 1.0 }',
    '{"a":"\\u00e4\\n"}',
    '1e2',
    '[ 1,-0 ]',
    '"s"',
    'true',
  ],
  ...['{"a":1,"a":2}', '{"b":1,"1":2}', '{"a":[0.1,1e21,1e-7]}', 'nul', '', '{"a":}', '[1,]', '01'],
];

const awarenessUpdate = (rng) => {
  const encoder = encoding.createEncoder();
  const count = rng.between(1, 4);
  encoding.writeVarUint(encoder, count);
  for (let n = 0; n < count; n++) {
    encoding.writeVarUint(encoder, rng.between(1, 4));
    encoding.writeVarUint(encoder, rng.below(6));
    encoding.writeVarString(
      encoder,
      rng.pick(SPELLINGS.slice(0, rng.chance(1, 4) ? undefined : 12)),
    );
  }
  const update = encoding.toUint8Array(encoder);
  return rng.chance(1, 5) ? mutate(rng, update) : update;
};

let heard = 0;
test('awareness updates of any spelling leave the same states in both, or change nothing', (session) => {
  const rng = new Prng(SEED, 0xc2);
  for (let i = 0; i < AWARENESS; i++) {
    session.u(C.awarenessNew).u(1);
    const listener = fresh(0x7fffffff);
    for (let n = 0; n < 5; n++) {
      const update = awarenessUpdate(rng);
      const words = `awareness ${i}.${n} ${hex(update)}`;
      session.u(C.awarenessApply).u(1).bytes(update).u(1000);
      if (taken(session, words)) {
        heard++;
        try {
          awarenessProtocol.applyAwarenessUpdate(listener, update, 'r');
        } catch (error) {
          throw new Error(`the engine takes what y-protocols refuses (${error.message}): ${words}`);
        }
      }
      session.u(C.awarenessStates).u(1);
      const expected = statesOf(listener);
      session.await(
        () => words,
        (payload) =>
          same(expected, readAny(payload))
            ? undefined
            : `\n  theirs ${JSON.stringify(expected)}\n  ours   ${JSON.stringify(readAny(payload))}`,
      );
    }
    session.flush();
  }
});
test('some awareness updates were taken', () => {
  if (heard < AWARENESS) throw new Error(`only ${heard}`);
});

// --- lib0: one value of random bytes in an update that is sound but for it.

const anyValue = (rng, depth = 0) =>
  rng.weighted([
    [2, () => rng.u32() - 2 ** 31],
    [2, () => rng.u32() / 7],
    [1, () => rng.below(2 ** 30) * 2 ** 20],
    [1, () => BigInt(rng.u32()) << 20n],
    [1, () => rng.chance(1, 2)],
    [1, () => null],
    [1, () => undefined],
    [2, () => rng.pick(['', 'word', 'ä', '🎲', 'a\u0000b'])],
    [1, () => new Uint8Array([1, 2, 255])],
    [depth < 3 ? 2 : 0, () => Array.from({ length: rng.below(4) }, () => anyValue(rng, depth + 1))],
    [
      depth < 3 ? 2 : 0,
      () =>
        Object.fromEntries(
          Array.from({ length: rng.below(4) }, () => [
            rng.pick(['a', 'b', '7', '01', '-1', 'ä']),
            anyValue(rng, depth + 1),
          ]),
        ),
    ],
  ])();

let values = 0;
test('damaged lib0 values do the same in both, or nothing', (session) => {
  const rng = new Prng(SEED, 0xc3);
  for (let i = 0; i < VALUES; i++) {
    const value = encoding.createEncoder();
    encoding.writeAny(value, anyValue(rng));
    const bytes = rng.chance(1, 4)
      ? encoding.toUint8Array(value)
      : mutate(rng, encoding.toUint8Array(value));
    const update = encoding.createEncoder();
    // One client, one struct of client 5 at clock 0: an Any under root "map", key "k"; no deletes.
    for (const n of [1, 1, 5, 0, 0x28, 1]) encoding.writeVarUint(update, n);
    encoding.writeVarString(update, 'map');
    encoding.writeVarString(update, 'k');
    encoding.writeVarUint(update, 1);
    encoding.writeUint8Array(update, bytes);
    encoding.writeVarUint(update, 0);
    const whole = encoding.toUint8Array(update);
    values += alike(session, twins(session), 1, whole, `value ${i} ${hex(bytes)}`) ? 1 : 0;
  }
});
test('some damaged values were taken', () => {
  if (values < VALUES / 4) throw new Error(`only ${values} of ${VALUES}`);
});
