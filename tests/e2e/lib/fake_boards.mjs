// Boards of the fake node: a relay of y-protocols with no rights and no memory but the document. Enough to
// look at the page; what a server has to promise is tested against the real one.
import * as Y from 'yjs';

const kOpen = { edit: true, may: ['insert', 'change', 'delete'], rules: [] };

function varint(n) {
  const bytes = [];
  for (; n > 127; n = Math.floor(n / 128)) bytes.push(n % 128 | 128);
  return [...bytes, n];
}
function read_varint(bytes, at) {
  let [n, scale] = [0, 1];
  for (;;) {
    const byte = bytes[at++];
    n += (byte & 127) * scale;
    scale *= 128;
    if (byte < 128) return [n, at];
  }
}

export class FakeBoards {
  #docs = new Map();
  #seats = new Map();
  #clients = 5000;

  doc(id = 'table') {
    if (!this.#docs.has(id)) {
      const doc = new Y.Doc();
      this.#docs.set(id, doc);
      doc.on('update', (update, from) =>
        this.#relay(id, from, [0, 2, ...varint(update.length), ...update]),
      );
    }
    return this.#docs.get(id);
  }

  message(session, { t, b }) {
    if (t === 'board.close') {
      this.leave(session);
      return;
    }
    this.#seats.set(session, { ...this.#seats.get(session), [b]: { n: 0 } });
    session.send({
      ...{ t: 'board', b, client: ++this.#clients, gen: 1, title: 'The table', kind: 'map' },
      rights: session.role === 'viewer' ? { edit: false, may: [], rules: [] } : kOpen,
      limits: { update_bytes: 262144, doc_bytes: 4194304, awareness_bytes: 4096 },
    });
    const vector = Y.encodeStateVector(this.doc(b));
    this.#send(session, b, [0, 0, ...varint(vector.length), ...vector]);
  }
  frame(session, bytes) {
    const [length, at] = read_varint(bytes, 1);
    const id = new TextDecoder().decode(bytes.subarray(at, at + length));
    const message = bytes.subarray(at + length);
    const seat = this.#seats.get(session)?.[id];
    if (!seat) return;
    if (message[0] === 1) {
      this.#relay(id, session, [...message]);
      return;
    }
    if (message[0] !== 0) return;
    const [size, from] = read_varint(message, 2);
    const body = message.subarray(from, from + size);
    if (message[1] === 0) {
      const update = Y.encodeStateAsUpdate(this.doc(id), body);
      this.#send(session, id, [0, 1, ...varint(update.length), ...update]);
    } else {
      Y.applyUpdate(this.doc(id), body, session);
      session.send({ t: 'board', b: id, ack: ++seat.n });
    }
  }
  /** Someone who is not there says where they are. */
  presence(id, client, clock, state) {
    const text = new TextEncoder().encode(JSON.stringify(state));
    const body = [1, ...varint(client), ...varint(clock), ...varint(text.length), ...text];
    this.#relay(id, null, [1, ...varint(body.length), ...body]);
  }
  leave(session) {
    this.#seats.delete(session);
  }

  #relay(id, from, message) {
    for (const [session, seats] of this.#seats) {
      if (session !== from && seats[id]) this.#send(session, id, message);
    }
  }
  #send(session, id, message) {
    const name = new TextEncoder().encode(id);
    const { socket } = session;
    if (socket.readyState === 1) {
      socket.send(Uint8Array.from([1, ...varint(name.length), ...name, ...message]));
    }
  }
}

const point = (x, y) => ({ x, y });
const kWalls = [
  [point(2, 2), point(11, 2), point(11, 7)],
  [point(11, 9), point(11, 13), point(2, 13), point(2, 2)],
  [point(13, 4), point(22, 4), point(22, 11), point(13, 11), point(13, 9)],
  [point(13, 7), point(13, 4)],
];
const kDoor = {
  position: point(12, 8),
  bounds: [point(11, 7), point(11, 9)],
  rotation: 0,
  closed: true,
  freestanding: false,
};
const kLight = {
  position: point(6, 5),
  range: 5,
  intensity: 1,
  color: 'ffeccd8b',
  shadows: true,
};
const kTokens = {
  aria: { name: 'Aria Venn', at: [5, 6], size: 1, color: 0 },
  borin: { name: 'Borin', at: [7, 8], size: 1, color: 2, hp: 4, hp_max: 11 },
  wolf: { name: 'Grey wolf', at: [9, 4], size: 1, color: 7, hp: 4, hp_max: 11 },
  ogre: { name: 'Ogre', at: [16, 6], size: 2, color: 1, hp: 31, hp_max: 59 },
};
const kScores = { aria: 19, ogre: 14, borin: 11, wolf: 7 };

/** A table in the middle of a scene. */
export function lay_table(doc) {
  const set = (root, key, value) => doc.getMap(root).set(key, value);
  const map_of = (fields) => new Y.Map(Object.entries(fields));
  doc.transact(() => {
    set('map', 'size', point(24, 15));
    set('map', 'name', 'The gate below the roots');
    set('map', 'ppg', 70);
    kWalls.forEach((points, k) => set('walls', `0000${k}`, { kind: 'wall', points }));
    set('portals', '00000', kDoor);
    set('lights', '00000', kLight);
    for (const [id, token] of Object.entries(kTokens)) set('tokens', id, map_of(token));
    for (const [id, score] of Object.entries(kScores))
      set('initiative', id, map_of({ name: kTokens[id].name, score }));
    set('turn', 'id', 'ogre');
    set('turn', 'round', 2);
    const wave = [320, 1050];
    for (let k = 1; k < 24; k++) wave.push(18, Math.round(Math.sin(k / 2) * 20));
    set('drawing', 's1', { c: 1, w: 9, p: wave });
    const body = new Y.XmlFragment();
    set('notes', 'n1', map_of({ title: 'What the sexton said', body }));
    const paragraph = new Y.XmlElement('paragraph');
    paragraph.insert(0, [new Y.XmlText('The bell answers whoever rings it twice.')]);
    body.insert(0, [paragraph]);
  });
}
