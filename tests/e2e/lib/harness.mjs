// A small runner: tests run one after another, each with a time limit, and the run ends with one
// line `N passed, N failed`. Browsers and servers are dear, so suites share them and say when.

const tests = [];

/** Registers a test. `name` states the promise. */
export function test(name, run, { timeout_ms = 60_000 } = {}) {
  tests.push({ name, run, timeout_ms });
}

export function assert(condition, message) {
  if (!condition) throw new Error(message);
}

export function equal(actual, expected, what = 'value') {
  const [a, b] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (a !== b) throw new Error(`${what}: got ${a}, expected ${b}`);
}

/** Asks `probe` until it answers truthily; the answer. Fails with `what` after `timeout_ms`. */
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
      throw new Error(`waited ${timeout_ms} ms for ${what}${last_error ? `: ${last_error.message}` : ''}`);
    }
    await new Promise((resolve) => setTimeout(resolve, every_ms));
  }
}

/** Runs what was registered; `filter` keeps names that contain it. The number of failures. */
export async function run_all(filter = '') {
  let passed = 0;
  let failed = 0;
  for (const { name, run, timeout_ms } of tests) {
    if (!name.includes(filter)) continue;
    const begin = performance.now();
    let timer;
    const limit = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`took longer than ${timeout_ms} ms`)), timeout_ms);
    });
    try {
      await Promise.race([run(), limit]);
      passed++;
      console.log(`ok      ${name} (${Math.round(performance.now() - begin)} ms)`);
    } catch (error) {
      failed++;
      console.log(`FAILED  ${name}\n        ${String(error.stack ?? error).replaceAll('\n', '\n        ')}`);
    } finally {
      clearTimeout(timer);
    }
  }
  console.log(`${passed} passed, ${failed} failed`);
  return failed;
}
