// node run.mjs [--suite NAME[,NAME]] [FILTER]: runs the browser tests; the last line counts them.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { run_all } from './lib/harness.mjs';
import { footlight_bin, has_binary } from './lib/real_node.mjs';

const kSuites = [
  'screens',
  'pages',
  'table',
  'show',
  'boards',
  'media',
  'whip',
  'recording',
  'disk',
  'peers',
  'channel',
  'relay',
  'tcp',
  'doctor',
  'stage',
  'program',
  'hls',
  'push',
  'dvr',
  'vod',
];
const kOnTheRealNode = [
  'show',
  'boards',
  'media',
  'whip',
  'recording',
  'disk',
  'peers',
  'channel',
  'relay',
  'tcp',
  'doctor',
  'stage',
  'program',
  'hls',
  'push',
  'dvr',
  'vod',
];

const args = process.argv.slice(2);
const at = args.indexOf('--suite');
const wanted = at >= 0 ? args.splice(at, 2)[1].split(',') : kSuites;
for (const name of wanted) {
  if (!kSuites.includes(name)) {
    console.error(`no suite ${name}; there are ${kSuites.join(', ')}`);
    process.exit(2);
  }
}
process.exit((await (wanted.length === 1 ? run_here(wanted[0]) : run_each(wanted))) === 0 ? 0 : 1);

async function run_here(name) {
  if (kOnTheRealNode.includes(name) && !has_binary()) {
    // The pages can be worked on without a C++ build; a binary that was named has to be there.
    if (process.env.FOOTLIGHT_BIN) {
      console.error(`no footlight at ${footlight_bin}`);
      process.exit(2);
    }
    console.log(`skipped: suite ${name}, as there is no ${footlight_bin}`);
    return 0;
  }
  await import(`./suites/${name}.mjs`);
  return run_all(args[0] ?? '');
}

/** Each suite is a process: some use WebRTC stacks in native code, whose threads outlive what a suite does with them. */
async function run_each(names) {
  const totals = { passed: 0, failed: 0 };
  for (const name of names) {
    const words = [fileURLToPath(import.meta.url), '--suite', name, ...args];
    const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] });
    let told = false;
    for await (const line of createInterface({ input: child.stdout })) {
      const counts = /^(\d+) passed, (\d+) failed$/.exec(line);
      if (!counts) {
        console.log(line);
        continue;
      }
      totals.passed += Number(counts[1]);
      totals.failed += Number(counts[2]);
      told = true;
    }
    const ended =
      child.exitCode ?? child.signalCode ?? (await once(child, 'exit')).find((it) => it !== null);
    if (told || ended === 0) continue;
    totals.failed++;
    console.log(`FAILED  suite ${name} ended with ${ended}`);
  }
  console.log(`${totals.passed} passed, ${totals.failed} failed`);
  return totals.failed;
}
