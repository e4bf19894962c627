// A small runner: tests run one after another, each with a time limit, and the run ends with one
// line `N passed, N failed`. Browsers and servers are dear, so suites share them and say when.

const groups = [];

/**
 * Opens a group: the tests registered after it share what `before` makes and `after` ends, both of
 * which run only when a test of the group does.
 */
export function group(name, { before, after }) {
  groups.push({ name, before, after, tests: [] });
}

/** Registers a test. `name` states the promise. */
export function test(name, run, { timeout_ms = 60_000 } = {}) {
  const last = groups.at(-1);
  last.tests.push({ name: `${last.name}: ${name}`, run, timeout_ms });
}

export function assert(condition, message) {
  if (!condition) throw new Error(message);
}

export function equal(actual, expected, what = 'value') {
  const [a, b] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (a !== b) throw new Error(`${what}: got ${a}, expected ${b}`);
}

/**
 * Asks `probe` until it answers truthily; the answer. Fails with `what`, a text or a function that makes it, after
 * `timeout_ms`.
 */
export async function until(probe, what, timeout_ms = 10_000, every_ms = 50) {
  const end = performance.now() + timeout_ms;
  let last_error = null;
  for (;;) {
    try {
      const answer = await probe();
      if (answer) return answer;
      last_error = null;
    } catch (error) {
      last_error = error;
    }
    if (performance.now() > end) {
      throw new Error(
        `waited ${timeout_ms} ms for ${typeof what === 'function' ? what() : what}${last_error ? `: ${last_error.message}` : ''}`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, every_ms));
  }
}

async function within(run, timeout_ms) {
  let timer;
  const limit = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`took longer than ${timeout_ms} ms`)), timeout_ms);
  });
  try {
    await Promise.race([run(), limit]);
  } finally {
    clearTimeout(timer);
  }
}

/** Runs what was registered; `filter` keeps names that contain it. The number of failures. */
export async function run_all(filter = '') {
  const totals = { passed: 0, failed: 0 };
  async function attempt(name, run, timeout_ms, counts = true) {
    const begin = performance.now();
    try {
      await within(run, timeout_ms);
      if (!counts) return true;
      totals.passed++;
      console.log(`ok      ${name} (${Math.round(performance.now() - begin)} ms)`);
      return true;
    } catch (error) {
      totals.failed++;
      console.log(
        `FAILED  ${name}\n        ${String(error.stack ?? error).replaceAll('\n', '\n        ')}`,
      );
      return false;
    }
  }
  for (const { name, before, after, tests } of groups) {
    const wanted = tests.filter((it) => it.name.includes(filter));
    if (wanted.length === 0) continue;
    if (await attempt(`${name}: before`, before, 60_000, false)) {
      for (const it of wanted) await attempt(it.name, it.run, it.timeout_ms);
    } else {
      totals.failed += wanted.length - 1;
    }
    await attempt(`${name}: after`, after, 60_000, false);
  }
  console.log(`${totals.passed} passed, ${totals.failed} failed`);
  return totals.failed;
}
