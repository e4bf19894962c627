import { describe, expect, test } from 'vitest';
import { FakeServer, seededRandom, type FakeClaims, type FakeServerOptions } from './fake/index.ts';
import {
  ClientCode,
  Codes,
  createClient,
  type ClientOptions,
  type ClientState,
  type FootlightClient,
  type Transport,
} from './index.ts';

const FORK = { polls: { fork: { options: ['left', 'right'] } } };

function world(options: FakeServerOptions = {}): FakeServer {
  return new FakeServer({ episode: FORK, ...options });
}

function made(
  server: FakeServer,
  more: ClientOptions = {},
  claims: FakeClaims = { sub: 'ann' },
): { client: FootlightClient; states: ClientState[]; problems: number[] } {
  const client = createClient(server.options(claims, more));
  const states: ClientState[] = [];
  const problems: number[] = [];
  client.on('state', (state) => states.push(state));
  client.on('problem', ({ code }) => problems.push(code));
  return { client, states, problems };
}

const live = (server: FakeServer, client: FootlightClient): Promise<void> =>
  server.clock.until(() => client.state.get().name === 'live', 120_000);
const names = (states: ClientState[]): string[] => states.map((state) => state.name);

describe('connecting', () => {
  test('goes idle → connecting → live, once however often it is asked', async () => {
    const server = world();
    const { client, states } = made(server);
    expect(client.state.get()).toEqual({ name: 'idle' });
    client.connect();
    client.connect();
    await live(server, client);
    client.connect();
    await server.advance(1000);
    expect(names(states)).toEqual(['connecting', 'live']);
    expect(server.network.tries).toEqual({ websocket: 1, https: 0 });
    expect(client.session.get()).toMatchObject({ ep: 'demo', role: 'viewer', name: 'ann' });
  });

  test('without an address there is a plain error', () => {
    expect(() => createClient({ token: 'x' })).toThrow(/give a url/);
  });

  test('waits between attempts as the protocol has it, while nothing answers', async () => {
    const server = world();
    server.network.blockWebSocket = server.network.blockHttps = true;
    const random = { ...seededRandom(1), unit: () => 0.999 };
    const { client } = made(server, { random });
    const waits: number[] = [];
    client.on('state', (state) => {
      if (state.name !== 'waiting') return;
      expect(state.reason.code).toBe(ClientCode.network);
      waits.push(Math.round((state.until - server.clock.wall()) / 0.999));
    });
    client.connect();
    await server.advance(200_000);
    expect(waits.slice(0, 9)).toEqual([
      ...[500, 1000, 2000, 4000, 8000, 16_000],
      ...[30_000, 30_000, 30_000],
    ]);
  });

  test('a server that takes the connection and says nothing is given up', async () => {
    const server = world();
    server.network.muteWebSocket = true;
    const { client } = made(server);
    client.connect();
    await server.advance(7900);
    expect(client.state.get()).toMatchObject({ name: 'connecting', transport: 'websocket' });
    await server.advance(300);
    expect(client.state.get()).toMatchObject({ name: 'live', transport: 'https' });
  });

  test('attempts begin anew only after the connection has held for five seconds', async () => {
    const server = world();
    const { client, states } = made(server);
    client.connect();
    const attempts = (): number[] =>
      states.flatMap((state) => (state.name === 'waiting' ? [state.attempt] : []));
    for (let k = 0; k < 3; ++k) {
      await live(server, client);
      server.disconnect();
      await server.advance(10);
    }
    expect(attempts()).toEqual([1, 2, 3]);
    await live(server, client);
    await server.advance(5100);
    server.disconnect();
    await server.advance(10);
    expect(attempts()).toEqual([1, 2, 3, 1]);
  });
});

describe('resume', () => {
  test('brings what was missed, and only that', async () => {
    const server = world();
    const { client } = made(server);
    client.connect();
    await live(server, client);
    server.patch([['characters', 'aria', { name: 'Aria', hp: 9 }]]);
    await server.advance(50);
    const aria = client.view.get('characters', 'aria');
    server.disconnect();
    server.patch([['characters', 'bram', { name: 'Bram', hp: 3 }]]);
    await server.advance(10);
    await live(server, client);
    await server.advance(50);
    expect(client.state.get()).toMatchObject({ name: 'live', resumed: true });
    expect(server.history[1]?.hello.resume).toEqual({ epoch: 1, off: 2 });
    expect(client.view.get('characters', 'aria')).toBe(aria);
    expect(client.view.get('characters', 'bram')).toMatchObject({ hp: 3 });
    expect(client.view.offset).toBe(3);
  });

  test('of a server that has forgotten brings the whole view', async () => {
    const server = world();
    const { client } = made(server);
    client.connect();
    await live(server, client);
    server.patch([['characters', 'aria', { name: 'Aria', hp: 9 }]]);
    await server.advance(50);
    server.disconnect();
    server.patch([['characters', 'aria', null]]);
    server.forgetDeltas();
    await server.advance(10);
    await live(server, client);
    expect(client.state.get()).toMatchObject({ resumed: false });
    expect(client.view.get('characters', 'aria')).toBeUndefined();
  });

  test('of another epoch is never taken for the same', async () => {
    const server = world();
    const { client } = made(server);
    const builds: unknown[] = [];
    client.on('build', (change) => builds.push(change));
    client.connect();
    await live(server, client);
    server.restart('newer');
    await server.advance(20);
    await live(server, client);
    expect(client.state.get()).toMatchObject({ resumed: false });
    expect(client.view.epoch).toBe(2);
    expect(builds).toEqual([{ from: 'fake', to: 'newer' }]);
  });

  test('that the server claims but the client cannot follow begins anew', async () => {
    const server = world();
    const hellos: object[] = [];
    const welcome = { t: 'welcome', v: 1, sid: 's', epoch: 4, off: 9, now_ms: 1, role: 'viewer' };
    const transport: Transport = {
      kind: 'websocket',
      open(_, hello, { message }) {
        hellos.push(JSON.parse(hello()) as object);
        const whole = { ...welcome, resumed: false, view: { timers: { a: {} } } };
        const first = hellos.length === 1;
        server.clock.setTimeout(
          () => message(JSON.stringify(first ? { ...welcome, resumed: true } : whole)),
          1,
        );
        return { send() {}, buffered: () => 0, welcomed() {}, close() {} };
      },
    };
    const { client, states } = made(server, { transports: [transport] });
    client.connect();
    await live(server, client);
    expect(hellos).toHaveLength(2);
    expect(names(states)).toEqual(['connecting', 'waiting', 'connecting', 'live']);
    expect(client.view.collection('timers').get().size).toBe(1);
  });

  test('a delta that is not newer than the view is passed over', async () => {
    const server = world();
    const { client } = made(server);
    client.connect();
    await live(server, client);
    server.patch([['polls', 'fork', { options: ['x'] }]]);
    await server.advance(50);
    server.tell({ t: 'delta', off: 2, at: 0, p: [['polls', 'fork', null]] });
    await server.advance(50);
    expect(client.view.get('polls', 'fork')).toMatchObject({ options: ['x'] });
  });
});

describe('the server ends it', () => {
  test('with advice: back within the window, and no sooner', async () => {
    const server = world();
    const { client } = made(server);
    client.connect();
    await live(server, client);
    server.bye(Codes.Draining, { reconnect: true, after_ms: [3000, 4000] });
    await server.advance(20);
    const state = client.state.get();
    expect(state).toMatchObject({ name: 'waiting', reason: { code: 4900 } });
    server.lifecycle.tell('online');
    await server.advance(2900);
    expect(client.state.get().name).toBe('waiting');
    await server.advance(1200);
    expect(client.state.get().name).toBe('live');
  });

  test('for good: closed with its code, and nothing is tried again', async () => {
    const server = world();
    const { client, states } = made(server);
    client.connect();
    await live(server, client);
    const sent = client.chat('last words');
    server.bye(Codes.Banned);
    await server.advance(600_000);
    expect(client.state.get()).toMatchObject({ name: 'closed', code: Codes.Banned });
    expect(names(states)).toEqual(['connecting', 'live', 'closed']);
    await expect(sent.confirmed).rejects.toMatchObject({ code: ClientCode.closed });
    expect(server.network.tries.websocket).toBe(1);
  });

  test('replaced by another session of this outbox: closed, or the two would fight for ever', async () => {
    const server = world();
    const { client } = made(server);
    client.connect();
    await live(server, client);
    server.bye(Codes.SessionReplaced);
    await server.advance(60_000);
    expect(client.state.get()).toMatchObject({ name: 'closed', code: 4902 });
    client.connect();
    await live(server, client);
  });

  test('by a close code alone: the code says whether to come back', async () => {
    for (const [code, back] of [
      [Codes.SlowConsumer, true],
      [Codes.Idle, true],
      [Codes.Internal, true],
      [Codes.ServerFull, true],
      [Codes.Kicked, false],
      [Codes.UnknownVersion, false],
      [Codes.EpisodeUnknown, false],
    ] as const) {
      const server = world();
      const { client } = made(server);
      client.connect();
      await live(server, client);
      server.close(code);
      await server.advance(60_000);
      expect(client.state.get().name, String(code)).toBe(back ? 'live' : 'closed');
      client.close();
    }
  });

  test('before the welcome, paced: comes back as advised', async () => {
    const server = world();
    server.helloRefusals.push({ code: Codes.JoinPaced, reconnect: true, after_ms: [5000, 6000] });
    const { client } = made(server);
    client.connect();
    await server.advance(4900);
    expect(client.state.get()).toMatchObject({ name: 'waiting', reason: { code: 4204 } });
    await server.advance(1300);
    expect(client.state.get().name).toBe('live');
    expect(server.network.tries.https).toBe(0);
  });
});

describe('fallback', () => {
  test('a blocked WebSocket leads to HTTPS at once, and everything works there', async () => {
    const server = world();
    server.network.blockWebSocket = true;
    const { client, states } = made(server);
    client.connect();
    await live(server, client);
    expect(server.clock.now()).toBeLessThan(100);
    expect(names(states)).toEqual(['connecting', 'connecting', 'live']);
    expect(client.state.get()).toMatchObject({ transport: 'https' });
    const sent = [client.vote('fork', [1]), client.chat('over POST')];
    expect(client.emote('heart')).toBe(true);
    await server.advance(400);
    expect(sent.map((one) => one.status.get().state)).toEqual(['confirmed', 'confirmed']);
    expect(client.tally('fork').get()?.counts).toEqual([0, 1]);
    expect(client.emotes.get()).toEqual({ heart: 1 });
    expect(client.clock.get()?.samples).toBeGreaterThan(0);
  });

  test('WebSocket is tried again beside it and takes over without a gap', async () => {
    const server = world();
    server.network.blockWebSocket = true;
    const { client, states } = made(server, { websocketRetryMs: 10_000 });
    client.connect();
    await live(server, client);
    await server.advance(10_100);
    expect(server.network.tries.websocket).toBe(2);
    expect(client.state.get()).toMatchObject({ name: 'live', transport: 'https' });
    server.network.blockWebSocket = false;
    await server.advance(15_000);
    expect(server.network.tries.websocket).toBe(2);
    server.loseAcks = true;
    const sent = client.chat('during the change');
    await server.advance(4800);
    expect(client.state.get()).toMatchObject({ name: 'live', transport: 'https' });
    server.loseAcks = false;
    await server.advance(250);
    expect(client.state.get()).toMatchObject({ name: 'live', transport: 'websocket' });
    expect(client.state.get()).toMatchObject({ resumed: true });
    await server.advance(200);
    expect(sent.status.get().state).toBe('confirmed');
    expect(server.applied).toHaveLength(1);
    expect(names(states)).not.toContain('waiting');
    expect(names(states)).not.toContain('closed');
    expect(server.sessions).toHaveLength(1);
  });

  test('a WebSocket that opens but carries nothing costs one more HTTPS session, not the client', async () => {
    const server = world();
    server.network.blockWebSocket = true;
    const { client } = made(server, { websocketRetryMs: 10_000 });
    client.connect();
    await live(server, client);
    server.network.blockWebSocket = false;
    server.network.muteWebSocket = true;
    await server.advance(60_000);
    expect(client.state.get()).toMatchObject({ name: 'live', transport: 'https' });
    const sent = client.chat('still here');
    await server.advance(100);
    expect(sent.status.get().state).toBe('confirmed');
  });

  test('a WebSocket that has worked is given three chances first', async () => {
    const server = world();
    const { client, states } = made(server);
    client.connect();
    await live(server, client);
    await server.advance(6000);
    server.network.blockWebSocket = true;
    server.disconnect();
    await server.advance(10);
    await live(server, client);
    expect(server.network.tries).toEqual({ websocket: 4, https: 1 });
    expect(client.state.get()).toMatchObject({ transport: 'https' });
    expect(names(states).filter((name) => name === 'waiting')).toHaveLength(3);
  });

  test('with both down, attempts stay apart: one wait for each round', async () => {
    const server = world();
    server.network.blockWebSocket = server.network.blockHttps = true;
    const { client } = made(server);
    client.connect();
    await server.advance(60_000);
    const { websocket, https } = server.network.tries;
    expect(websocket + https).toBeLessThan(40);
    expect(https).toBeGreaterThan(2);
    server.network.blockHttps = server.network.blockWebSocket = false;
    await live(server, client);
  });

  test('a WebSocket that cannot even be made (mixed content) counts as blocked', async () => {
    const server = world();
    const WebSocket = class {
      constructor() {
        throw new DOMException('insecure', 'SecurityError');
      }
    } as never;
    const { client } = made(server, { WebSocket });
    client.connect();
    await live(server, client);
    expect(client.state.get()).toMatchObject({ transport: 'https' });
  });

  test('an HTTPS session the server has lost is opened again', async () => {
    const server = world();
    server.network.blockWebSocket = true;
    const { client } = made(server);
    client.connect();
    await live(server, client);
    (server.history[0] as unknown as { peer: { close(): void } }).peer.close = () => {};
    server.disconnect();
    const sent = client.chat('to nobody');
    await server.clock.until(() => sent.status.get().state === 'confirmed');
    expect(server.history).toHaveLength(2);
  });
});

describe('the network falls silent', () => {
  test('an idle client pings every ten seconds, so the server need not close it', async () => {
    const server = world();
    const { client } = made(server);
    client.connect();
    await live(server, client);
    await server.advance(61_000);
    const pings = server.history[0]?.received.filter((message) => message.t === 'ping') ?? [];
    // Four for the clock, then one each ten seconds.
    expect(pings.length).toBeGreaterThanOrEqual(4 + 5);
    expect(pings.length).toBeLessThanOrEqual(4 + 7);
  });

  test('silence is noticed within 30 s and the client connects again', async () => {
    const server = world();
    const { client, states } = made(server);
    client.connect();
    await live(server, client);
    server.network.silent = true;
    await server.advance(30_500);
    expect(names(states)).toContain('waiting');
    server.network.silent = false;
    await live(server, client);
  });

  test('a page that becomes visible asks at once, and knows in five seconds', async () => {
    const server = world();
    const { client, states } = made(server);
    client.connect();
    await live(server, client);
    await server.advance(1500);
    server.network.silent = true;
    server.lifecycle.tell('visible');
    await server.advance(4900);
    expect(client.state.get().name).toBe('live');
    await server.advance(200);
    expect(names(states)).toEqual(['connecting', 'live', 'waiting']);
    server.network.silent = false;
    server.lifecycle.tell('online');
    await server.advance(50);
    expect(client.state.get().name).toBe('live');
  });

  test('a hidden page whose timers sleep still pings while it is spoken to', async () => {
    const server = world();
    const clock = server.clock.fork();
    const slow = { ...clock, setTimeout: (run: () => void) => clock.setTimeout(run, 60_000) };
    const { client } = made(server, { clock: slow });
    client.connect();
    await live(server, client);
    for (let k = 0; k < 30; ++k) {
      server.tell({ t: 'presence', audience: k, edges: [] });
      await server.advance(1000);
    }
    const pings = server.history[0]?.received.filter((message) => message.t === 'ping') ?? [];
    expect(pings.length).toBeGreaterThanOrEqual(1);
  });

  test('a hidden page comes back more slowly, and at once when it is seen', async () => {
    const server = world();
    const { client } = made(server);
    client.connect();
    await live(server, client);
    server.lifecycle.tell('hidden');
    server.disconnect();
    await server.advance(4900);
    expect(client.state.get().name).toBe('waiting');
    server.lifecycle.tell('visible');
    await server.advance(50);
    expect(client.state.get().name).toBe('live');
  });
});

describe('token', () => {
  test('is asked for when there is none, and a failure to give one is no end', async () => {
    const server = world();
    const reasons: string[] = [];
    const answers = [
      () => Promise.reject(new Error('login first')),
      () => Promise.resolve(''),
      () => Promise.resolve(server.token({ sub: 'ann' })),
    ];
    const { token: _, ...options } = server.options({ sub: 'ann' });
    const client = createClient({
      ...options,
      getToken: (reason) => {
        reasons.push(reason);
        return (answers.shift() ?? answers[0])?.() ?? Promise.resolve('');
      },
    });
    const states: ClientState[] = [];
    client.on('state', (state) => states.push(state));
    client.connect();
    await live(server, client);
    expect(reasons).toEqual(['connect', 'connect', 'connect']);
    expect(states[1]).toMatchObject({ name: 'waiting', reason: { code: ClientCode.noToken } });
  });

  test('is refreshed in the session a minute before it expires', async () => {
    const server = world();
    const reasons: string[] = [];
    const getToken = (reason: string): Promise<string> => {
      reasons.push(reason);
      return Promise.resolve(server.token({ sub: 'ann', expiresIn: 600 }));
    };
    const { client, states } = made(server, {
      token: server.token({ sub: 'ann', expiresIn: 300 }),
      getToken,
    });
    client.connect();
    await live(server, client);
    await server.advance(235_000);
    expect(reasons).toEqual([]);
    await server.advance(6000);
    expect(reasons).toEqual(['expiring']);
    const told = server.history[0]?.received.filter((message) => message.t === 'token') ?? [];
    expect(told).toHaveLength(1);
    await server.advance(540_000);
    expect(reasons).toEqual(['expiring', 'expiring']);
    expect(names(states)).toEqual(['connecting', 'live']);
  });

  test('a refresh that fails is tried again', async () => {
    const server = world();
    let asked = 0;
    const getToken = (): Promise<string> =>
      ++asked < 3
        ? Promise.reject(new Error('busy'))
        : Promise.resolve(server.token({ sub: 'ann', expiresIn: 6000 }));
    const { client } = made(server, {
      token: server.token({ sub: 'ann', expiresIn: 300 }),
      getToken,
    });
    client.connect();
    await live(server, client);
    await server.advance(299_000);
    expect(asked).toBe(3);
  });

  test('one that is refused is replaced once asked for, and given up after five', async () => {
    const server = world();
    const reasons: string[] = [];
    const getToken = (reason: string): Promise<string> => {
      reasons.push(reason);
      return Promise.resolve(server.token({ sub: 'ann' }));
    };
    const { client } = made(server, { token: 'not.a.token', getToken });
    client.connect();
    await live(server, client);
    expect(reasons).toEqual(['refused']);

    const stubborn = world();
    for (let k = 0; k < 20; ++k) {
      stubborn.helloRefusals.push({ code: Codes.TokenBadSignature, reconnect: false });
    }
    let asked = 0;
    const again = made(stubborn, {
      getToken: () => {
        ++asked;
        return Promise.resolve(stubborn.token({ sub: 'ann' }));
      },
    });
    again.client.connect();
    await stubborn.advance(300_000);
    expect(again.client.state.get()).toMatchObject({ name: 'closed', code: 4101 });
    expect(asked).toBe(5);
  });

  test('one that is refused and cannot be replaced closes with the code', async () => {
    const server = world();
    const { client } = made(server, { token: server.token({ sub: 'ann', expiresIn: -60 }) });
    client.connect();
    await server.advance(60_000);
    expect(client.state.get()).toMatchObject({ name: 'closed', code: Codes.TokenExpired });
  });

  test('one that ran out while away is not carried to the server', async () => {
    const server = world();
    let asked = 0;
    const getToken = (): Promise<string> => {
      ++asked;
      return Promise.resolve(server.token({ sub: 'ann' }));
    };
    const { client } = made(server, {
      token: server.token({ sub: 'ann', expiresIn: -1 }),
      getToken,
    });
    client.connect();
    await live(server, client);
    expect(asked).toBe(1);
    expect(server.history).toHaveLength(1);
  });
});

describe('garbage from the server', () => {
  const GARBAGE = [
    ...['', 'null', '[]', '{}', '{"t":5}', '"t"', '{"t":"ack","accepted":[{}]}', '\0', '<html>'],
    ...['{"t":"__proto__"}', '{"t":"constructor"}', '{"t":"toString"}', '{"t":"hello"}'],
    ...['{"t":"welcome"}', '{"t":"tally"}', '{"t":"pong","c":1e99,"s":0}', '{"t":"mode","mode":3}'],
    ...[
      '{"t":"bye"}',
      '{"t":"delta","off":1.5,"p":[]}',
      '{"t":"slo","m":[null]}',
      '['.repeat(9999),
    ],
    ...['{"t":"ack","confirmed":[{"i":1,"log":-1}]}', '{"t":"presence","audience":"many"}'],
    ...['{"t":"pong","c":99,"s":9}', '{"t":"ack","confirmed":[{"i":77,"log":1}]}'],
  ];

  test.each(GARBAGE)('%j is survived: the client is live and works afterwards', async (text) => {
    const server = world();
    const { client } = made(server);
    client.connect();
    await live(server, client);
    const sent = client.chat('before');
    server.raw(text);
    await server.clock.until(() => sent.status.get().state === 'confirmed');
    await live(server, client);
    const after = client.vote('fork', [0]);
    await server.clock.until(() => after.status.get().state === 'confirmed');
    expect(server.applied).toHaveLength(2);
    client.close();
  });

  test.each(GARBAGE)('%j before the welcome is survived', async (text) => {
    const server = world();
    const { client } = made(server);
    server.helloRefusals.push({ code: Codes.Draining, reconnect: true, after_ms: [0, 1] });
    client.connect();
    await server.advance(12);
    server.raw(text);
    await live(server, client);
    client.close();
  });

  test('what may have been a delta leads to a fresh view, with a wait between', async () => {
    const server = world();
    const { client, states, problems } = made(server);
    client.connect();
    await live(server, client);
    server.raw('{"t":"delta","off":2,"at":1,"p":[["polls"]]}');
    await server.advance(20);
    expect(problems).toEqual([ClientCode.badServerFrame]);
    expect(client.state.get().name).toBe('waiting');
    await live(server, client);
    expect(server.history[1]?.hello.resume).toBeUndefined();
    expect(names(states)).toEqual(['connecting', 'live', 'waiting', 'connecting', 'live']);
  });

  test('another unreadable message costs itself alone', async () => {
    const server = world();
    const { client, states, problems } = made(server);
    client.connect();
    await live(server, client);
    server.raw('{"t":"tally","poll":"fork"}');
    server.raw('{"t":"from the future","x":1}');
    await server.advance(20);
    expect(problems).toEqual([ClientCode.badServerFrame]);
    expect(names(states)).toEqual(['connecting', 'live']);
  });
});

describe('nothing is left behind', () => {
  test('close() ends every timer and listener, in whatever state', async () => {
    const steps: ((server: FakeServer) => Promise<void>)[] = [
      async () => {},
      (server) => server.advance(1),
      (server) => server.advance(12),
      (server) => server.advance(100),
      (server) => server.advance(30_000),
      async (server) => {
        await server.advance(100);
        server.disconnect();
        await server.advance(10);
      },
      async (server) => {
        server.network.blockWebSocket = true;
        await server.advance(15_000);
      },
      async (server) => {
        server.network.blockWebSocket = true;
        await server.advance(9000);
        server.network.blockWebSocket = false;
        server.network.muteWebSocket = true;
        await server.advance(3000);
      },
      async (server) => {
        await server.advance(100);
        server.network.silent = true;
        server.lifecycle.tell('visible');
        await server.advance(10);
      },
    ];
    for (const [k, step] of steps.entries()) {
      const server = world();
      const clock = server.clock.fork();
      const getToken = (): Promise<string> => Promise.resolve(server.token({ sub: 'ann' }));
      const { client, states } = made(server, { clock, getToken, websocketRetryMs: 10_000 });
      client.connect();
      client.vote('fork', [0]);
      client.chat('pending');
      await step(server);
      client.emote('heart');
      client.close();
      expect(clock.pending, `step ${k}`).toBe(0);
      expect(server.lifecycle.watched, `step ${k}`).toBe(false);
      await server.advance(1000);
      expect(clock.pending, `step ${k}, later`).toBe(0);
      expect(client.state.get()).toMatchObject({ name: 'closed', code: 0 });
      const { length } = states;
      await server.advance(120_000);
      expect(states.length).toBe(length);
      if (!server.network.silent) expect(server.sessions).toEqual([]);
    }
  });

  test('a lock is given back even when close() comes while it is being claimed', async () => {
    const server = world();
    const { client } = made(server);
    client.connect();
    client.close();
    await server.advance(100);
    const second = made(server).client;
    second.connect();
    await live(server, second);
    expect(server.storage.keys('fl1:')).toHaveLength(1);
  });

  test('a token that comes after close() changes nothing', async () => {
    const server = world();
    let give = (_: string): void => {};
    const getToken = (): Promise<string> => new Promise((resolve) => (give = resolve));
    const { client } = made(server, { token: '', getToken });
    client.connect();
    await server.advance(10);
    client.close();
    give(server.token({ sub: 'ann' }));
    await server.advance(10_000);
    expect(client.state.get().name).toBe('closed');
    expect(server.network.tries).toEqual({ websocket: 0, https: 0 });
  });
});
