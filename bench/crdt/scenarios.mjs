// The scenarios of crdt-benchmarks (B1 to B4) and ours, on yjs. Each is a function that sets up and
// returns {run, result}: only run() is timed, result() gives a document to hash or bytes to count.
// The engine's twins are in crdt_text.cc, crdt_conflicts.cc and crdt_stores.cc.
import fs from 'node:fs';
import * as Y from 'yjs';
import { mulberry } from './prng.mjs';

const N = 6000;
const CLIENTS = 1540; // 20 * floor(sqrt(N))

// Client ids as they are in the wild: five bytes.
const ID = 2654435761;

export const newDoc = (client, updates) => {
  const doc = new Y.Doc();
  doc.clientID = ID + client;
  if (updates) doc.on('update', (update) => updates.push(update));
  return doc;
};

const applyAll = (doc, updates) => updates.forEach((update) => Y.applyUpdate(doc, update));

// --- B1: one writes, one follows ------------------------------------------------------------------

const follow = (inputs, write) => () => {
  const list = inputs();
  let reader;
  return {
    run() {
      const updates = [];
      const writer = newDoc(1, updates);
      reader = newDoc(2);
      list.forEach((input) => write(writer, input));
      applyAll(reader, updates);
    },
    result: () => ({ doc: reader }),
  };
};

const positions = (word) => () => {
  const rng = mulberry(1);
  return Array.from({ length: N }, (_, i) => ({
    index: rng.below(i * (word ? 5 : 1) + 1),
    text: word ? rng.word(5, 5) : rng.word(1, 1),
  }));
};
const letters = () => {
  const rng = mulberry(2);
  return Array.from({ length: N }, () => rng.word(1, 1));
};
const numbers = () => {
  const rng = mulberry(3);
  return Array.from({ length: N }, (_, i) => ({
    index: rng.below(i + 1),
    value: rng.below(0x7fffffff),
  }));
};
const text = (doc) => doc.getText('text');
const array = (doc) => doc.getArray('array');

const editsAtRandom = () => {
  const rng = mulberry(4);
  let length = 0;
  return Array.from({ length: N }, () => {
    const index = rng.below(length + 1);
    if (length === index || rng.below(2) === 0) {
      const insert = rng.word(2, 10);
      length += insert.length;
      return { index, insert };
    }
    const remove = 1 + rng.below(Math.min(9, length - index));
    length -= remove;
    return { index, remove };
  });
};

const edit = (doc, { index, insert, remove }) =>
  insert === undefined ? text(doc).delete(index, remove) : text(doc).insert(index, insert);

const B1 = {
  'B1.1': follow(letters, (doc, letter) => text(doc).insert(text(doc).length, letter)),
  'B1.2': follow(
    () => [mulberry(5).word(N, N)],
    (doc, all) => text(doc).insert(0, all),
  ),
  'B1.3': follow(letters, (doc, letter) => text(doc).insert(0, letter)),
  'B1.4': follow(positions(false), (doc, at) => text(doc).insert(at.index, at.text)),
  'B1.5': follow(positions(true), (doc, at) => text(doc).insert(at.index, at.text)),
  'B1.6': follow(
    () => [mulberry(5).word(N, N)],
    (doc, all) => {
      text(doc).insert(0, all);
      text(doc).delete(0, all.length);
    },
  ),
  'B1.7': follow(editsAtRandom, edit),
  'B1.8': follow(numbers, (doc, { value }) => array(doc).insert(array(doc).length, [value])),
  'B1.9': follow(
    () => [numbers().map(({ value }) => value)],
    (doc, all) => array(doc).insert(0, all),
  ),
  'B1.10': follow(numbers, (doc, { value }) => array(doc).insert(0, [value])),
  'B1.11': follow(numbers, (doc, { index, value }) => array(doc).insert(index, [value])),
};

// --- B2: two write at once ------------------------------------------------------------------------

const clash = (inputs, write) => () => {
  const lists = inputs();
  let one;
  return {
    run() {
      const [first, second] = [[], []];
      one = newDoc(1, first);
      text(one).insert(0, mulberry(6).word(100, 100));
      const two = newDoc(2);
      applyAll(two, first);
      two.on('update', (update) => second.push(update));
      first.length = 0;
      one.transact(() => lists[0].forEach((input) => write(one, input)));
      two.transact(() => lists[1].forEach((input) => write(two, input)));
      applyAll(one, second);
      applyAll(two, first);
    },
    result: () => ({ doc: one }),
  };
};

const twice = (make) => () => [make(mulberry(7)), make(mulberry(8))];
const places = (low, high) =>
  twice((rng) => {
    let length = 100;
    return Array.from({ length: N }, () => {
      const index = rng.below(length + 1);
      const insert = rng.word(low, high);
      length += insert.length;
      return { index, insert };
    });
  });
const mixed = twice((rng) => {
  let length = 100;
  return Array.from({ length: N }, () => {
    const index = rng.below(length);
    if (length < 20 || rng.below(2) === 0) {
      const insert = rng.word(3, 8);
      length += insert.length;
      return { index, insert };
    }
    const remove = 1 + rng.below(Math.min(5, length - index));
    length -= remove;
    return { index, remove };
  });
});

const B2 = {
  'B2.1': clash(
    twice((rng) => [{ index: 0, insert: rng.word(N, N) }]),
    edit,
  ),
  'B2.2': clash(places(1, 1), edit),
  'B2.3': clash(places(3, 9), edit),
  'B2.4': clash(mixed, edit),
};

// --- B3: many write at once -----------------------------------------------------------------------

const crowd = (write) => () => {
  let first;
  return {
    run() {
      const updates = [];
      for (let i = 0; i < CLIENTS; i++) write(newDoc(i + 1, updates), i);
      first = newDoc(100000);
      applyAll(first, updates);
    },
    result: () => ({ doc: first }),
  };
};

const B3 = {
  'B3.1': crowd((doc, i) => doc.getMap('map').set('v', i)),
  'B3.2': crowd((doc, i) => doc.getMap('map').set('v', { name: i.toString(), address: 'here' })),
  'B3.3': crowd((doc, i) => doc.getMap('map').set('v', mulberry(i).word(CLIENTS, CLIENTS))),
  'B3.4': crowd((doc, i) => array(doc).insert(0, [i.toString()])),
};

// --- B4: a paper's 259,778 edits ------------------------------------------------------------------

// Edits as u32 index, u32 deleted, u32 length in bytes, UTF-8.
export const readTrace = (path) => {
  const bytes = fs.readFileSync(path);
  const edits = [];
  for (let at = 0; at < bytes.length; ) {
    const size = bytes.readUInt32LE(at + 8);
    edits.push([
      bytes.readUInt32LE(at),
      bytes.readUInt32LE(at + 4),
      bytes.toString('utf8', at + 12, at + 12 + size),
    ]);
    at += 12 + size;
  }
  return edits;
};

export const type = (doc, edits) => {
  const t = text(doc);
  for (const [index, remove, insert] of edits) {
    if (remove > 0) t.delete(index, remove);
    if (insert.length > 0) t.insert(index, insert);
  }
};

const trace = (edits, data) => ({
  B4: () => {
    let doc;
    return {
      run() {
        let sum = 0;
        doc = newDoc(1);
        doc.on('update', (update) => (sum += update.length));
        type(doc, edits);
      },
      result: () => ({ doc }),
    };
  },
  ...Object.fromEntries(
    [1, 2].flatMap((version) => {
      const apply = version === 1 ? Y.applyUpdate : Y.applyUpdateV2;
      const encode = version === 1 ? Y.encodeStateAsUpdate : Y.encodeStateAsUpdateV2;
      const stored = fs.readFileSync(`${data}/b4.v${version}`);
      return [
        [
          `B4 parse v${version}`,
          () => {
            let doc;
            return {
              run() {
                doc = newDoc(2);
                apply(doc, stored);
              },
              result: () => ({ doc }),
            };
          },
        ],
        [
          `B4 encode v${version}`,
          () => {
            const doc = newDoc(2);
            apply(doc, stored);
            let bytes;
            return {
              run() {
                bytes = encode(doc);
              },
              result: () => ({ bytes: bytes.length, hashed: bytes }),
            };
          },
        ],
      ];
    }),
  ),
  'keystrokes merge': () => {
    const updates = readUpdates(`${data}/keystrokes`);
    let merged;
    return {
      run() {
        merged = Y.mergeUpdates(updates);
      },
      result() {
        const doc = newDoc(2);
        Y.applyUpdate(doc, merged);
        return { bytes: merged.length, doc };
      },
    };
  },
});

// --- ours -----------------------------------------------------------------------------------------

const typed = (count) => {
  const updates = [];
  const doc = newDoc(1, updates);
  for (let i = 0; i < count; i++) text(doc).insert(i, String.fromCharCode(97 + (i % 26)));
  return updates;
};

const late = (order) => () => {
  const updates = typed(4001);
  const list = order(updates);
  let doc;
  return {
    run() {
      doc = newDoc(2);
      applyAll(doc, list);
    },
    result: () => ({ doc }),
  };
};

export const alternating = () => {
  const doc = newDoc(1);
  const map = doc.getMap('map');
  for (let i = 0; i < 100000; i++) {
    map.set('hp', i);
    map.set('initiative', i);
  }
  return doc;
};

const OURS = {
  'updates in order': late((updates) => updates),
  'updates behind one missing': late(([first, ...others]) => [...others, first]),
  'same origin': crowd4000(),
};

function crowd4000() {
  return () => {
    const updates = [];
    for (let i = 0; i < 4000; i++) array(newDoc(i + 1, updates)).insert(0, [i]);
    let doc;
    return {
      run() {
        doc = newDoc(100000);
        applyAll(doc, updates);
      },
      result: () => ({ doc }),
    };
  };
}

const stores = (data) => ({
  'alternating load': () => {
    const stored = fs.readFileSync(`${data}/alternating.v1`);
    let doc;
    return {
      run() {
        doc = newDoc(2);
        Y.applyUpdate(doc, stored);
      },
      result: () => ({ doc, bytes: stored.length }),
    };
  },
});

// Updates as u32 length and bytes each.
export const readUpdates = (path) => {
  const bytes = fs.readFileSync(path);
  const updates = [];
  for (let at = 0; at < bytes.length; ) {
    const size = bytes.readUInt32LE(at);
    updates.push(new Uint8Array(bytes.subarray(at + 4, at + 4 + size)));
    at += 4 + size;
  }
  return updates;
};

export const scenarios = (data) => {
  const path = `${data}/b4.trace`;
  const known = { ...B1, ...B2, ...B3, ...OURS, ...stores(data) };
  return fs.existsSync(path) ? { ...known, ...trace(readTrace(path), data) } : known;
};
