// An undo manager on both sides.
import * as encoding from 'lib0/encoding';
import * as Y from 'yjs';
import { C } from './commands.mjs';
import { encodeUpdates, originOf } from './replica.mjs';
import { rootOf, writeType } from './types.mjs';

const FOREVER = 2 ** 40;

export class Undo {
  constructor(replica, rng, profile) {
    this.replica = replica;
    this.session = replica.session;
    const everything = rng.chance(1, 4);
    const scope = everything
      ? []
      : profile.roots.map(([, root]) => root).filter(() => rng.chance(2, 3));
    if (!everything && scope.length === 0) scope.push(profile.roots[0][1]);
    const captureTimeout = rng.chance(1, 2) ? 0 : FOREVER;
    this.tracked = rng.chance(1, 2) ? [0] : [0, 2];
    this.manager = new Y.UndoManager(
      scope.length === 0 ? replica.doc : scope.map((root) => rootOf(replica.doc, root)),
      { captureTimeout, trackedOrigins: new Set(this.tracked.map(originOf)) },
    );
    this.session.u(C.undoNew).u(replica.id).u(captureTimeout).u(this.tracked.length);
    for (const origin of this.tracked) this.session.u(origin);
    this.session.u(scope.length);
    for (const root of scope) writeType(this.session, replica.id, rootOf(replica.doc, root), root);
  }

  // Of a local transaction: tracked mostly.
  origin(rng) {
    return rng.weighted([
      [6, 0],
      [2, 2],
      [1, 3],
    ]);
  }

  step(rng) {
    const action = rng.weighted([
      [8, 'undo'],
      [6, 'redo'],
      [4, 'stop'],
      [1, 'clear'],
    ]);
    const { session, replica } = this;
    if (action === 'stop') {
      this.manager.stopCapturing();
      session.u(C.undoStop).u(replica.id);
      return [];
    }
    if (action === 'clear') {
      session.u(C.undoClear).u(replica.id);
      this.manager.clear();
      return replica.awaitUpdates(() => 'clearing the undo stacks');
    }
    session.u(action === 'undo' ? C.undo : C.redo).u(replica.id);
    const done = this.manager[action]() !== null;
    const emitted = replica.takeEmitted();
    const expected = encoding.createEncoder();
    encoding.writeVarUint(expected, done ? 1 : 0);
    encoding.writeUint8Array(expected, encodeUpdates(emitted));
    session.awaitBytes(() => `document ${replica.id}: ${action}`, encoding.toUint8Array(expected));
    return emitted;
  }
}
