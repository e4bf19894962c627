import { describe, expect, test } from 'vitest';
import { joined, numbers, reload, world } from '../test/world.ts';
import { FakeServer } from './fake/index.ts';
import { ClientCode, createClient, type Locks, type Storage } from './index.ts';
import { memoryLocks, memoryStorage } from './platform.ts';

describe('a reload', () => {
  test('keeps what was not confirmed, under the same id, and sends it first', async () => {
    const server = world();
    const before = await joined(server);
    before.chat('confirmed');
    await server.advance(100);
    server.network.silent = true;
    before.vote('fork', [1]);
    before.chat('second');
    await server.advance(10);
    reload(before, server);
    server.network.silent = false;

    const after = createClient(server.options({ sub: 'ann' }));
    const third = after.chat('third');
    after.connect();
    await server.clock.until(() => third.status.get().state === 'confirmed');
    expect(server.history[1]?.cid).toBe(server.history[0]?.cid);
    expect(numbers(server, 1)).toEqual([2, 3, 4]);
    expect(server.applied.map((event) => event.k)).toEqual([
      ...['chat.say', 'poll.vote', 'chat.say', 'chat.say'],
    ]);
    expect(after.ballot('fork').get()).toMatchObject({ choice: [1], status: 'confirmed' });
    expect(after.outbox.get()).toEqual([]);
  });

  test('in the moment between sending and the answer applies nothing twice', async () => {
    const server = world();
    const before = await joined(server, { sub: 'gm', role: 'gm' });
    server.loseAcks = true;
    before.roll('2d6');
    await server.advance(50);
    expect(server.applied).toHaveLength(1);
    reload(before, server);
    server.loseAcks = false;
    const after = await joined(server, { sub: 'gm', role: 'gm' });
    await server.clock.until(() => after.outbox.get().length === 0);
    expect(server.applied).toHaveLength(1);
    expect(after.view.collection('rolls').get().size).toBe(1);
  });

  test('never uses a number twice, of reactions neither', async () => {
    const server = world();
    const before = await joined(server);
    before.chat('1');
    before.emote('heart');
    before.emote('clap');
    await server.advance(300);
    reload(before, server);
    const after = await joined(server);
    after.chat('2');
    await server.advance(100);
    expect(numbers(server, 0)).toEqual([1, 2, 3]);
    expect(numbers(server, 1)).toEqual([4]);
  });

  test('leaves receipts readable before any connection', async () => {
    const server = world();
    const before = await joined(server);
    const sent = before.vote('fork', [0]);
    await server.advance(100);
    const { hash } = await sent.confirmed;
    expect(hash).toMatch(/^[0-9a-f]{32}$/);
    reload(before, server);
    server.network.blockWebSocket = server.network.blockHttps = true;
    const after = createClient(server.options({ sub: 'ann' }));
    after.connect();
    await server.advance(100);
    expect(after.receipts.get().get('fork')).toMatchObject({ choice: [0], hash, poll: 'fork' });
  });

  test('does not send what is older than a quarter of an hour', async () => {
    const server = world();
    const before = await joined(server);
    server.network.silent = true;
    before.chat('stale');
    await server.advance(10);
    reload(before, server);
    server.network.silent = false;
    await server.advance(16 * 60_000);
    const after = createClient(server.options({ sub: 'ann' }));
    const codes: number[] = [];
    after.on('event', ({ status }) => {
      if (status.state === 'rejected') codes.push(status.code);
    });
    after.connect();
    await server.clock.until(() => after.state.get().name === 'live');
    await server.advance(100);
    expect(codes).toEqual([ClientCode.tooOld]);
    expect(server.applied).toEqual([]);
    expect(server.storage.keys('fl1:').filter((key) => key.split(':').length === 5)).toEqual([]);
  });

  test('of another account finds nothing of the first', async () => {
    const server = world();
    const ann = await joined(server);
    server.network.silent = true;
    ann.chat('mine');
    await server.advance(10);
    reload(ann, server);
    server.network.silent = false;
    const bob = await joined(server, { sub: 'bob' });
    await server.advance(1000);
    expect(server.applied).toEqual([]);
    expect(bob.outbox.get()).toEqual([]);
    const again = await joined(server);
    await server.clock.until(() => again.outbox.get().length === 0);
    expect(server.applied).toHaveLength(1);
  });
});

describe('tabs', () => {
  test('two tabs have an outbox each, and neither replaces the other', async () => {
    const server = world();
    const [one, two] = [await joined(server), await joined(server)];
    one.chat('one');
    two.chat('two');
    await server.advance(200);
    expect(new Set(server.history.map((session) => session.cid)).size).toBe(2);
    expect(server.sessions).toHaveLength(2);
    expect(server.applied).toHaveLength(2);
  });

  test('what a closed tab left is sent by one that has nothing to do', async () => {
    const server = world();
    const stays = await joined(server);
    const goes = await joined(server);
    server.network.silent = true;
    goes.chat('left behind');
    await server.advance(10);
    goes.close();
    server.network.silent = false;
    server.disconnect();
    await server.clock.until(() => server.applied.length === 1, 200_000, 1000);
    expect(stays.state.get().name).toBe('live');
    expect(server.sessions.map((session) => session.cid)).toEqual([server.history[1]?.cid]);
    await server.clock.until(() => stays.outbox.get().length === 0);
  });

  test('an outbox is made for each tab, not for each page load', async () => {
    const server = world();
    for (let k = 0; k < 5; ++k) {
      const client = await joined(server);
      client.chat('hi');
      await server.advance(100);
      reload(client, server);
    }
    expect(new Set(server.history.map((session) => session.cid)).size).toBe(1);
    expect(server.storage.keys('fl1:')).toHaveLength(1);
  });

  test('a page that comes back from the cache finds its outbox, or another when it is taken', async () => {
    const server = world();
    const locks = memoryLocks();
    const lifecycle = server.lifecycle;
    const first = await joined(server, { sub: 'ann' }, { locks });
    const pending = first.chat('before');
    await server.advance(100);
    expect(pending.status.get().state).toBe('confirmed');
    lifecycle.tell('leave');
    expect(first.state.get()).toMatchObject({ name: 'waiting', until: Infinity });
    await server.advance(1000);
    expect(server.sessions).toEqual([]);
    lifecycle.tell('return');
    await server.clock.until(() => first.state.get().name === 'live');
    expect(server.history[1]?.cid).toBe(server.history[0]?.cid);

    server.network.silent = true;
    const handed = first.chat('handed over');
    await server.advance(10);
    lifecycle.tell('leave');
    server.network.silent = false;
    server.disconnect();
    const quiet = new FakeServer().lifecycle;
    const second = await joined(server, { sub: 'ann' }, { locks, lifecycle: quiet });
    await server.clock.until(() => second.outbox.get().length === 0);
    lifecycle.tell('return');
    await server.clock.until(() => first.state.get().name === 'live');
    expect(handed.status.get()).toMatchObject({ state: 'rejected', code: ClientCode.takenOver });
    expect(server.applied).toHaveLength(2);
    expect(server.history.at(-1)?.cid).not.toBe(server.history[0]?.cid);
  });
});

test('close() and connect() while an outbox is being opened end with one outbox and all events', async () => {
  const server = world();
  const inner = memoryLocks();
  const slow: Locks = {
    claim: (name) =>
      new Promise((resolve) =>
        server.clock.setTimeout(() => void inner.claim(name).then(resolve), 150),
      ),
  };
  const client = createClient(server.options({ sub: 'ann' }, { locks: slow }));
  client.connect();
  const sent = client.chat('before');
  await server.advance(50);
  client.close();
  client.connect();
  await server.advance(50);
  client.close();
  client.connect();
  await server.clock.until(() => sent.status.get().state === 'confirmed');
  expect(server.storage.keys('fl1:')).toHaveLength(1);
  expect(server.applied).toHaveLength(1);
  client.close();
  await server.advance(500);
  expect(await inner.claim(server.storage.keys('fl1:')[0] ?? '')).not.toBeNull();
});

describe('storage', () => {
  test('that refuses costs survival, not the event, and is told once', async () => {
    const server = world();
    const full: Storage = {
      ...memoryStorage(),
      set: () => {
        throw new DOMException('full', 'QuotaExceededError');
      },
    };
    const client = createClient(server.options({ sub: 'ann' }, { storage: full }));
    const problems: number[] = [];
    client.on('problem', ({ code }) => problems.push(code));
    client.connect();
    await server.clock.until(() => client.state.get().name === 'live');
    const sent = [client.chat('a'), client.vote('fork', [0])];
    await server.advance(100);
    expect(sent.map((one) => one.status.get().state)).toEqual(['confirmed', 'confirmed']);
    expect(problems).toEqual([ClientCode.storage]);
  });

  test('with rubbish under our names is cleaned, and never breaks the client', async () => {
    const server = world();
    const storage = memoryStorage();
    const prefix = 'fl1:demo:ann:';
    storage.set(`${prefix}0123456789abcdef`, '{"n":"many"');
    storage.set(`${prefix}0123456789abcdef:3`, 'nonsense');
    storage.set(`${prefix}0123456789abcdef:4`, '[1,2]');
    storage.set(`${prefix}0123456789abcdef:-1`, '{}');
    storage.set(`${prefix}receipts`, '{"fork":1}');
    storage.set(`${prefix}zz`, '1');
    const client = await joined(server, { sub: 'ann' }, { storage });
    client.chat('still works');
    await server.advance(100);
    expect(server.history[0]?.cid).toBe('0123456789abcdef');
    expect(numbers(server)).toEqual([5]);
    expect(storage.get(`${prefix}0123456789abcdef:3`)).toBeNull();
  });

  test('an outbox nobody used for a week is forgotten', async () => {
    const server = world();
    const client = await joined(server);
    const other = await joined(server);
    client.close();
    other.close();
    expect(server.storage.keys('fl1:')).toHaveLength(2);
    await server.advance(8 * 24 * 3600 * 1000);
    const back = await joined(server);
    expect(server.storage.keys('fl1:')).toHaveLength(1);
    back.close();
  });

  test('names of episodes and accounts cannot run into each other', async () => {
    const server = world();
    const odd = await joined(server, { sub: 'a:b' });
    odd.chat('x');
    server.loseAcks = true;
    await server.advance(50);
    reload(odd, server);
    const other = await joined(server, { sub: 'a' });
    expect(other.outbox.get()).toEqual([]);
  });
});
