import { describe, expect, test } from 'vitest';
import { FakeServer, type FakeClaims, type FakeServerOptions } from './fake/index.ts';
import {
  ClientCode,
  Codes,
  createClient,
  type ClientOptions,
  type FootlightClient,
  type Storage,
} from './index.ts';
import { memoryLocks, memoryStorage } from './platform.ts';
import type { ClientMessage, WireEvent } from './wire.ts';

const FORK = { polls: { fork: { options: ['left', 'right'] } } };

function world(options: FakeServerOptions = {}): FakeServer {
  return new FakeServer({ episode: FORK, ...options });
}

/** A client that is live. */
async function joined(
  server: FakeServer,
  claims: FakeClaims = { sub: 'ann' },
  more: ClientOptions = {},
): Promise<FootlightClient> {
  const client = createClient(server.options(claims, more));
  client.connect();
  await server.clock.until(() => client.state.get().name === 'live');
  return client;
}

/** What a reload leaves: the page is gone, its lock is free, its storage stays. */
function reload(client: FootlightClient, server: FakeServer): void {
  client.close();
  server.disconnect();
}

const isEvents = (message: ClientMessage): message is { t: 'ev'; e: WireEvent[] } =>
  message.t === 'ev';
const batches = (server: FakeServer, session = server.history.length - 1): WireEvent[][] =>
  (server.history[session]?.received ?? []).filter(isEvents).map((message) => message.e);
const numbers = (server: FakeServer, session?: number): number[] =>
  batches(server, session).flatMap((batch) => batch.map((event) => event.i));

describe('an event on its way', () => {
  test('goes pending → accepted → confirmed, and both promises settle', async () => {
    const server = world();
    const client = await joined(server);
    const sent = client.chat('hello');
    const seen: string[] = [];
    sent.status.subscribe((status) => seen.push(status.state));
    await server.advance(100);
    await expect(sent.accepted).resolves.toBeUndefined();
    await expect(sent.confirmed).resolves.toEqual({ log: 2 });
    expect(seen.filter((state, k) => state !== seen[k - 1])).toEqual([
      'pending',
      'accepted',
      'confirmed',
    ]);
    expect(client.outbox.get()).toEqual([]);
  });

  test('is rejected with the server’s code and sentence', async () => {
    const server = world();
    const client = await joined(server);
    const sent = client.vote('nothing', [0]);
    await server.advance(100);
    await expect(sent.confirmed).rejects.toMatchObject({ code: Codes.PollUnknown });
    await expect(sent.accepted).rejects.toMatchObject({ name: 'FootlightError' });
    expect(sent.status.get()).toMatchObject({ state: 'rejected', code: 4303 });
    expect(client.outbox.get()).toEqual([]);
  });

  test('shares a frame with what is made in the same go; 64 are a batch', async () => {
    const server = world();
    const client = await joined(server);
    for (let k = 0; k < 130; ++k) client.chat(`${k}`);
    await server.advance(100);
    expect(batches(server).map((batch) => batch.length)).toEqual([64, 64, 2]);
    expect(server.applied.map((event) => (event as WireEvent<'chat.say'>).a.text)).toEqual(
      Array.from({ length: 130 }, (_, k) => `${k}`),
    );
  });

  test('no frame is larger than 16 KiB, whatever is in it', async () => {
    const server = world();
    const client = await joined(server);
    for (let k = 0; k < 64; ++k) client.chat('🎲'.repeat(120));
    await server.advance(100);
    const sizes = (server.history[0]?.received ?? []).map(
      (message) => new TextEncoder().encode(JSON.stringify(message)).length,
    );
    expect(Math.max(...sizes)).toBeLessThanOrEqual(16_384);
    expect(numbers(server)).toHaveLength(64);
    const huge = client.chat('x'.repeat(20_000));
    expect(huge.status.get()).toMatchObject({ state: 'rejected', code: ClientCode.tooLarge });
  });

  test('an outbox that is full says so at once', async () => {
    const server = world();
    const client = createClient(server.options({ sub: 'ann' }, { outboxLimit: 3 }));
    const sent = [1, 2, 3, 4].map((n) => client.chat(`${n}`));
    expect(sent.map((one) => one.status.get().state)).toEqual([
      ...['pending', 'pending', 'pending'],
      'rejected',
    ]);
    await expect(sent[3]?.confirmed).rejects.toMatchObject({ code: ClientCode.outboxFull });
  });

  test('a rejection nobody looks at is no unhandled one', async () => {
    const server = world();
    const client = await joined(server);
    const seen: unknown[] = [];
    const note = (error: unknown): void => void seen.push(error);
    process.on('unhandledRejection', note);
    client.vote('nothing', [0]);
    await server.advance(100);
    process.off('unhandledRejection', note);
    expect(seen).toEqual([]);
  });
});

describe('after a reconnect', () => {
  test('all of the outbox is sent again in order, and applied once', async () => {
    const server = world();
    const client = await joined(server);
    server.loseAcks = true;
    for (const text of ['a', 'b', 'c']) client.chat(text);
    await server.advance(50);
    server.disconnect();
    client.chat('d');
    server.loseAcks = false;
    await server.clock.until(() => client.outbox.get().length === 0);
    expect(numbers(server, 0)).toEqual([1, 2, 3]);
    expect(numbers(server, 1)).toEqual([1, 2, 3, 4]);
    expect(server.applied.map((event) => event.i)).toEqual([1, 2, 3, 4]);
  });

  test('an event the server never saw is confirmed by the resend', async () => {
    const server = world();
    const client = await joined(server);
    server.network.silent = true;
    const sent = client.chat('into the void');
    await server.advance(100);
    server.network.silent = false;
    server.disconnect();
    await server.clock.until(() => sent.status.get().state === 'confirmed');
    expect(server.applied).toHaveLength(1);
  });

  test('an answer that never comes is asked for again, with growing patience', async () => {
    const server = world();
    const client = await joined(server);
    server.loseAcks = true;
    const sent = client.chat('anyone?');
    await server.advance(4900);
    expect(numbers(server)).toEqual([1]);
    await server.advance(200);
    expect(numbers(server)).toEqual([1, 1]);
    await server.advance(9000);
    expect(numbers(server)).toEqual([1, 1]);
    await server.advance(1100);
    expect(numbers(server)).toEqual([1, 1, 1]);
    server.loseAcks = false;
    await server.clock.until(() => sent.status.get().state === 'confirmed');
    expect(server.applied).toHaveLength(1);
  });

  test('and is given up after ten times', async () => {
    const server = world();
    const client = await joined(server);
    server.loseAcks = true;
    const sent = client.chat('anyone?');
    await server.advance(11 * 60_000);
    expect(sent.status.get()).toMatchObject({ state: 'rejected', code: ClientCode.noAnswer });
    expect(numbers(server)).toHaveLength(10);
    expect(client.outbox.get()).toEqual([]);
  });
});

describe('retry_after', () => {
  test('the event waits that long, is sent again under its number, and confirmed', async () => {
    const server = world();
    const client = await joined(server);
    server.refusals.push({ code: Codes.ChatSlow, retry_after_ms: 3000 });
    const sent = client.chat('slowly');
    await server.advance(100);
    expect(sent.status.get()).toMatchObject({
      state: 'pending',
      retry: { code: 4502, until: expect.any(Number) as number },
    });
    const other = client.vote('fork', [0]);
    await server.advance(100);
    expect(other.status.get().state).toBe('confirmed');
    await server.advance(2500);
    expect(numbers(server)).toEqual([1, 2]);
    await server.advance(500);
    expect(numbers(server)).toEqual([1, 2, 1]);
    expect(sent.status.get().state).toBe('confirmed');
  });

  test('admission holds back all that follows, in order', async () => {
    const server = world();
    const client = await joined(server);
    server.refusals.push({ code: Codes.RateVoter, retry_after_ms: 1000 });
    client.chat('1');
    await server.advance(50);
    client.chat('2');
    client.chat('3');
    await server.advance(800);
    expect(numbers(server)).toEqual([1]);
    await server.advance(500);
    expect(numbers(server)).toEqual([1, 1, 2, 3]);
    expect(server.applied.map((event) => event.i)).toEqual([1, 2, 3]);
  });

  test('a wait longer than a minute, or a ninth one, is a refusal', async () => {
    const server = world();
    const client = await joined(server);
    server.refusals.push({ code: Codes.ChatSlow, retry_after_ms: 60_001 });
    const long = client.chat('long');
    await server.advance(100);
    expect(long.status.get()).toMatchObject({ state: 'rejected', code: 4502 });
    for (let k = 0; k < 9; ++k) server.refusals.push({ code: 4502, retry_after_ms: 100 });
    const often = client.chat('often');
    await server.advance(5000);
    expect(often.status.get()).toMatchObject({ state: 'rejected', code: 4502 });
    expect(server.applied).toEqual([]);
  });
});

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

test('close() ends the promises, keeps the event, and connect() goes on with it', async () => {
  const server = world();
  const client = await joined(server);
  server.loseAcks = true;
  const sent = client.chat('unanswered');
  await server.advance(50);
  client.close();
  await expect(sent.confirmed).rejects.toMatchObject({ code: ClientCode.closed });
  expect(sent.status.get().state).toBe('pending');
  server.loseAcks = false;
  client.connect();
  await server.clock.until(() => sent.status.get().state === 'confirmed');
  expect(server.applied).toHaveLength(1);
});

test('a server that knows higher numbers of this outbox than storage does is believed', async () => {
  const server = world();
  const first = await joined(server);
  for (let k = 0; k < 3; ++k) first.chat(`${k}`);
  await server.advance(100);
  const { cid } = server.history[0] ?? { cid: '' };
  reload(first, server);
  server.storage.set(`fl1:demo:ann:${cid}`, '{"n":1,"t":9999999999999}');
  const second = await joined(server);
  const sent = second.chat('new');
  await server.advance(100);
  expect(sent.i).toBe(4);
  expect(sent.status.get().state).toBe('confirmed');
});
