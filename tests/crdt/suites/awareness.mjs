// Awareness beside y-protocols' own: the same updates to both, then the same states and bytes.
import * as awarenessProtocol from 'y-protocols/awareness';
import * as Y from 'yjs';
import { C } from '../lib/commands.mjs';
import { Prng } from '../lib/prng.mjs';
import { readAny, sameAny } from '../lib/replica.mjs';
import { expectEqual, test } from '../lib/suite.mjs';

const fresh = (client) => {
  const doc = new Y.Doc();
  doc.clientID = client;
  const awareness = new awarenessProtocol.Awareness(doc);
  clearInterval(awareness._checkInterval); // no clock here
  awareness.setLocalState(null);
  return awareness;
};

// A y-protocols awareness that listens, and the engine's as number 1.
const pair = (session) => {
  session.u(C.awarenessNew).u(1);
  return fresh(0x7fffffff);
};

const statesOf = (awareness) =>
  Object.fromEntries(
    [...awareness.getStates()].map(([client, state]) => [client, JSON.stringify(state)]),
  );

const apply = (session, listener, update) => {
  awarenessProtocol.applyAwarenessUpdate(listener, update, 'remote');
  session.u(C.awarenessApply).u(1).bytes(update).u(1000);
  session.awaitOk(() => 'an awareness update');
  session.u(C.awarenessStates).u(1);
  session.await(() => 'the states', sameAny(statesOf(listener)));
};

const encodeAlike = (session, listener, clients) => {
  session.u(C.awarenessEncode).u(1).u(clients.length);
  clients.forEach((client) => session.u(client));
  session.awaitBytes(
    () => 'the encoded states',
    awarenessProtocol.encodeAwarenessUpdate(listener, clients),
  );
};

const write = (writer, state) => {
  writer.setLocalState(state);
  return awarenessProtocol.encodeAwarenessUpdate(writer, [writer.clientID]);
};

test('a state that is set, changed and taken back is so here too', (session) => {
  const listener = pair(session);
  const writer = fresh(5);
  for (const state of [
    { x: 3 },
    { x: 4, name: 'Ära 🎲' },
    { nested: { list: [1, null, 'a"b'] } },
    null,
    { x: 5 },
  ]) {
    apply(session, listener, write(writer, state));
    encodeAlike(session, listener, [5]);
  }
});

test('an older clock changes nothing, and of equal clocks the removal wins', (session) => {
  const listener = pair(session);
  const writer = fresh(5);
  const [first, second] = [write(writer, { n: 1 }), write(writer, { n: 2 })];
  apply(session, listener, second);
  apply(session, listener, first);
  awarenessProtocol.removeAwarenessStates(writer, [5], 'gone');
  const removal = awarenessProtocol.encodeAwarenessUpdate(writer, [5]);
  apply(session, listener, removal);
  apply(session, listener, second);
  apply(session, listener, write(writer, { n: 3 }));
});

test('a peer removes another, who comes back with a higher clock', (session) => {
  const listener = pair(session);
  const [one, two] = [fresh(5), fresh(9)];
  apply(session, listener, write(one, { here: true }));
  awarenessProtocol.applyAwarenessUpdate(
    two,
    awarenessProtocol.encodeAwarenessUpdate(listener, [5]),
    'r',
  );
  awarenessProtocol.removeAwarenessStates(two, [5], 'timeout');
  const removal = awarenessProtocol.modifyAwarenessUpdate(
    awarenessProtocol.encodeAwarenessUpdate(two, [5]),
    (state) => state,
  );
  apply(session, listener, removal);
  awarenessProtocol.applyAwarenessUpdate(one, removal, 'r');
  apply(session, listener, awarenessProtocol.encodeAwarenessUpdate(one, [5]));
  apply(session, listener, write(one, { here: 'again' }));
});

test('ten thousand random updates of many clients leave the same states', (session) => {
  const listener = pair(session);
  const rng = new Prng(4, 4);
  const writers = Array.from({ length: 12 }, (_, i) => fresh(i < 6 ? i + 1 : 2 ** 32 + i));
  const late = [];
  for (let i = 0; i < 10000; i++) {
    const writer = rng.pick(writers);
    const state = rng.chance(1, 5) ? null : { n: i, at: [rng.below(100), rng.u32() / 7] };
    writer.setLocalState(state);
    let update = awarenessProtocol.encodeAwarenessUpdate(writer, [writer.clientID]);
    if (rng.chance(1, 3)) late.push(update);
    if (late.length > 0 && rng.chance(1, 3)) update = rng.pick(late);
    apply(session, listener, update);
  }
  encodeAlike(
    session,
    listener,
    writers.map((writer) => writer.clientID).filter((c) => listener.meta.has(c)),
  );
});

test('what is cut off or not an awareness update is refused and changes nothing', (session) => {
  const listener = pair(session);
  const update = write(fresh(5), { x: 1 });
  apply(session, listener, update);
  session.flush();
  const worse = write(fresh(6), { y: 'later' });
  for (let size = 1; size < worse.length; size++) {
    session.u(C.awarenessApply).u(1).bytes(worse.slice(0, size)).u(1000);
    let refused = false;
    session.await(
      () => `cut at ${size}`,
      () => undefined,
    );
    try {
      session.flush();
    } catch (error) {
      refused = /error \d+/.test(error.message);
    }
    expectEqual(refused, true, `an awareness update cut at ${size} is refused`);
  }
  session.u(C.awarenessStates).u(1);
  session.await(
    () => 'the states',
    (payload) => {
      expectEqual(Object.keys(readAny(payload)), ['5'], 'who is there');
    },
  );
  session.flush();
});
