// A node with no logic worth the name: enough of the session protocol to bring pages to life and to
// put them into states that a healthy node is seldom in. What is tested here is the pages alone; the
// suites against the real node test the show.
import { randomBytes } from 'node:crypto';
import { WebSocketServer } from 'ws';
import { FakeBoards, lay_table } from './fake_boards.mjs';
import { example_view, who_of } from './scene.mjs';
import { serve_pages } from './static_server.mjs';

const kDirectorsOnly = ['cues', 'moderation', 'log'];

/** An unsigned token that says who one is. */
export function fake_token(account, role, { name = account, chars = [], ep = 'demo' } = {}) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = { sub: account, ep, role, name, chars, exp: Math.floor(Date.now() / 1000) + 3600 };
  return `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}.${randomBytes(8).toString('base64url')}`;
}

export class FakeNode {
  view = example_view();
  tallies = new Map([['fork', { ver: 1, counts: [214, 167, 88], voters: 469 }]]);
  mode = { mode: 'live', code: 0, message: '' };
  build = 'b1';
  /** Set to refuse every hello with this bye. */
  refuse = null;
  /** 'confirm' | 'accept' (never confirmed) | 'hold' (never answered) */
  answer = 'confirm';
  off = 1240;
  sessions = new Set();
  /** Every command that came, as [kind, args]. */
  commands = [];
  ballots = new Map();
  boards = new FakeBoards();

  static async start(port, answers = {}) {
    const node = new FakeNode();
    lay_table(node.boards.doc('table'));
    node.#mirror();
    node.http = await serve_pages(port, {
      '/v1/episodes/demo/recording': { recording: false },
      '/v1/program/demo/status.json': { there: false, live: false },
      '/v1/episodes/demo/program': {
        ...{ state: 'off', layout: 'table', chosen: false, starts: 0, parts: 0, bytes: 0 },
        ...{ last_end: null, renditions: [], encoder: null },
      },
      ...answers,
    });
    node.address = `http://127.0.0.1:${port}`;
    node.sockets = new WebSocketServer({
      server: node.http,
      path: '/v1/ws',
      handleProtocols: () => 'footlight.v1',
    });
    node.sockets.on('connection', (socket) => node.#accept(socket));
    node.slo_timer = setInterval(() => node.#slo(), 1000);
    return node;
  }
  async stop() {
    clearInterval(this.slo_timer);
    for (const socket of this.sockets.clients) socket.terminate();
    this.http.closeAllConnections();
    await new Promise((resolve) => this.http.close(resolve));
  }
  link(page, account, role, options = {}, extra = '') {
    return `${this.address}/${page}/#ep=demo&token=${fake_token(account, role, options)}${extra}`;
  }

  /** Replaces entities for everyone. */
  patch(...entries) {
    for (const [collection, id, entity] of entries) {
      this.view[collection] ??= {};
      if (entity === null) delete this.view[collection][id];
      else this.view[collection][id] = entity;
    }
    this.off++;
    this.#mirror();
    for (const session of this.sessions) {
      const seen = entries.filter(
        ([collection]) => session.directs || !kDirectorsOnly.includes(collection),
      );
      if (seen.length > 0) session.send({ t: 'delta', off: this.off, at: Date.now(), p: seen });
    }
  }
  broadcast(message) {
    for (const session of this.sessions) session.send(message);
  }
  set_mode(mode, code = 0, message = '') {
    this.mode = { mode, code, message };
    this.broadcast({ t: 'mode', ...this.mode });
  }
  tally(poll) {
    const tally = this.tallies.get(poll);
    if (tally)
      this.broadcast({ t: 'tally', poll, log: this.off, state: 'open', final: false, ...tally });
  }
  cut() {
    for (const socket of this.sockets.clients) socket.terminate();
  }

  /** The view as the document `$state`. */
  #mirror() {
    const characters = this.boards.doc('$state').getMap('characters');
    for (const [id, one] of Object.entries(this.view.characters)) characters.set(id, one);
  }

  #accept(socket) {
    const session = {
      socket,
      send: (message) => socket.readyState === 1 && socket.send(JSON.stringify(message)),
    };
    socket.on('message', (data, binary) => {
      if (binary) this.boards.frame(session, new Uint8Array(data));
      else this.#on_message(session, JSON.parse(String(data)));
    });
    socket.on('close', () => {
      this.sessions.delete(session);
      this.boards.leave(session);
    });
  }
  #on_message(session, message) {
    if (message.t === 'hello') this.#hello(session, message);
    else if (message.t === 'ping') session.send({ t: 'pong', c: message.c, s: Date.now() });
    else if (message.t.startsWith('board.')) this.boards.message(session, message);
    else if (message.t === 'ev') for (const event of message.e) this.#event(session, event);
  }
  #hello(session, { token }) {
    if (this.refuse) {
      session.send({ t: 'bye', reconnect: false, ...this.refuse });
      session.socket.close(this.refuse.code);
      return;
    }
    const claims = JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString());
    Object.assign(session, claims, {
      who: who_of(claims.sub),
      directs: claims.role === 'gm' || claims.role === 'producer',
    });
    this.sessions.add(session);
    const fork = this.view.polls.fork;
    if (fork?.state === 'open')
      Object.assign(fork, { opened_ms: Date.now() - 38_000, deadline_ms: Date.now() + 52_000 });
    const view = structuredClone(this.view);
    if (!session.directs) {
      for (const collection of kDirectorsOnly) delete view[collection];
      for (const [id, poll] of Object.entries(view.polls))
        if (poll.state === 'ready') delete view.polls[id];
      for (const [id, scene] of Object.entries(view.scenes))
        if (!scene.visited) delete view.scenes[id];
    }
    session.send({
      t: 'welcome',
      v: 1,
      sid: randomBytes(16).toString('hex'),
      edge: 'edge-0',
      epoch: 1,
      off: this.off,
      now_ms: Date.now(),
      ep: claims.ep,
      role: claims.role,
      name: claims.name,
      resumed: false,
      view,
      me: {
        ballots: this.ballots.get(claims.sub) ?? {},
        last_i: 0,
        muted_until_ms: 0,
        chars: claims.chars,
        who: session.who,
      },
      mode: this.mode,
      limits: { frame_bytes: 16384, batch: 64, tick_ms: 100 },
      build: this.build,
    });
    for (const poll of this.tallies.keys()) this.tally(poll);
    session.send({
      t: 'presence',
      audience: 1284,
      edges: [
        ['edge-0', 742],
        ['edge-1', 542],
      ],
    });
  }
  #event(session, { i, k, a }) {
    this.commands.push([k, a]);
    if (k === 'emote') {
      this.broadcast({ t: 'emotes', c: { [a.e]: a.n ?? 1 } });
      return;
    }
    if (this.answer === 'hold') return;
    if (a.text === '/refuse') {
      session.send({
        t: 'ack',
        rejected: [{ i, code: 4500, message: 'You are muted.', retry_after_ms: 0 }],
      });
      return;
    }
    session.send({ t: 'ack', accepted: [i] });
    if (this.answer === 'accept') return;
    const confirmed = { i, log: ++this.off };
    if (k === 'poll.vote') {
      confirmed.hash = randomBytes(16).toString('hex');
      const tally = this.tallies.get(a.poll);
      if (tally && a.choice.length > 0) {
        tally.ver++;
        tally.voters++;
        for (const index of a.choice) tally.counts[index]++;
      }
    } else if (k === 'chat.say') {
      const id = String(this.off);
      this.patch([
        'chat',
        id,
        {
          id,
          at_ms: Date.now(),
          who: session.who,
          name: session.name,
          role: session.role,
          text: a.text,
        },
      ]);
    } else if (k === 'char.hp') {
      const before = this.view.characters[a.char];
      const hp = a.set ?? Math.max(0, Math.min(before.hp_max, before.hp + (a.delta ?? 0)));
      this.patch([
        'characters',
        a.char,
        { ...before, ver: before.ver + 1, hp, hp_temp: a.temp ?? before.hp_temp },
      ]);
    }
    session.send({ t: 'ack', confirmed: [confirmed] });
    if (k === 'poll.vote') this.tally(a.poll);
  }
  #slo() {
    const wave = Math.sin(Date.now() / 9000);
    const row = (name, budget_ms, n, p50, p99) => ({
      class: name,
      budget_ms,
      n,
      p50,
      p99,
      max: Math.round(p99 * 1.3),
      holds: p99 <= budget_ms,
    });
    const message = {
      t: 'slo',
      m: [
        row(
          'vote',
          250,
          5310,
          Math.round(64 + 8 * wave),
          Math.round(142 + 34 * wave + Math.random() * 14),
        ),
        row(
          'command',
          500,
          214,
          Math.round(11 + 2 * wave),
          Math.round(26 + 6 * wave + Math.random() * 5),
        ),
        row('reaction', 250, 1904, 131, Math.round(224 + 12 * wave)),
        row('delta', 250, 9120, 4, 19),
      ],
      rates: {
        events_per_s: 41,
        ballots_per_s: Math.round(312 + 80 * wave),
        deliveries_per_s: Math.round(12_840 + 900 * wave),
      },
      log: { seq: this.off, commit_p50_us: 820, commit_p99_us: 2410 },
      edges: [
        { edge: 'edge-0', sessions: 748, queue_bytes: 0 },
        { edge: 'edge-1', sessions: 545, queue_bytes: 2048 },
      ],
    };
    for (const session of this.sessions) if (session.role === 'producer') session.send(message);
  }
}
