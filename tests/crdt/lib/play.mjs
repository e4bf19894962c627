// One history from a seed, and what to do when it fails: find fewer steps that fail too.
import { EngineGone, Link, Session } from './link.mjs';
import { PROFILES } from './profiles.mjs';
import { Prng } from './prng.mjs';
import { World } from './world.mjs';

export const plan = (seed, { profile, steps } = {}) => {
  const rng = new Prng(seed, 0xface);
  const names = Object.keys(PROFILES);
  const name = profile ?? names[seed % names.length];
  return {
    profile: name,
    steps:
      steps ??
      rng.weighted([
        [6, 150],
        [3, 600],
        [1, 2500],
      ]),
  };
};

// Plays the steps of `keep` (or all). Returns {operations}; throws what went wrong.
export const play = (link, seed, { profile, steps, keep }) => {
  const session = new Session(link);
  const world = new World(session, seed, profile);
  const list = keep ?? Array.from({ length: steps }, (_, i) => i);
  for (const index of list) world.step(index);
  session.flush();
  const equal = world.settle();
  if (!equal) throw new Error(`the yjs replicas themselves did not converge (seed ${seed})`);
  world.close();
  return { operations: world.operations };
};

// A fresh engine for each try: after a failure the old one may be anywhere.
export const attempt = (seed, options) => {
  const link = new Link();
  try {
    play(link, seed, options);
    return undefined;
  } catch (error) {
    return error;
  } finally {
    link.close();
  }
};

const kind = (error) => (error instanceof EngineGone ? 'gone' : error.constructor.name);

// Delta debugging over the list of steps.
export const shrink = (seed, options, first, seconds = 60) => {
  const until = Date.now() + seconds * 1000;
  let keep = options.keep ?? Array.from({ length: options.steps }, (_, i) => i);
  let error = first;
  const fails = (list) => {
    const found = attempt(seed, { ...options, keep: list });
    if (found && kind(found) === kind(first)) {
      error = found;
      return true;
    }
    return false;
  };
  // Nothing after the step that failed matters.
  const at = /^step (\d+):/.exec(first.message);
  if (at) {
    const head = keep.filter((index) => index <= Number(at[1]));
    if (fails(head)) keep = head;
  }
  for (
    let size = Math.ceil(keep.length / 2);
    size >= 1;
    size = size === 1 ? 0 : Math.ceil(size / 2)
  ) {
    for (let from = 0; from < keep.length && Date.now() < until; ) {
      const fewer = [...keep.slice(0, from), ...keep.slice(from + size)];
      if (fails(fewer)) keep = fewer;
      else from += size;
    }
  }
  return { keep, error };
};
