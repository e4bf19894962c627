import { describe, expect, test } from 'vitest';
import { live, made, names, world } from '../test/world.ts';

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
    expect(server.network.tries).toMatchObject({ websocket: 4, https: 1 });
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
