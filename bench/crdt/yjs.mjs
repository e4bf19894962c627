// node yjs.mjs DATA prepare                writes the inputs that both sides read
// node yjs.mjs DATA run NAME...            times scenarios, one JSON line each
// node --expose-gc yjs.mjs DATA memory     heap of the stored documents
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import * as Y from 'yjs';
import { alternating, newDoc, readTrace, scenarios, type } from './scenarios.mjs';

const [data, command, ...names] = process.argv.slice(2);

const prepare = () => {
  fs.writeFileSync(`${data}/alternating.v1`, Y.encodeStateAsUpdate(alternating()));
  if (!fs.existsSync(`${data}/b4.trace`)) return;
  const edits = readTrace(`${data}/b4.trace`);
  const doc = newDoc(1);
  const updates = [];
  doc.on('update', (update) => updates.length < 16000 && updates.push(update));
  type(doc, edits);
  fs.writeFileSync(`${data}/b4.v1`, Y.encodeStateAsUpdate(doc));
  fs.writeFileSync(`${data}/b4.v2`, Y.encodeStateAsUpdateV2(doc));
  const framed = updates.flatMap((update) => {
    const size = Buffer.alloc(4);
    size.writeUInt32LE(update.length);
    return [size, update];
  });
  fs.writeFileSync(`${data}/keystrokes`, Buffer.concat(framed));
};

// The median of at least `least` runs and 300 ms of them; the first run warms up when there are
// more than two.
const time = (make) => {
  const { run, result } = make();
  const took = [];
  const began = performance.now();
  do {
    const from = performance.now();
    run();
    took.push(performance.now() - from);
  } while (
    (performance.now() - began < 300 || took.length < 2) &&
    took.length < 40 &&
    performance.now() - began < 12000
  );
  if (took.length > 2) took.shift();
  took.sort((a, b) => a - b);
  const { doc, bytes, hashed } = result();
  const state = hashed ?? Y.encodeStateAsUpdate(doc);
  return {
    ms: took[took.length >> 1],
    runs: took.length,
    bytes: bytes ?? state.length,
    hash: createHash('sha256').update(state).digest('hex').slice(0, 16),
  };
};

const memory = () => {
  for (const [name, file, apply] of [
    ['B4 memory', 'b4.v2', Y.applyUpdateV2],
    ['alternating memory', 'alternating.v1', Y.applyUpdate],
  ]) {
    if (!fs.existsSync(`${data}/${file}`)) continue;
    const stored = fs.readFileSync(`${data}/${file}`);
    apply(new Y.Doc(), stored); // what is compiled and cached on the way stays out of the count
    const used = () => {
      global.gc();
      global.gc();
      const { heapUsed, arrayBuffers } = process.memoryUsage();
      return heapUsed + arrayBuffers;
    };
    const before = used();
    const doc = new Y.Doc();
    apply(doc, stored);
    const bytes = used() - before;
    console.log(JSON.stringify({ name, memory_bytes: bytes, clients: doc.store.clients.size }));
  }
};

if (command === 'prepare') prepare();
else if (command === 'memory') memory();
else {
  const known = scenarios(data);
  for (const name of names)
    if (known[name]) console.log(JSON.stringify({ name, ...time(known[name]) }));
}
