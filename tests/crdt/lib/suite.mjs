// The smallest test runner that says how many passed and failed.
import { Link, Session } from './link.mjs';

const tests = [];

export const test = (promise, body) => tests.push({ promise, body });

// Runs what was registered, each with a fresh session on one engine; a failure costs that engine.
export const runTests = async () => {
  let [passed, failed] = [0, 0];
  let link = new Link();
  for (const { promise, body } of tests.splice(0)) {
    const began = Date.now();
    try {
      const session = new Session(link);
      await body(session);
      session.flush();
      passed++;
      if (Date.now() - began > 3000) console.log(`${promise}: ${Date.now() - began} ms`);
    } catch (error) {
      failed++;
      console.log(`failed: ${promise}\n${error.stack ?? error}`);
      link.close();
      link = new Link();
    }
  }
  link.close();
  console.log(`${passed} passed, ${failed} failed`);
  return failed;
};

export const expectEqual = (got, wanted, what) => {
  const [a, b] = [JSON.stringify(got), JSON.stringify(wanted)];
  if (a !== b) throw new Error(`${what}: ${a}, not ${b}`);
};
