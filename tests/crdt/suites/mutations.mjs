// Updates with flipped, cut, inserted and repeated bytes, to both: what the engine takes, yjs takes
// too and they then hold the same; what the engine refuses leaves no trace.
import * as Y from 'yjs';
import { C } from '../lib/commands.mjs';
import { Prng } from '../lib/prng.mjs';
import { plan } from '../lib/play.mjs';
import { Session } from '../lib/link.mjs';
import { plain, same, readAny } from '../lib/replica.mjs';
import { test } from '../lib/suite.mjs';
import { ROOTS, defineRoot, rootOf, writeType } from '../lib/types.mjs';
import { World } from '../lib/world.mjs';

// A history on yjs alone, for its updates.
class Silent extends Session {
  flush() {
    this.encoder.cpos = 0;
    this.encoder.bufs = [];
    this.awaited = [];
  }
}

export const updatesOf = (seed, steps) => {
  const world = new World(new Silent(null), seed, plan(seed).profile);
  const found = [];
  const { send } = world;
  world.send = (from, updates) => {
    found.push(...updates);
    send.call(world, from, updates);
  };
  for (let i = 0; i < steps; i++) world.step(i);
  found.push({
    v1: Y.encodeStateAsUpdate(world.replicas[0].doc),
    v2: Y.encodeStateAsUpdateV2(world.replicas[0].doc),
  });
  return found;
};

const mutate = (rng, bytes) => {
  const list = [...bytes];
  for (let n = rng.between(1, 3); n > 0 && list.length > 0; n--) {
    const at = rng.below(list.length);
    rng.weighted([
      [4, () => (list[at] ^= 1 << rng.below(8))],
      [2, () => (list[at] = rng.below(256))],
      [1, () => list.splice(at)],
      [1, () => list.splice(at, 0, rng.below(256))],
      [1, () => list.splice(at, 1)],
      [1, () => list.splice(at, 0, ...list.slice(at, at + rng.between(1, 8)))],
    ])();
  }
  return new Uint8Array(list);
};

const quietly = (body) => {
  const { log, warn, error } = console;
  console.log = console.warn = console.error = () => {};
  try {
    return body();
  } finally {
    Object.assign(console, { log, warn, error });
  }
};

const TRIES = 40;

// One document each, mutated updates among good ones.
const play = (session, seed) => {
  const rng = new Prng(seed, 0xbad);
  const updates = quietly(() => updatesOf(seed, 40));
  let taken = 0;
  for (let i = 0; i < TRIES; i++) {
    const version = rng.between(1, 2);
    const pick = () => (version === 1 ? (u) => u.v1 : (u) => u.v2)(rng.pick(updates));
    const doc = new Y.Doc();
    const apply = version === 1 ? Y.applyUpdate : Y.applyUpdateV2;
    session.u(C.newDoc).u(1).u(77).u(1);
    for (const root of ROOTS) {
      rootOf(doc, root);
      defineRoot(session, 1, root);
    }
    const good = version === 1 ? updates[updates.length - 1].v1 : updates[updates.length - 1].v2;
    if (rng.chance(1, 2)) {
      apply(doc, good);
      session.u(C.apply).u(1).u(version).bytes(good).u(0);
      session.awaitOk(() => 'a good update');
    }
    const before = Y.encodeStateAsUpdate(doc);
    const bad = mutate(rng, pick());
    const words = `seed ${seed} try ${i} v${version} ${Buffer.from(bad).toString('hex')}`;
    session.u(C.apply).u(1).u(version).bytes(bad).u(0);
    let accepted = false;
    let refusal;
    session.awaited.push({
      what: () => words,
      step: i,
      check: () => {
        accepted = true;
      },
      refuse: (code) => {
        refusal = code;
      },
    });
    session.flush();
    let thrown;
    if (accepted) {
      try {
        quietly(() => apply(doc, bad));
      } catch (error) {
        thrown = error;
      }
    } else if (![4620, 4621, 4640, 4641].includes(refusal)) {
      throw new Error(`refused with ${refusal}: ${words}`);
    }
    if (thrown) throw new Error(`the engine takes what yjs refuses (${thrown.message}): ${words}`);
    taken += accepted ? 1 : 0;
    compare(session, doc, accepted ? undefined : before, words);
  }
  return taken;
};

const compare = (session, doc, before, words) => {
  const complain = (what) => `${what} differs: ${words}`;
  if (before) {
    session.u(C.encode).u(1).u(1).bytes(new Uint8Array());
    session.awaitBytes(() => complain('the state after a refusal'), before);
  } else {
    session.u(C.stateVector).u(1);
    session.awaitBytes(() => complain('the state vector'), Y.encodeStateVector(doc));
    session.u(C.snapshot).u(1).u(1);
    session.awaitBytes(() => complain('the snapshot'), Y.encodeSnapshot(Y.snapshot(doc)));
    for (const root of ROOTS) {
      session.u(C.json);
      const type = rootOf(doc, root);
      writeType(session, 1, type, root);
      let expected;
      try {
        expected = plain(type);
      } catch {
        expected = undefined; // yjs cannot show it
      }
      session.await(
        () => complain(root.name),
        (payload) =>
          expected === undefined || same(expected, readAny(payload))
            ? undefined
            : `\n yjs ${JSON.stringify(expected)}\n ours ${JSON.stringify(readAny(payload))}`,
      );
    }
  }
  session.flush();
};

const [from, count] = (process.env.CRDT_MUTATIONS ?? '1,60').split(',').map(Number);
let taken = 0;
for (let seed = from; seed < from + count; seed++) {
  test(`damaged updates of history ${seed} do the same in both, or nothing`, (session) => {
    taken += play(session, seed);
  });
}
test('some damaged updates were taken', () => {
  if (taken < count) throw new Error(`only ${taken} of ${count * TRIES}`);
});
