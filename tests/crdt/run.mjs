// All of it: the suites, then random histories. `node run.mjs [SUITE...]` runs only those named.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { replicaBinary } from './lib/link.mjs';
import { runTests } from './lib/suite.mjs';

const here = new URL('.', import.meta.url).pathname;
const [OPS, SECONDS] = [process.env.CRDT_OPS ?? '40000', process.env.CRDT_SECONDS ?? '30'];
const SUITES = ['documents', 'awareness', 'sync', 'mutations', 'corpus', 'counters'];
const wanted = process.argv.slice(2);

if (!fs.existsSync(replicaBinary())) {
  console.log(`0 passed, 1 failed  (${replicaBinary()} is missing: ./dev build)`);
  process.exit(1);
}

let failed = 0;
for (const suite of SUITES) {
  if (wanted.length > 0 && !wanted.includes(suite)) continue;
  const began = Date.now();
  await import(`./suites/${suite}.mjs`);
  failed += await runTests();
  console.log(`${suite}: ${((Date.now() - began) / 1000).toFixed(1)} s`);
}
if (wanted.length === 0 || wanted.includes('random')) {
  const words = [`${here}random.mjs`, '--ops', OPS, '--seconds', SECONDS];
  failed += spawnSync(process.execPath, words, { stdio: 'inherit' }).status === 0 ? 0 : 1;
}
process.exitCode = failed > 0 ? 1 : 0;
