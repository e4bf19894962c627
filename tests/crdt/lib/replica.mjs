// One yjs document and its twin in the engine: the same client id, the same operations, the same
// deliveries. Each question asks both and compares.
import * as decoding from 'lib0/decoding';
import * as encoding from 'lib0/encoding';
import * as Y from 'yjs';
import { C, KIND } from './commands.mjs';
import { ROOTS, defineRoot, kindOf, rootOf, writeType } from './types.mjs';

// Origins are numbers there, anything here.
export const REMOTE = 1;
export const originOf = (number) => (number === 0 ? null : `origin ${number}`);

// JSON-like values, keys in any order; numbers as Object.is has it.
export const same = (a, b) => {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (a instanceof Uint8Array || b instanceof Uint8Array) {
    return a instanceof Uint8Array && b instanceof Uint8Array && Buffer.compare(a, b) === 0;
  }
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((k) => k in b && same(a[k], b[k]));
};

const show = (value) =>
  JSON.stringify(value, (_, v) =>
    v === undefined
      ? '(undefined)'
      : typeof v === 'bigint'
        ? `${v}n`
        : typeof v === 'number' && !Number.isFinite(v)
          ? String(v)
          : v,
  );

const clip = (text) => (text.length > 1500 ? `${text.slice(0, 1500)}…` : text);

export const readAny = (payload) => decoding.readAny(decoding.createDecoder(payload));

export const sameAny = (expected) => (payload) => {
  const got = readAny(payload);
  return same(expected, got)
    ? undefined
    : `\n  yjs   ${clip(show(expected))}\n  ours  ${clip(show(got))}`;
};

// A delta with nested types as {kind, json}.
export const plainDelta = (delta) =>
  delta.map((op) =>
    op.insert instanceof Y.AbstractType
      ? { ...op, insert: { type: kindOf(op.insert), json: plain(op.insert) } }
      : op,
  );

// What a type holds, exactly: texts as deltas, elements with name, attributes and children.
export const plain = (value) => {
  if (value instanceof Y.Doc) return { guid: value.guid };
  if (!(value instanceof Y.AbstractType)) return value;
  const kind = kindOf(value);
  const attributes = (type) =>
    Object.fromEntries(Object.entries(type.getAttributes()).map(([k, v]) => [k, plain(v)]));
  switch (kind) {
    case KIND.array:
      return value.toArray().map(plain);
    case KIND.map:
      return Object.fromEntries([...value.entries()].map(([k, v]) => [k, plain(v)]));
    case KIND.text:
    case KIND.xmltext:
      return { delta: plainDelta(value.toDelta()), attributes: attributes(value) };
    case KIND.fragment:
      return { children: value.toArray().map(plain) };
    case KIND.element:
      return {
        name: value.nodeName,
        attributes: attributes(value),
        children: value.toArray().map(plain),
      };
    default:
      return {
        hook: value.hookName,
        map: Object.fromEntries([...value.entries()].map(([k, v]) => [k, plain(v)])),
      };
  }
};

const tellUpdate = (bytes, version) => {
  try {
    const { structs, ds } = version === 1 ? Y.decodeUpdate(bytes) : Y.decodeUpdateV2(bytes);
    const lines = structs.map((s) => {
      const id = (i) => (i ? `${i.client}:${i.clock}` : '-');
      const content = s.content
        ? `${s.content.constructor.name.slice(7)} ${show(s.content.str ?? s.content.arr ?? s.content.key ?? s.content.embed ?? s.content.len)} ${show(s.content.value)}`
        : s.constructor.name;
      const where =
        s.constructor.name === 'Item'
          ? ` <${id(s.origin)} >${id(s.rightOrigin)} in ${typeof s.parent === 'string' ? s.parent : id(s.parent)} ${s.parentSub ?? ''}`
          : '';
      return `    ${id(s.id)}+${s.length} ${content}${where}`;
    });
    for (const [client, ranges] of ds.clients) {
      lines.push(`    deleted ${client}: ${ranges.map((r) => `${r.clock}+${r.len}`).join(' ')}`);
    }
    return lines.slice(0, 60).join('\n');
  } catch (error) {
    return `    (${error.message})`;
  }
};

export const explainUpdate = (expected, version) => (got) =>
  `  yjs's update:\n${tellUpdate(expected, version)}\n  ours:\n${tellUpdate(got, version)}`;

const covered = (bytes, version) => {
  const { structs, ds } = version === 1 ? Y.decodeUpdate(bytes) : Y.decodeUpdateV2(bytes);
  const ranges = (list) => {
    list.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    const joined = [];
    for (const [client, from, to] of list) {
      const last = joined[joined.length - 1];
      if (last && last[0] === client && last[2] >= from) last[2] = Math.max(last[2], to);
      else joined.push([client, from, to]);
    }
    return JSON.stringify(joined);
  };
  const deleted = [...ds.clients].flatMap(([client, list]) =>
    list.map((r) => [client, r.clock, r.clock + r.len]),
  );
  const inserted = structs
    .filter((s) => !(s instanceof Y.Skip))
    .map((s) => [s.id.client, s.id.clock, s.id.clock + s.length]);
  return `${ranges(inserted)} deleted ${ranges(deleted)}`;
};

// Where the engine joins more than yjs does (merging, pending structs) the bytes differ; what they
// say does not.
export const sameMeaning = (expected, version) => (got) => {
  if (Buffer.compare(expected, got) === 0) return undefined;
  const [a, b] = [covered(expected, version), covered(got, version)];
  if (a !== b)
    return `\n  yjs   ${clip(a)}\n  ours  ${clip(b)}\n${explainUpdate(expected, version)(got)}`;
  const convert = version === 1 ? Y.convertUpdateFormatV1ToV2 : Y.convertUpdateFormatV2ToV1;
  const [one, two] = [expected, got].map((bytes) => {
    const doc = new Y.Doc();
    for (const root of ROOTS) rootOf(doc, root);
    (version === 1 ? Y.applyUpdateV2 : Y.applyUpdate)(doc, convert(bytes));
    return visible(doc);
  });
  if (same(one, two)) return undefined;
  const differing = Object.keys(one).filter((k) => !same(one[k], two[k]));
  const lines = differing.map(
    (k) => `\n  ${k}: yjs ${clip(show(one[k]))}\n  ${k}: ours ${clip(show(two[k]))}`,
  );
  return `it makes another document:${lines.join('')}\n${explainUpdate(expected, version)(got)}`;
};

// What others can see of a document; that one replica collected deleted content and another did
// not shows elsewhere.
const visible = (doc) => ({
  json: ROOTS.map((root) => plain(rootOf(doc, root))),
  vector: Y.encodeStateVector(doc),
  snapshot: Y.encodeSnapshot(Y.snapshot(doc)),
  pending: [doc.store.pendingStructs !== null, doc.store.pendingDs !== null],
});

export const encodeUpdates = (updates) => {
  const encoder = encoding.createEncoder();
  encoding.writeVarUint(encoder, updates.length);
  for (const { v1, v2 } of updates) {
    encoding.writeVarUint8Array(encoder, v1);
    encoding.writeVarUint8Array(encoder, v2);
  }
  return encoding.toUint8Array(encoder);
};

const decodeUpdates = (payload) => {
  const decoder = decoding.createDecoder(payload);
  return Array.from({ length: decoding.readVarUint(decoder) }, () => [
    decoding.readVarUint8Array(decoder),
    decoding.readVarUint8Array(decoder),
  ]);
};

export class Replica {
  constructor(session, client, { gc = true } = {}) {
    this.session = session;
    this.id = session.nextDoc++;
    this.gc = gc;
    this.inbox = []; // updates of others, on their way
    this.told = []; // what was played in the transaction at hand, for messages
    this.open(client);
  }

  open(client) {
    this.doc = new Y.Doc({ gc: this.gc });
    this.doc.clientID = client;
    this.emitted = [];
    this.cursor = undefined;
    this.session
      .u(C.newDoc)
      .u(this.id)
      .u(client)
      .u(this.gc ? 1 : 0);
    for (const root of ROOTS) {
      rootOf(this.doc, root);
      defineRoot(this.session, this.id, root);
    }
    this.doc.on('update', (update, origin) => this.emitted.push({ v1: update, origin }));
    this.doc.on('updateV2', (update) => (this.emitted[this.emitted.length - 1].v2 = update));
  }

  setClient(client) {
    this.doc.clientID = client;
    this.session.u(C.setClient).u(this.id).u(client);
  }

  takeEmitted() {
    const emitted = this.emitted;
    this.emitted = [];
    return emitted;
  }

  awaitUpdates(words) {
    const expected = this.takeEmitted();
    const bytes = encodeUpdates(expected);
    this.session.awaitBytes(
      () => `document ${this.id} (client ${this.doc.clientID}), ${words()}: the updates emitted`,
      bytes,
      (got) => {
        const ours = decodeUpdates(got);
        const lines = [`  yjs ${expected.length} updates, ours ${ours.length}`];
        for (let i = 0; i < Math.max(ours.length, expected.length); i++) {
          const [a, b] = [expected[i], ours[i]];
          if (a && b && Buffer.compare(a.v1, b[0]) === 0 && Buffer.compare(a.v2, b[1]) === 0)
            continue;
          lines.push(
            `  update ${i}: v1 ${a && b && Buffer.compare(a.v1, b[0]) === 0 ? 'same' : 'differs'}`,
          );
          if (a) lines.push(`  yjs's:\n${tellUpdate(a.v1, 1)}`);
          if (b) lines.push(`  ours:\n${tellUpdate(b[0], 1)}`);
        }
        return lines.join('\n');
      },
    );
    return expected;
  }

  // A local transaction; `play` works on both sides.
  transact(play, origin = 0) {
    this.told = [];
    this.session.u(C.begin).u(this.id).u(origin);
    this.doc.transact(() => play(), originOf(origin));
    this.session.u(C.end);
    const told = this.told;
    return this.awaitUpdates(() => `after ${told.join('; ')}`);
  }

  apply(update, version, words = 'an update') {
    this.session.u(C.apply).u(this.id).u(version).bytes(update).u(REMOTE);
    // Of the clocks that waiting structs lack, yjs remembers one for each client, and may remember a
    // later one than the first of them needs: then they wait though all that they need is there. The
    // engine does not make them wait; so yjs is told to try each time.
    const waiting = this.doc.store.pendingStructs;
    if (waiting !== null)
      for (const client of waiting.missing.keys()) waiting.missing.set(client, -1);
    (version === 1 ? Y.applyUpdate : Y.applyUpdateV2)(this.doc, update, originOf(REMOTE));
    return this.awaitUpdates(() => `applying ${words} (v${version})`);
  }

  encode(version, vector = new Uint8Array()) {
    const encode = version === 1 ? Y.encodeStateAsUpdate : Y.encodeStateAsUpdateV2;
    const expected = encode(this.doc, vector.length ? vector : undefined);
    this.session.u(C.encode).u(this.id).u(version).bytes(vector);
    const words = () =>
      `document ${this.id}: state as update v${version}${vector.length ? ' from a vector' : ''}`;
    const { pendingStructs, pendingDs } = this.doc.store;
    if (pendingStructs === null && pendingDs === null) {
      this.session.awaitBytes(words, expected, explainUpdate(expected, version));
    } else {
      this.session.await(words, sameMeaning(expected, version));
    }
    return expected;
  }

  stateVector() {
    const expected = Y.encodeStateVector(this.doc);
    this.session.u(C.stateVector).u(this.id);
    this.session.awaitBytes(() => `document ${this.id}: state vector`, expected);
    return expected;
  }

  snapshot(version) {
    const snapshot = Y.snapshot(this.doc);
    const expected = version === 1 ? Y.encodeSnapshot(snapshot) : Y.encodeSnapshotV2(snapshot);
    this.session.u(C.snapshot).u(this.id).u(version);
    this.session.awaitBytes(() => `document ${this.id}: snapshot v${version}`, expected);
    return snapshot;
  }

  json(root) {
    const type = rootOf(this.doc, root);
    this.session.u(C.json);
    writeType(this.session, this.id, type, root);
    this.session.await(() => `document ${this.id}: JSON of ${root.name}`, sameAny(plain(type)));
  }

  // Everything there is to compare.
  check() {
    this.session.u(C.pending).u(this.id);
    const { pendingStructs, pendingDs } = this.doc.store;
    this.session.await(
      () => `document ${this.id}: pending`,
      sameAny([pendingStructs !== null, pendingDs !== null]),
    );
    this.stateVector();
    this.encode(1);
    this.encode(2);
    this.snapshot(1);
    for (const root of ROOTS) this.json(root);
    if (this.profile?.events) this.checkEvents();
  }

  close() {
    this.session.u(C.freeDoc).u(this.id);
    this.doc.destroy();
  }
}
