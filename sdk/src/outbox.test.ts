import { describe, expect, test } from 'vitest';
import { batches, joined, numbers, reload, world } from '../test/world.ts';
import { ClientCode, Codes, createClient } from './index.ts';
import type { WireEvent } from './wire.ts';

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
    await server.clock.until(() => server.history.length === 2);
    // At once, not when patience with the first sending has run out.
    await server.advance(50);
    expect(client.outbox.get()).toEqual([]);
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

  test('a full outbox gets through a narrow gate, in order, without hammering at it', async () => {
    const server = world();
    // As the server's: a bucket of five, one more each second.
    let tokens = 5;
    let filled_ms = server.clock.now();
    server.admit = () => {
      const now_ms = server.clock.now();
      tokens = Math.min(5, tokens + (now_ms - filled_ms) / 1000);
      filled_ms = now_ms;
      if (tokens < 1) return 1000;
      --tokens;
      return 0;
    };
    const client = await joined(server);
    const sent = Array.from({ length: 60 }, (_, k) => client.chat(`${k}`));
    await server.clock.until(() => client.outbox.get().length === 0, 120_000, 100);
    expect(sent.every((one) => one.status.get().state === 'confirmed')).toBe(true);
    expect(server.applied.map((event) => event.i)).toEqual(sent.map((one) => one.i));
    expect(server.clock.now()).toBeLessThan(90_000);
    expect(numbers(server).length).toBeLessThan(60 * 3);
  });

  test('a gate that never opens is believed after eight waits', async () => {
    const server = world();
    const client = await joined(server);
    server.admit = () => 500;
    const sent = [client.chat('a'), client.chat('b')];
    await server.advance(10_000);
    expect(sent[0]?.status.get()).toMatchObject({ state: 'rejected', code: Codes.RateConnection });
    expect(numbers(server).length).toBeLessThan(25);
    server.admit = () => 0;
    const after = client.chat('c');
    await server.advance(1000);
    expect(after.status.get().state).toBe('confirmed');
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
