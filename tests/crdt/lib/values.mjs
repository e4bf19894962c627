// Random contents: values of every kind that the `any` encoding knows, words with surrogate pairs,
// attributes.

const ASCII = 'abcdefghijklmnopqrstuvwxyz  ,.\n';
const WIDE = [
  'ä',
  'ß',
  '€',
  '漢',
  '\u0800',
  '\u07ff',
  '\uffff',
  '😀',
  '🎲',
  '👩‍👩‍👧',
  '\u{10ffff}',
  '\u0000',
];
const KEYS = ['hp', 'name', 'x', 'y', 'ini', 'a', '0', '17', 'é', '🎲', ''];
const NUMBERS = [
  0,
  -0,
  1,
  -1,
  63,
  64,
  -63,
  -64,
  127,
  128,
  8191,
  8192,
  2147483647,
  -2147483647,
  2147483648,
  -2147483648,
  4294967295,
  9007199254740991,
  -9007199254740991,
  0.5,
  -0.25,
  0.1,
  3.4e38,
  1e300,
  5e-324,
  Infinity,
  -Infinity,
  NaN,
];
const JSON_NUMBERS = [
  0, 1, -1, 17, 2147483647, 2147483648, 9007199254740991, 0.5, 0.1, -2.5e-7, 1e21,
  1.7976931348623157e308, 123456789012345680000, 5e-324, 1e-7, 0.000001,
];

export const word = (rng, most = 8) => {
  const units = rng.between(1, most);
  let text = '';
  const wide = rng.chance(1, 5);
  while (text.length < units) {
    text += wide && rng.chance(1, 2) ? rng.pick(WIDE) : ASCII[rng.below(ASCII.length)];
  }
  return text;
};

export const key = (rng) => (rng.chance(1, 40) ? word(rng, 4) : rng.pick(KEYS));

const bytes = (rng) => {
  const value = new Uint8Array(rng.below(6));
  for (let i = 0; i < value.length; i++) value[i] = rng.below(256);
  return value;
};

const number = (rng) =>
  rng.weighted([
    [4, () => rng.below(100)],
    [2, () => rng.u32() - 0x80000000],
    [2, () => rng.pick(NUMBERS)],
    [1, () => rng.u32() / 0x10000],
  ])();

const object = (rng, depth, inner) => {
  const value = {};
  for (let i = rng.below(3); i > 0; i--) value[key(rng)] = inner(rng, depth + 1);
  return value;
};

const list = (rng, depth, inner) =>
  Array.from({ length: rng.below(3) }, () => inner(rng, depth + 1));

export const any = (rng, depth = 0) =>
  rng.weighted([
    [6, () => number(rng)],
    [4, () => word(rng)],
    [2, () => rng.chance(1, 2)],
    [1, () => null],
    [1, () => undefined],
    [depth < 3 ? 2 : 0, () => object(rng, depth, any)],
    [depth < 3 ? 2 : 0, () => list(rng, depth, any)],
    [depth > 0 ? 1 : 0, () => bytes(rng)],
    [depth > 0 ? 1 : 0, () => BigInt(rng.u32() - 0x80000000) * BigInt(rng.u32())],
  ])();

// What stays the same through JSON: formats and embeds travel as JSON in version 1 and as `any` in
// version 2, and a history must not depend on which of the two delivered it.
export const json = (rng, depth = 0) =>
  rng.weighted([
    [3, () => rng.pick(JSON_NUMBERS)],
    [3, () => word(rng) + (rng.chance(1, 4) ? '"\\\u0007\u2028' : '')],
    [2, () => rng.chance(1, 2)],
    [1, () => null],
    [depth < 3 ? 2 : 0, () => object(rng, depth, json)],
    [depth < 3 ? 1 : 0, () => list(rng, depth, json)],
  ])();

// A top-level content of an array or a map: never bytes or big integers inside a run of `any`.
// yjs takes undefined in a map only.
export const content = (rng) =>
  rng.weighted([
    [12, () => any(rng) ?? null],
    [1, () => bytes(rng)],
  ])();

const ATTRIBUTES = ['bold', 'italic', 'link', 'color'];

// Attributes to set on a range; null takes one away.
export const attributes = (rng) => {
  const value = {};
  for (let i = rng.between(1, 2); i > 0; i--) {
    value[rng.pick(ATTRIBUTES)] = rng.weighted([
      [3, () => true],
      [3, () => null],
      [1, () => rng.pick(['red', 'green', ''])],
      [1, () => rng.below(3)],
    ])();
  }
  return value;
};
