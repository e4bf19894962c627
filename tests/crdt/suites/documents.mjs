// Documents that yjs 13.2 wrote (golden/documents-13.2.json, the values of its own compatibility
// tests): every later version must read them so.
import fs from 'node:fs';
import * as Y from 'yjs';
import { C } from '../lib/commands.mjs';
import { same, sameAny } from '../lib/replica.mjs';
import { test } from '../lib/suite.mjs';
import { rootOf, writeType } from '../lib/types.mjs';

const documents = JSON.parse(
  fs.readFileSync(new URL('../golden/documents-13.2.json', import.meta.url)),
);

for (const { root: name, kind, update, value } of documents) {
  const root = { kind, name };
  const bytes = new Uint8Array(Buffer.from(update, 'base64'));

  test(`an old document with a root "${name}" reads as it did`, (session) => {
    const doc = new Y.Doc();
    const type = rootOf(doc, root);
    Y.applyUpdate(doc, bytes);
    session.u(C.newDoc).u(1).u(77).u(1);
    session.u(C.root).u(1).u(kind).s(name);
    session.u(C.apply).u(1).u(1).bytes(bytes).u(0);
    session.awaitOk(() => 'applying');
    session.u(C.json);
    writeType(session, 1, type, root);
    session.await(() => 'its JSON', sameAny(kind === 2 ? { delta: value, attributes: {} } : value));
    for (const [version, encode] of [
      [1, Y.encodeStateAsUpdate],
      [2, Y.encodeStateAsUpdateV2],
    ]) {
      session.u(C.encode).u(1).u(version).bytes(new Uint8Array());
      session.awaitBytes(() => `as update v${version}`, encode(doc));
    }
    const ours = kind === 2 ? type.toDelta() : type.toJSON();
    if (!same(JSON.parse(JSON.stringify(ours)), value))
      throw new Error('yjs itself reads it otherwise');
  });
}
