// Types of a document: the roots every history has, and how to find one at random.
import * as Y from 'yjs';
import { C, KIND } from './commands.mjs';

export const ROOTS = [
  { kind: KIND.array, name: 'array' },
  { kind: KIND.map, name: 'map' },
  { kind: KIND.text, name: 'text' },
  { kind: KIND.fragment, name: 'xml' },
  { kind: KIND.map, name: 'été' },
];

export const rootOf = (doc, { kind, name }) => {
  switch (kind) {
    case KIND.array:
      return doc.getArray(name);
    case KIND.map:
      return doc.getMap(name);
    case KIND.text:
      return doc.getText(name);
    case KIND.element:
      return doc.getXmlElement(name);
    default:
      return doc.getXmlFragment(name);
  }
};

export const kindOf = (type) => {
  if (type instanceof Y.XmlText) return KIND.xmltext;
  if (type instanceof Y.Text) return KIND.text;
  if (type instanceof Y.XmlHook) return KIND.hook;
  if (type instanceof Y.Map) return KIND.map;
  if (type instanceof Y.XmlElement) return KIND.element;
  if (type instanceof Y.XmlFragment) return KIND.fragment;
  return KIND.array;
};

export const isText = (kind) => kind === KIND.text || kind === KIND.xmltext;
export const isMap = (kind) => kind === KIND.map || kind === KIND.hook;

export const make = (kind, name) => {
  switch (kind) {
    case KIND.array:
      return new Y.Array();
    case KIND.map:
      return new Y.Map();
    case KIND.text:
      return new Y.Text();
    case KIND.element:
      return new Y.XmlElement(name);
    case KIND.fragment:
      return new Y.XmlFragment();
    case KIND.hook:
      return new Y.XmlHook(name);
    default:
      return new Y.XmlText();
  }
};

// How the engine finds the twin of a type: a root by kind and name, another by the id of its item.
export const writeType = (session, docId, type, root) => {
  session.u(docId);
  const item = type._item;
  if (item === null) session.u(0).u(root.kind).s(root.name);
  else session.u(1).u(item.id.client).u(item.id.clock);
};

// path: {root, steps}; a step is a key (string) or a place in a sequence (number). For messages.
export const tellPath = (path) =>
  path.root.name + path.steps.map((step) => `[${JSON.stringify(step)}]`).join('');

const embeddedTypes = (text) => {
  const found = [];
  let index = 0;
  for (let item = text._start; item !== null; item = item.right) {
    if (item.deleted || !item.countable) continue;
    if (item.content instanceof Y.ContentType) found.push([index, item.content.type]);
    index += item.length;
  }
  return found;
};

// A random child type of `type`: [step, child], or undefined.
const child = (rng, type, kind) => {
  if (isMap(kind)) {
    const keys = [...type.keys()];
    if (keys.length === 0) return undefined;
    const key = rng.pick(keys);
    const value = type.get(key);
    return value instanceof Y.AbstractType ? [key, value] : undefined;
  }
  if (isText(kind)) {
    if (!rng.chance(1, 3)) return undefined;
    const found = embeddedTypes(type);
    return found.length > 0 ? rng.pick(found) : undefined;
  }
  for (let tries = 0; tries < 3 && type.length > 0; tries++) {
    const index = rng.below(type.length);
    const value = type.get(index);
    if (value instanceof Y.AbstractType) return [index, value];
  }
  return undefined;
};

// A random type of the document: a root chosen by `roots` ([[weight, root]]), then `down` chances in
// 8 to descend at each level.
export const pickType = (rng, doc, roots, down = 4) => {
  const root = rng.weighted(roots);
  let type = rootOf(doc, root);
  let kind = root.kind;
  const steps = [];
  while (rng.chance(down, 8)) {
    const next = child(rng, type, kind);
    if (next === undefined) break;
    steps.push(next[0]);
    type = next[1];
    kind = kindOf(type);
  }
  return { type, kind, path: { root, steps } };
};

export const defineRoot = (session, docId, root) => {
  session.u(C.root).u(docId).u(root.kind).s(root.name);
};
