// Updates with flipped, cut, inserted and repeated bytes, to both: what the engine takes, yjs takes
// too and they then hold the same; what the engine refuses leaves no trace.
import * as Y from 'yjs';
import { C } from '../lib/commands.mjs';
import { Prng } from '../lib/prng.mjs';
import { plan } from '../lib/play.mjs';
import { Session } from '../lib/link.mjs';
import { alike, hex, mutate, quietly, twins } from '../lib/damaged.mjs';
import { test } from '../lib/suite.mjs';
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

const TRIES = 40;

// One document each, mutated updates among good ones.
const play = (session, seed) => {
  const rng = new Prng(seed, 0xbad);
  const updates = quietly(() => updatesOf(seed, 40));
  let taken = 0;
  for (let i = 0; i < TRIES; i++) {
    const version = rng.between(1, 2);
    const pick = () => (version === 1 ? (u) => u.v1 : (u) => u.v2)(rng.pick(updates));
    const doc = twins(session);
    const apply = version === 1 ? Y.applyUpdate : Y.applyUpdateV2;
    const good = version === 1 ? updates[updates.length - 1].v1 : updates[updates.length - 1].v2;
    if (rng.chance(1, 2)) {
      apply(doc, good);
      session.u(C.apply).u(1).u(version).bytes(good).u(0);
      session.awaitOk(() => 'a good update');
    }
    const bad = mutate(rng, pick());
    const words = `seed ${seed} try ${i} v${version} ${hex(bad)}`;
    taken += alike(session, doc, version, bad, words) ? 1 : 0;
  }
  return taken;
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
