// Bytes of untrusted origin to yjs and to the engine: what the engine takes, yjs takes too and they
// then hold the same; what the engine refuses leaves no trace.
import * as Y from 'yjs';
import { C } from './commands.mjs';
import { plain, same, readAny } from './replica.mjs';
import { ROOTS, defineRoot, rootOf, writeType } from './types.mjs';

export const hex = (bytes) => Buffer.from(bytes).toString('hex');

// Document 1 of the engine and its twin, with all roots.
export const twins = (session) => {
  const doc = new Y.Doc();
  session.u(C.newDoc).u(1).u(77).u(1);
  for (const root of ROOTS) {
    rootOf(doc, root);
    defineRoot(session, 1, root);
  }
  return doc;
};

export const mutate = (rng, bytes) => {
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

export const quietly = (body) => {
  const { log, warn, error } = console;
  console.log = console.warn = console.error = () => {};
  try {
    return body();
  } finally {
    Object.assign(console, { log, warn, error });
  }
};

// Codes of what a peer sent wrong: an awareness or sync message, an update, a limit.
const REFUSALS = [4623, 4631, 4640, 4641];

// Sends the command just written; whether the engine took it. `seen` gets the answer.
export const taken = (session, words, seen = () => undefined) => {
  let accepted = false;
  let refusal;
  session.awaited.push({
    what: () => words,
    step: 0,
    check: (payload) => {
      accepted = true;
      return seen(payload);
    },
    refuse: (code) => {
      refusal = code;
    },
  });
  session.flush();
  if (!accepted && !REFUSALS.includes(refusal))
    throw new Error(`refused with ${refusal}: ${words}`);
  return accepted;
};

// Applies an update to both. Whether the engine took it.
export const alike = (session, doc, version, update, words) => {
  const before = Y.encodeStateAsUpdate(doc);
  session.u(C.apply).u(1).u(version).bytes(update).u(0);
  const accepted = taken(session, words);
  if (accepted) {
    try {
      quietly(() => (version === 1 ? Y.applyUpdate : Y.applyUpdateV2)(doc, update));
    } catch (error) {
      throw new Error(`the engine takes what yjs refuses (${error.message}): ${words}`);
    }
  }
  compare(session, doc, accepted ? undefined : before, words);
  return accepted;
};

export const compare = (session, doc, before, words) => {
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
