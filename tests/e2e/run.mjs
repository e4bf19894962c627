// node run.mjs [--suite NAME[,NAME]] [FILTER]: runs the browser tests; the last line counts them.
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
  if (kOnTheRealNode.includes(name) && !has_binary()) {
    // The pages can be worked on without a C++ build; a binary that was named has to be there.
    if (process.env.FOOTLIGHT_BIN) {
      console.error(`no footlight at ${footlight_bin}`);
      process.exit(2);
    }
    console.log(`skipped: suite ${name}, as there is no ${footlight_bin}`);
    continue;
  }
  await import(`./suites/${name}.mjs`);
}
process.exit((await run_all(args[0] ?? '')) === 0 ? 0 : 1);
