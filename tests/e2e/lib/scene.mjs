// An episode in full swing, to look at: what a house of the fake node shows. In scene.json times are
// {"$at": minutes since the start} or {"$now": milliseconds from now}, people are {"$who": account}
// (as a key "who:account"), and hashes {"$hex": [seed, digits]}.
import { readFileSync } from 'node:fs';

const text = readFileSync(new URL('./scene.json', import.meta.url), 'utf8');
const kAgeMinutes = 34;

/** Digits that look random and are the same in every run. */
function hex(seed, digits) {
  let state = seed;
  let out = '';
  while (out.length < digits) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    out += (state >>> 8).toString(16).padStart(6, '0');
  }
  return out.slice(0, digits);
}

export function who_of(account) {
  const seed = [...account].reduce((sum, char) => sum * 31 + char.codePointAt(0), 7) >>> 0;
  return hex(seed, 16);
}

function resolve(value, now) {
  if (Array.isArray(value)) return value.map((it) => resolve(it, now));
  if (typeof value !== 'object' || value === null) return value;
  if ('$at' in value) return now + (value.$at - kAgeMinutes) * 60_000;
  if ('$now' in value) return now + value.$now;
  if ('$who' in value) return who_of(value.$who);
  if ('$hex' in value) return hex(...value.$hex);
  const named = (key) => (key.startsWith('who:') ? who_of(key.slice(4)) : key);
  return Object.fromEntries(
    Object.entries(value).map(([key, it]) => [named(key), resolve(it, now)]),
  );
}

/** A fresh copy of the view, at this moment. */
export function example_view() {
  return resolve(JSON.parse(text), Date.now());
}
