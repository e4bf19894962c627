// Random histories on yjs replicas and on the engine side by side.
//
//   node random.mjs [--ops 1000000] [--seconds S] [--start SEED] [--jobs 2] [--profile NAME] [--steps N]
//   node random.mjs --seed 17 [--profile NAME] [--steps N] [--keep 3,8,12]     one history
//
// A failure prints the seed, the fewest steps that were found to fail, and the line that repeats it.
import { fork } from 'node:child_process';
import os from 'node:os';
import { parseArgs } from 'node:util';
import { EngineGone, Link } from './lib/link.mjs';
import { attempt, plan, play, shrink } from './lib/play.mjs';

const { values: words } = parseArgs({
  options: {
    ops: { type: 'string', default: '1000000' },
    seconds: { type: 'string', default: '3600' },
    start: { type: 'string', default: '1' },
    jobs: { type: 'string', default: String(Math.min(4, os.cpus().length)) },
    failures: { type: 'string', default: '1' },
    seed: { type: 'string' },
    profile: { type: 'string' },
    steps: { type: 'string' },
    keep: { type: 'string' },
    worker: { type: 'string' },
  },
});

const options = (seed) => ({
  ...plan(seed, { profile: words.profile, steps: words.steps && Number(words.steps) }),
  keep: words.keep?.split(',').map(Number),
});

const report = (seed, how, error) => {
  const small = shrink(seed, how, error);
  const steps = how.steps === plan(seed).steps ? '' : ` --steps ${how.steps}`;
  console.log(`failed: seed ${seed} (${how.profile}), ${small.keep.length} steps`);
  console.log(
    small.error instanceof EngineGone ? small.error.message : (small.error.stack ?? small.error),
  );
  console.log(
    `repeat: node tests/crdt/random.mjs --seed ${seed} --profile ${how.profile}${steps} --keep ${small.keep.join(',')}`,
  );
};

const one = (seed) => {
  const how = options(seed);
  const error = attempt(seed, how);
  if (error && how.keep) console.log(error.stack ?? error);
  else if (error) report(seed, how, error);
  console.log(error ? '0 passed, 1 failed' : '1 passed, 0 failed');
  return error ? 1 : 0;
};

// Plays every `jobs`-th seed until told to stop; tells each history's operations.
const worker = () => {
  const [first, stride] = words.worker.split(',').map(Number);
  let link = new Link();
  let stopped = false;
  process.on('message', () => (stopped = true));
  const next = (seed) => {
    if (stopped) {
      link.close();
      process.disconnect();
      return;
    }
    const how = options(seed);
    try {
      process.send({ seed, profile: how.profile, operations: play(link, seed, how).operations });
    } catch (error) {
      report(seed, how, error);
      process.send({ seed, profile: how.profile, failed: true, operations: 0 });
      link.close();
      link = new Link();
    }
    setImmediate(next, seed + stride);
  };
  next(first);
};

const many = async () => {
  const [start, jobs, wanted, most] = [words.start, words.jobs, words.ops, words.failures].map(
    Number,
  );
  let [operations, passed, failed] = [0, 0, 0];
  const began = Date.now();
  const children = [];
  const timer = setTimeout(() => stop(), Number(words.seconds) * 1000);
  // One that has just ended by itself cannot be told any more, and need not be.
  const stop = () =>
    children.forEach((child) => child.connected && child.send('stop', () => undefined));
  const ended = Array.from({ length: jobs }, (_, i) => {
    const words = process.argv.slice(2).concat('--worker', `${start + i},${jobs}`);
    const child = fork(new URL(import.meta.url).pathname, words);
    children.push(child);
    child.on('message', (message) => {
      operations += message.operations;
      if (message.failed) failed++;
      else passed++;
      if (operations >= wanted || failed >= most) stop();
    });
    return new Promise((resolve) => child.on('exit', (code) => resolve(code)));
  });
  const codes = await Promise.all(ended);
  clearTimeout(timer);
  if (codes.some((code) => code !== 0)) failed = Math.max(failed, 1);
  const seconds = ((Date.now() - began) / 1000).toFixed(0);
  console.log(`random histories: ${operations} operations from seed ${start}, ${seconds} s`);
  console.log(`${passed} passed, ${failed} failed`);
  return failed > 0 ? 1 : 0;
};

if (words.worker) worker();
else process.exitCode = words.seed ? one(Number(words.seed)) : await many();
