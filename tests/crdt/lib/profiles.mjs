// What a history is made of. A seed picks one; `--profile` names one.
import { ROOTS } from './types.mjs';

const [ARRAY, MAP, TEXT, XML, MAP2] = ROOTS;

const base = {
  roots: [
    [3, ARRAY],
    [3, MAP],
    [4, TEXT],
    [2, XML],
    [1, MAP2],
  ],
  down: 4, // chances in 8 to step into a child
  depth: 4, // types nest at most so deep
  crowd: 60, // a sequence longer than this is rather cut than grown
  typing: 3, // chances in 8 that text goes on where it ended
  formats: true,
  subdocs: false,
  undo: false,
  gc: 'on', // on, off or mixed
  replicas: [2, 4],
  burst: [1, 4], // operations of one transaction
  lossy: 1, // chances in 16 that a message is lost, doubled or overtaken
  weights: {
    local: 40,
    deliver: 40,
    sync: 4,
    merge: 3,
    reload: 1,
    check: 1,
    client: 0,
    undo: 0,
    history: 0,
    place: 1,
  },
};

const profile = (changes) => ({
  ...base,
  ...changes,
  weights: { ...base.weights, ...changes.weights },
});

export const PROFILES = {
  mixed: profile({}),
  text: profile({ roots: [[1, TEXT]], down: 0, crowd: 150 }),
  typing: profile({
    roots: [[1, TEXT]],
    down: 0,
    crowd: 400,
    typing: 7,
    formats: false,
    burst: [1, 1],
  }),
  formats: profile({
    roots: [[1, TEXT]],
    down: 1,
    crowd: 40,
    replicas: [2, 3],
    weights: { deliver: 60 },
  }),
  maps: profile({
    roots: [
      [3, MAP],
      [1, MAP2],
    ],
    down: 2,
    depth: 2,
  }),
  arrays: profile({ roots: [[1, ARRAY]], down: 2, crowd: 100 }),
  xml: profile({ roots: [[1, XML]], down: 5, depth: 6 }),
  deep: profile({ down: 7, depth: 40, crowd: 5 }),
  lossy: profile({ lossy: 8, replicas: [3, 5], weights: { sync: 8, merge: 8 } }),
  subdocs: profile({
    subdocs: true,
    roots: [
      [1, ARRAY],
      [1, MAP],
    ],
  }),
  keeping: profile({ gc: 'off', weights: { history: 4 } }),
  mixedgc: profile({ gc: 'mixed' }),
  undo: profile({ undo: true, replicas: [1, 3], weights: { undo: 14, deliver: 20 } }),
  undotext: profile({
    undo: true,
    roots: [[1, TEXT]],
    down: 1,
    replicas: [1, 2],
    weights: { undo: 14, deliver: 20 },
  }),
  clients: profile({ replicas: [2, 4], weights: { client: 3, reload: 3 } }),
};

export const pickProfile = (rng) => rng.pick(Object.keys(PROFILES));
