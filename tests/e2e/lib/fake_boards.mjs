// Boards of the fake node: a relay of y-protocols with no rights and no memory but the document. Enough to
// look at the page; what a server has to promise is tested against the real one.
import * as Y from 'yjs';

const kOpen = { edit: true, rules: [] };

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
      rights: session.role === 'viewer' ? { edit: false, rules: [] } : kOpen,
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

/** A table in the middle of a scene. */
export function lay_table(doc, view) {
  doc.transact(() => {
    const map = doc.getMap('map');
    map.set('size', { x: 24, y: 15 });
    map.set('name', 'The gate below the roots');
    map.set('ppg', 70);
    const walls = [
      [
        [2, 2],
        [11, 2],
        [11, 7],
      ],
      [
        [11, 9],
        [11, 13],
        [2, 13],
        [2, 2],
      ],
      [
        [13, 4],
        [22, 4],
        [22, 11],
        [13, 11],
        [13, 9],
      ],
      [
        [13, 7],
        [13, 4],
      ],
    ];
    walls.forEach((points, k) =>
      doc.getMap('walls').set(String(k).padStart(5, '0'), {
        kind: 'wall',
        points: points.map(([x, y]) => ({ x, y })),
      }),
    );
    doc.getMap('portals').set('00000', {
      position: { x: 12, y: 8 },
      bounds: [
        { x: 11, y: 7 },
        { x: 11, y: 9 },
      ],
      rotation: 0,
      closed: true,
      freestanding: false,
    });
    doc.getMap('lights').set('00000', {
      position: { x: 6, y: 5 },
      range: 5,
      intensity: 1,
      color: 'ffeccd8b',
      shadows: true,
    });
    const tokens = [
      ['aria', 'Aria Venn', 5, 6, 1, 0],
      ['borin', 'Borin', 7, 8, 1, 2],
      ['wolf', 'Grey wolf', 9, 4, 1, 7],
      ['ogre', 'Ogre', 16, 6, 2, 1],
    ];
    for (const [id, name, x, y, size, color] of tokens) {
      const hp = view.characters[id]
        ? []
        : [
            ['hp', id === 'ogre' ? 31 : 4],
            ['hp_max', id === 'ogre' ? 59 : 11],
          ];
      doc
        .getMap('tokens')
        .set(
          id,
          new Y.Map([['name', name], ['at', [x, y]], ['size', size], ['color', color], ...hp]),
        );
    }
    const wave = [];
    for (let k = 0; k < 24; k++)
      wave.push(k ? 18 : 320, k ? Math.round(Math.sin(k / 2) * 20) : 1050);
    doc.getMap('drawing').set('s1', { c: 1, w: 9, p: wave });
    for (const [id, name, score] of [
      ['aria', 'Aria Venn', 19],
      ['ogre', 'Ogre', 14],
      ['borin', 'Borin', 11],
      ['wolf', 'Grey wolf', 7],
    ])
      doc.getMap('initiative').set(
        id,
        new Y.Map([
          ['name', name],
          ['score', score],
        ]),
      );
    doc.getMap('turn').set('id', 'ogre');
    doc.getMap('turn').set('round', 2);
    const note = new Y.Map([['title', 'What the sexton said']]);
    doc.getMap('notes').set('n1', note);
    const body = new Y.XmlFragment();
    note.set('body', body);
    const paragraph = new Y.XmlElement('paragraph');
    paragraph.insert(0, [new Y.XmlText('The bell answers whoever rings it twice.')]);
    body.insert(0, [paragraph]);
  });
}
