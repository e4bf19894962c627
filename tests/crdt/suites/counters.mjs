// Keys that are set again and again in turn leave long runs of tombstones, which the engine packs, and
// takes from an update without making them structs (src/crdt/internal/packs.cc). Here such runs come
// whole and in parts, large and small, broken by other keys, by text, and by another's settings of the
// same keys; after each part the engine holds what yjs holds, to the byte.
import * as Y from 'yjs';
import { ANY, C } from '../lib/commands.mjs';
import { alike, compare, twins } from '../lib/damaged.mjs';
import { Prng } from '../lib/prng.mjs';
import { test } from '../lib/suite.mjs';
import { ROOTS, writeType } from '../lib/types.mjs';

const SEED = Number(process.env.CRDT_SEED ?? '1');
const TURNS = Number(process.env.CRDT_TURNS ?? '1');
const [MAP, TEXT] = [ROOTS[1], ROOTS[2]];
const ENCODE = [
  [1, Y.encodeStateAsUpdate],
  [2, Y.encodeStateAsUpdateV2],
];

// A document of client `id`; `wide` ids take more bytes on the wire.
const writer = (id) => {
  const doc = new Y.Doc();
  doc.clientID = id;
  return doc;
};

// Sets `keys` in turn `rounds` times; out of `noise` in 1000 settings one is something else.
const count = (rng, doc, keys, rounds, noise) => {
  const map = doc.getMap(MAP.name);
  for (let i = 0; i < rounds * keys; i++) {
    if (rng.chance(noise, 1000)) {
      rng.weighted([
        [3, () => map.set(`k${rng.below(keys)}`, i)],
        [1, () => map.delete(`k${rng.below(keys)}`)],
        [1, () => map.set('nested', new Y.Map())],
        [1, () => doc.getText(TEXT.name).insert(0, 'x')],
      ])();
    }
    map.set(`k${i % keys}`, i);
  }
};

const encodings = (session, doc, from, words) => {
  for (const [version, encode] of ENCODE) {
    session.u(C.encode).u(1).u(version).bytes(from);
    session.awaitBytes(
      () => `as update v${version}: ${words}`,
      encode(doc, from.length > 0 ? from : undefined),
    );
  }
};

const history = (session, rng, keys, rounds, noise) => {
  const words = `${keys} keys, ${rounds} rounds, noise ${noise}`;
  const mine = writer(rng.pick([3, 5_000_000_000]));
  const other = writer(rng.pick([2, 9_000_000]));
  const twin = twins(session);
  for (let part = 0; part < 3; part++) {
    count(rng, mine, keys, rounds, noise);
    if (rng.chance(1, 2)) count(rng, other, keys, rng.between(1, 3), 0);
    if (rng.chance(1, 2)) Y.applyUpdate(other, Y.encodeStateAsUpdate(mine));
    if (rng.chance(1, 3)) Y.applyUpdate(mine, Y.encodeStateAsUpdate(other));
    // Sometimes from where a run is under way, so that its first structs are known already.
    const known = rng.chance(1, 3) ? undefined : Y.encodeStateVector(twin);
    const [version, encode] = rng.pick(ENCODE);
    for (const doc of rng.shuffle([mine, other]))
      alike(session, twin, version, encode(doc, known), words);
    encodings(session, twin, new Uint8Array(), words);
    const middle = new Map([...Y.decodeStateVector(Y.encodeStateVector(twin))]);
    for (const [client, clock] of middle) middle.set(client, rng.below(clock + 1));
    encodings(session, twin, Y.encodeStateVector(middle), words);
    // Local changes need the elements of a pack at its end.
    session.u(C.setClient).u(1).u(77).u(C.begin).u(1).u(0).u(C.mapSet);
    writeType(session, 1, twin.getMap(MAP.name), MAP);
    session.s('k0').u(ANY).any(part).u(C.end);
    session.awaitOk(() => 'a setting');
    twin.clientID = 77;
    twin.getMap(MAP.name).set('k0', part);
    compare(session, twin, undefined, words);
  }
};

for (const [keys, rounds, noise] of [
  [2, 4500, 0],
  [2, 300, 0],
  [2, 2500, 5],
  [3, 2000, 0],
  [5, 700, 2],
  [7, 20, 30],
  [64, 120, 0],
  [65, 60, 0],
]) {
  test(`${keys} keys set in turn ${rounds} times load and go on as in yjs`, (session) => {
    const rng = new Prng(SEED, keys, rounds, noise);
    for (let i = 0; i < TURNS; i++) history(session, rng, keys, rounds, noise);
  });
}
