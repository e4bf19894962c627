// node run.mjs [--suite NAME] [FILTER]: runs the browser tests; the last line counts them.
import { run_all } from './lib/harness.mjs';
import { pages } from './suites/pages.mjs';
import { screens } from './suites/screens.mjs';
import { show } from './suites/show.mjs';
import { footlight_bin, has_binary } from './lib/real_node.mjs';

const kFirstPort = Number(process.env.E2E_PORT ?? 18150);
const suites = { screens: () => screens(kFirstPort), pages: () => pages(kFirstPort + 1), show: () => show(kFirstPort + 2) };

const args = process.argv.slice(2);
const at = args.indexOf('--suite');
const wanted = at >= 0 ? args.splice(at, 2)[1].split(',') : Object.keys(suites);
for (const name of wanted) {
  if (!suites[name]) {
    console.error(`no suite ${name}; there are ${Object.keys(suites).join(', ')}`);
    process.exit(2);
  }
  if (name === 'show' && !has_binary()) {
    // Locally the pages can be worked on without a C++ build; a named binary that is missing is a fault.
    if (process.env.FOOTLIGHT_BIN) {
      console.error(`no footlight at ${footlight_bin}`);
      process.exit(2);
    }
    console.log(`skipped: suite show, as there is no ${footlight_bin}`);
    continue;
  }
  suites[name]();
}
const failed = await run_all(args[0] ?? '');
process.exit(failed === 0 ? 0 : 1);
