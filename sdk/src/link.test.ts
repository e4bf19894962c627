import { describe, expect, test } from 'vitest';
import { live, made, names, world } from '../test/world.ts';
import { seededRandom } from './fake/index.ts';
import { ClientCode, Codes, createClient, type Transport } from './index.ts';

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
    expect(server.network.tries).toMatchObject({ websocket: 1, https: 0 });
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

  test('goes on under another owner of the same log, whose tally versions begin anew', async () => {
    const server = world();
    const { client } = made(server);
    const builds: unknown[] = [];
    client.on('build', (change) => builds.push(change));
    client.connect();
    await live(server, client);
    server.patch([['timers', 'a', { label: 'A' }]]);
    const tally = {
      t: 'tally',
      poll: 'fork',
      log: 1,
      voters: 1,
      state: 'open',
      final: false,
    } as const;
    server.tell({ ...tally, ver: 900, counts: [1, 0] });
    await server.advance(50);
    server.restart('newer');
    server.patch([['timers', 'b', { label: 'B' }]]);
    await server.advance(20);
    await live(server, client);
    expect(client.state.get()).toMatchObject({ resumed: true });
    expect(server.history[1]?.hello.resume).toEqual({ epoch: 1, off: 2 });
    await server.advance(20);
    expect([...client.view.collection('timers').get().keys()]).toEqual(['a', 'b']);
    expect(client.view.epoch).toBe(2);
    server.tell({ ...tally, ver: 3, counts: [0, 1] });
    await server.advance(20);
    expect(client.tally('fork').get()?.counts).toEqual([0, 1]);
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
