import { describe, expect, test } from 'vitest';
import { live, made, world } from '../test/world.ts';
import { type FakeServer } from './fake/index.ts';

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
    expect(server.network.tries).toMatchObject({ websocket: 0, https: 0 });
  });
});
