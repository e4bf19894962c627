// node run.mjs [--suite NAME] [FILTER]: runs the browser tests; the last line counts them.
import { run_all } from './lib/harness.mjs';
import { screens } from './suites/screens.mjs';

const kFirstPort = Number(process.env.E2E_PORT ?? 18150);
const suites = { screens: () => screens(kFirstPort) };

const args = process.argv.slice(2);
const at = args.indexOf('--suite');
const wanted = at >= 0 ? args.splice(at, 2)[1].split(',') : Object.keys(suites);
for (const name of wanted) {
  if (!suites[name]) {
    console.error(`no suite ${name}; there are ${Object.keys(suites).join(', ')}`);
    process.exit(2);
  }
  suites[name]();
}
const failed = await run_all(args[0] ?? '');
process.exit(failed === 0 ? 0 : 1);
