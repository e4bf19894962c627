// Looking back (snapshots) and positions that stay at their character.
import * as Y from 'yjs';
import { C } from './commands.mjs';
import { plainDelta, readAny, sameAny } from './replica.mjs';
import { isMap, pickType, writeType } from './types.mjs';

const encodeSnapshot = (snapshot, version) =>
  version === 1 ? Y.encodeSnapshot(snapshot) : Y.encodeSnapshotV2(snapshot);

// Keeps a snapshot now and then, and shows a document and a text as of one kept.
export const lookBack = (rng, replica) => {
  const { session, doc } = replica;
  replica.kept ??= [];
  if (replica.kept.length === 0 || rng.chance(1, 2)) {
    replica.kept.push(replica.snapshot(rng.between(1, 2)));
    return;
  }
  const version = rng.between(1, 2);
  const snapshot = rng.pick(replica.kept);
  const bytes = encodeSnapshot(snapshot, version);
  if (!doc.gc && rng.chance(1, 2)) {
    const then = Y.createDocFromSnapshot(doc, snapshot);
    const number = session.nextDoc++;
    session.u(C.restore).u(replica.id).u(version).bytes(bytes).u(number);
    session.awaitOk(() => `document ${replica.id}: as of a snapshot`);
    session.u(C.encode).u(number).u(1).bytes(new Uint8Array());
    session.awaitBytes(
      () => `document ${replica.id}: bytes as of a snapshot`,
      Y.encodeStateAsUpdate(then),
    );
    session.u(C.freeDoc).u(number);
    replica.encode(1); // the document itself is as it was
    return;
  }
  const text = { kind: 2, name: 'text' };
  const before = rng.chance(1, 2) ? rng.pick(replica.kept) : undefined;
  const delta = doc.getText(text.name).toDelta(snapshot, before);
  const expected = plainDelta(delta);
  replica.takeEmitted();
  session.u(C.deltaAt);
  writeType(session, replica.id, doc.getText(text.name), text);
  session
    .u(version)
    .bytes(bytes)
    .bytes(before ? encodeSnapshot(before, version) : new Uint8Array());
  session.await(() => `document ${replica.id}: the text as of a snapshot`, sameAny(expected));
};

// A relative position made here is resolved by another replica.
export const place = (rng, replica, other, profile) => {
  const { session, doc } = replica;
  const at = pickType(rng, doc, profile.roots, profile.down);
  if (isMap(at.kind)) return;
  const index = rng.below(at.type.length + 1);
  const assoc = rng.chance(1, 2) ? 0 : -1;
  const position = Y.createRelativePositionFromTypeIndex(at.type, index, assoc);
  const bytes = Y.encodeRelativePosition(position);
  session.u(C.relative);
  writeType(session, replica.id, at.type, at.path.root);
  session.u(index).u(assoc < 0 ? 1 : 0);
  session.awaitBytes(
    () => `document ${replica.id}: the relative position of ${index} (${assoc})`,
    bytes,
  );
  (replica.places ??= []).push(bytes);
  const stored = rng.pick(replica.places);
  const found = Y.createAbsolutePositionFromRelativePosition(
    Y.decodeRelativePosition(stored),
    other.doc,
  );
  session.u(C.absolute).u(other.id).bytes(stored);
  session.await(
    () => `document ${other.id}: where a relative position is`,
    (payload) => {
      const got = readAny(payload);
      const expected = found && [found.index, found.assoc];
      const ours = got && [got[0], got[1]];
      return JSON.stringify(expected) === JSON.stringify(ours)
        ? undefined
        : `yjs ${JSON.stringify(expected)}, ours ${JSON.stringify(ours)}`;
    },
  );
};
