// The sync protocol as y-websocket frames it: stock y-protocols at one end, the engine at the other.
import * as decoding from 'lib0/decoding';
import * as encoding from 'lib0/encoding';
import * as syncProtocol from 'y-protocols/sync';
import * as Y from 'yjs';
import { C } from '../lib/commands.mjs';
import { Prng } from '../lib/prng.mjs';
import { expectEqual, test } from '../lib/suite.mjs';

const SYNC = 0;

const frame = (write) => {
  const encoder = encoding.createEncoder();
  encoding.writeVarUint(encoder, SYNC);
  write(encoder);
  return encoding.toUint8Array(encoder);
};

// Sends a message to the engine's document 1 and lets `doc` read the answer.
const exchange = (session, doc, message) => {
  let answer = new Uint8Array();
  session.u(C.syncRead).u(1).bytes(message);
  session.await(
    () => 'a sync message',
    (payload) => {
      answer = new Uint8Array(payload);
    },
  );
  session.flush();
  if (answer.length === 0) return;
  read(session, doc, answer);
};

const read = (session, doc, message) => {
  const decoder = decoding.createDecoder(message);
  expectEqual(decoding.readVarUint(decoder), SYNC, 'the kind of message');
  const reply = encoding.createEncoder();
  encoding.writeVarUint(reply, SYNC);
  syncProtocol.readSyncMessage(decoder, reply, doc, 'engine');
  expectEqual(decoding.hasContent(decoder), false, 'bytes after the message');
  if (encoding.length(reply) > 1) exchange(session, doc, encoding.toUint8Array(reply));
};

const meet = (session, doc) => {
  exchange(
    session,
    doc,
    frame((e) => syncProtocol.writeSyncStep1(e, doc)),
  );
  session.u(C.syncStep1).u(1);
  let step1;
  session.await(
    () => 'our step 1',
    (payload) => {
      step1 = new Uint8Array(payload);
    },
  );
  session.flush();
  read(session, doc, step1);
};

const bytesEqual = (session, doc) => {
  session.u(C.encode).u(1).u(1).bytes(new Uint8Array());
  session.awaitBytes(() => 'both hold the same', Y.encodeStateAsUpdate(doc));
  session.flush();
};

const begin = (session) => {
  session.u(C.newDoc).u(1).u(9).u(1);
  const doc = new Y.Doc();
  doc.clientID = 3;
  return doc;
};

test('two steps bring a client and the engine to the same document', (session) => {
  const doc = begin(session);
  doc.getText('t').insert(0, 'Roll for initiative 🎲');
  meet(session, doc);
  bytesEqual(session, doc);
});

test('updates after the first sync arrive both ways', (session) => {
  const doc = begin(session);
  const rng = new Prng(8);
  meet(session, doc);
  const other = new Y.Doc();
  doc.on('update', (update, origin) => {
    if (origin !== 'engine')
      exchange(
        session,
        doc,
        frame((e) => syncProtocol.writeUpdate(e, update)),
      );
  });
  for (let i = 0; i < 200; i++) {
    const length = doc.getText('t').length;
    if (rng.chance(1, 4) && length > 0) doc.getText('t').delete(rng.below(length), 1);
    else doc.getText('t').insert(rng.below(length + 1), `${i},`);
  }
  bytesEqual(session, doc);
  // Another client joins the engine later, edits alone, and meets it again.
  other.clientID = 4;
  meet(session, other);
  expectEqual(
    other.getText('t').toString(),
    doc.getText('t').toString(),
    'what the newcomer reads',
  );
  other.getText('t').insert(0, 'offline');
  doc.getMap('m').set('k', 1);
  meet(session, other);
  meet(session, doc);
  bytesEqual(session, doc);
});

test('a state vector with unknown clients is answered with what it lacks', (session) => {
  const doc = begin(session);
  doc.getArray('a').insert(0, [1, 2, 3]);
  meet(session, doc);
  const ahead = new Y.Doc();
  ahead.clientID = 100;
  ahead.getArray('b').insert(0, ['mine']);
  exchange(
    session,
    ahead,
    frame((e) => syncProtocol.writeSyncStep1(e, ahead)),
  );
  expectEqual(ahead.getArray('a').toJSON(), [1, 2, 3], 'what came');
});
