import { describe, expect, test } from 'vitest';
import { live, made, names, world } from '../test/world.ts';
import { ClientCode, Codes } from './index.ts';

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
