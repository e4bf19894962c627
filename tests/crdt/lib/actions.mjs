// Random operations, played on a yjs document and told to the engine in one go.
import * as Y from 'yjs';
import { ANY, C, DOC, KIND, TYPE } from './commands.mjs';
import { isMap, isText, make, pickType, tellPath, writeType } from './types.mjs';
import * as values from './values.mjs';

const NAMES = ['p', 'div', 'Token', 'note-1'];

// What goes into a place: [yjs value, how it is told, in words].
const anyContent = (value) => ({
  value,
  tell: (session) => session.u(ANY).any(value),
});

const typeContent = (rng, kinds) => {
  const kind = rng.pick(kinds);
  const name = kind === KIND.element || kind === KIND.hook ? rng.pick(NAMES) : '';
  return { value: make(kind, name), tell: (session) => session.u(TYPE).u(kind).s(name) };
};

const docContent = (rng) => {
  const guid = `sub-${rng.below(1000)}`;
  const options = {};
  if (rng.chance(1, 3)) options.meta = values.json(rng);
  if (rng.chance(1, 3)) options.autoLoad = true;
  if (rng.chance(1, 4)) options.gc = false;
  const doc = new Y.Doc({ guid, ...options });
  const told = new Y.ContentDoc(doc).opts;
  return { value: doc, tell: (session) => session.u(DOC).s(guid).any(told) };
};

const LIST_KINDS = [KIND.array, KIND.map, KIND.text, KIND.element, KIND.xmltext];
const XML_KINDS = [KIND.element, KIND.element, KIND.xmltext, KIND.xmltext, KIND.hook];

const contents = (rng, at, profile) => {
  const deep = at.path.steps.length < profile.depth;
  if (at.kind === KIND.element || at.kind === KIND.fragment) {
    if (!deep) return [typeContent(rng, [KIND.xmltext])];
    return Array.from({ length: rng.between(1, 2) }, () => typeContent(rng, XML_KINDS));
  }
  return Array.from(
    {
      length: rng.weighted([
        [6, 1],
        [3, 2],
        [1, 5],
      ]),
    },
    () =>
      rng.weighted([
        [6, () => anyContent(values.content(rng))],
        [deep ? 2 : 0, () => typeContent(rng, LIST_KINDS)],
        [profile.subdocs ? 1 : 0, () => docContent(rng)],
      ])(),
  );
};

class Scribe {
  constructor(rng, session, replica, profile) {
    Object.assign(this, { rng, session, replica, profile });
  }

  // The command's head: its code and the type it works on.
  begin(command, at, words) {
    this.session.u(command);
    writeType(this.session, this.replica.id, at.type, at.path.root);
    this.replica.told.push(`${tellPath(at.path)}.${words}`);
    return this.session;
  }

  contents(list) {
    this.session.u(list.length);
    for (const { tell } of list) tell(this.session);
  }

  attributes(value) {
    if (value === undefined) {
      this.session.u(0);
    } else {
      this.session.u(1).any(value);
    }
  }

  mapSet(at) {
    const { rng, session, profile } = this;
    const key = values.key(rng);
    const deep = at.path.steps.length < profile.depth;
    const content = rng.weighted([
      [8, () => anyContent(values.content(rng))],
      [deep ? 2 : 0, () => typeContent(rng, at.kind === KIND.hook ? XML_KINDS : LIST_KINDS)],
      [profile.subdocs ? 1 : 0, () => docContent(rng)],
    ])();
    this.begin(C.mapSet, at, `set(${JSON.stringify(key)})`).s(key);
    content.tell(session);
    at.type.set(key, content.value);
  }

  mapDelete(at) {
    const keys = [...at.type.keys()];
    const key =
      keys.length > 0 && this.rng.chance(7, 8) ? this.rng.pick(keys) : values.key(this.rng);
    this.begin(C.mapDelete, at, `delete(${JSON.stringify(key)})`).s(key);
    at.type.delete(key);
  }

  mapClear(at) {
    this.begin(C.mapClear, at, 'clear()');
    at.type.clear();
  }

  listInsert(at) {
    const { rng, profile } = this;
    const list = contents(rng, at, profile);
    const length = at.type.length;
    const index = rng.weighted([
      [6, rng.below(length + 1)],
      [2, length],
      [1, 0],
    ]);
    this.begin(C.listInsert, at, `insert(${index}, ${list.length})`).u(index);
    this.contents(list);
    at.type.insert(
      index,
      list.map(({ value }) => value),
    );
  }

  listPush(at) {
    const list = contents(this.rng, at, this.profile);
    this.begin(C.listPush, at, `push(${list.length})`);
    this.contents(list);
    at.type.push(list.map(({ value }) => value));
  }

  insertAfter(at) {
    const list = contents(this.rng, at, this.profile);
    const length = at.type.length;
    const index = this.rng.below(length + 1);
    // The engine has no such call: it inserts at the place behind the reference.
    this.begin(C.listInsert, at, `insertAfter(${index}, ${list.length})`).u(
      index === length ? 0 : index + 1,
    );
    this.contents(list);
    at.type.insertAfter(
      index === length ? null : at.type.get(index),
      list.map(({ value }) => value),
    );
  }

  range(length, most) {
    const index = this.rng.below(length);
    return [index, this.rng.between(1, Math.min(most, length - index))];
  }

  listDelete(at) {
    if (at.type.length === 0) return;
    const [index, length] = this.range(at.type.length, this.rng.chance(1, 8) ? 1000 : 3);
    this.begin(C.listDelete, at, `delete(${index}, ${length})`).u(index).u(length);
    at.type.delete(index, length);
  }

  textPlace(at) {
    const length = at.type.length;
    return this.rng.chance(1, 4) ? length : this.rng.below(length + 1);
  }

  textInsert(at) {
    const { rng, session, profile } = this;
    // Where an editor types: behind what it typed last, mostly.
    const last = this.replica.cursor;
    const index =
      last && last.type === at.type && last.index <= at.type.length && rng.chance(profile.typing, 8)
        ? last.index
        : this.textPlace(at);
    const text = values.word(rng, rng.chance(1, 8) ? 20 : 3);
    const attributes = profile.formats && rng.chance(1, 4) ? values.attributes(rng) : undefined;
    this.begin(
      C.textInsert,
      at,
      `insert(${index}, ${JSON.stringify(text)}, ${JSON.stringify(attributes)})`,
    )
      .u(index)
      .s(text);
    this.attributes(attributes);
    at.type.insert(index, text, attributes && { ...attributes });
    this.replica.cursor = { type: at.type, index: index + text.length };
    return session;
  }

  textEmbed(at) {
    const { rng, session, profile } = this;
    const index = this.textPlace(at);
    const nested = at.path.steps.length < profile.depth && rng.chance(1, 3);
    const content = nested
      ? typeContent(rng, LIST_KINDS)
      : anyContent({
          image: values.word(rng, 3),
          ...(rng.chance(1, 3) && { n: values.json(rng) }),
        });
    const attributes = profile.formats && rng.chance(1, 3) ? values.attributes(rng) : undefined;
    this.begin(C.textEmbed, at, `insertEmbed(${index}, …, ${JSON.stringify(attributes)})`).u(index);
    content.tell(session);
    this.attributes(attributes);
    at.type.insertEmbed(index, content.value, attributes && { ...attributes });
  }

  textDelete(at) {
    const total = at.type.length;
    if (total === 0) return;
    const [index, within] = this.range(total, this.rng.chance(1, 10) ? 1000 : 4);
    const length = this.rng.chance(1, 30) ? within + 5 : within; // yjs stops at the end
    this.begin(C.textDelete, at, `delete(${index}, ${length})`).u(index).u(length);
    at.type.delete(index, length);
  }

  textFormat(at) {
    const total = at.type.length;
    if (total === 0 || !this.profile.formats) return;
    const [index, within] = this.range(total, this.rng.chance(1, 6) ? 1000 : 6);
    const length = this.rng.chance(1, 40) ? within + 2 : within; // yjs appends newlines
    const attributes = values.attributes(this.rng);
    this.begin(C.textFormat, at, `format(${index}, ${length}, ${JSON.stringify(attributes)})`)
      .u(index)
      .u(length)
      .any(attributes);
    at.type.format(index, length, { ...attributes });
  }

  textDeltaApply(at) {
    const { rng, session, profile } = this;
    const delta = [];
    let left = at.type.length;
    for (let n = rng.between(1, 4); n > 0; n--) {
      const attributes = profile.formats && rng.chance(1, 3) ? values.attributes(rng) : undefined;
      const op = rng.weighted([
        [3, { insert: values.word(rng, 3) }],
        [left > 0 ? 3 : 0, { retain: rng.between(1, left) }],
        [left > 0 ? 2 : 0, { delete: rng.between(1, Math.min(left, 4)) }],
        [1, { insert: { image: values.word(rng, 2) } }],
      ]);
      left -= (op.retain ?? 0) + (op.delete ?? 0);
      if (attributes && op.delete === undefined) op.attributes = attributes;
      delta.push(op);
    }
    this.begin(C.textDeltaApply, at, `applyDelta(${JSON.stringify(delta)})`).u(delta.length);
    for (const op of delta) {
      if (op.retain !== undefined) session.u(0).u(op.retain);
      else if (op.delete !== undefined) session.u(1).u(op.delete);
      else if (typeof op.insert === 'string') session.u(2).s(op.insert);
      else session.u(3).u(ANY).any(op.insert);
      if (op.delete === undefined) this.attributes(op.attributes);
    }
    at.type.applyDelta(
      delta.map((op) => (op.attributes ? { ...op, attributes: { ...op.attributes } } : op)),
    );
  }

  attributeSet(at) {
    const name = this.rng.pick(['id', 'class', 'z', '7']);
    const value = this.rng.weighted([
      [6, values.word(this.rng, 3)],
      [1, this.rng.below(100)],
      [1, true],
    ]);
    this.begin(C.attributeSet, at, `setAttribute(${name})`).s(name).any(value);
    at.type.setAttribute(name, value);
  }

  attributeDelete(at) {
    const name = this.rng.pick(['id', 'class', 'z', '7']);
    this.begin(C.attributeDelete, at, `removeAttribute(${name})`).s(name);
    at.type.removeAttribute(name);
  }
}

const MAP_ACTIONS = [
  [12, 'mapSet'],
  [5, 'mapDelete'],
  [1, 'mapClear'],
];
const TEXT_ACTIONS = [
  [14, 'textInsert'],
  [7, 'textDelete'],
  [6, 'textFormat'],
  [2, 'textEmbed'],
  [2, 'textDeltaApply'],
  [1, 'attributeSet'],
  [1, 'attributeDelete'],
];
const LIST_ACTIONS = [
  [8, 'listInsert'],
  [2, 'listPush'],
  [6, 'listDelete'],
];
const FRAGMENT_ACTIONS = [
  [6, 'listInsert'],
  [2, 'listPush'],
  [2, 'insertAfter'],
  [4, 'listDelete'],
];
const ELEMENT_ACTIONS = [...FRAGMENT_ACTIONS, [4, 'attributeSet'], [2, 'attributeDelete']];

const actionsOf = (kind, type, profile) => {
  if (isMap(kind)) return MAP_ACTIONS;
  const crowded = type.length > profile.crowd;
  if (isText(kind)) return crowded ? [[3, 'textDelete'], ...TEXT_ACTIONS] : TEXT_ACTIONS;
  const actions =
    kind === KIND.array ? LIST_ACTIONS : kind === KIND.element ? ELEMENT_ACTIONS : FRAGMENT_ACTIONS;
  return crowded ? [[12, 'listDelete'], ...actions] : actions;
};

// One random operation inside the transaction that is open on both sides.
export const act = (rng, session, replica, profile) => {
  const at = pickType(rng, replica.doc, profile.roots, profile.down);
  const action = rng.weighted(actionsOf(at.kind, at.type, profile));
  new Scribe(rng, session, replica, profile)[action](at);
};
