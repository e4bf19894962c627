import { describe, expect, test } from 'vitest';
import { live, made, names, world } from '../test/world.ts';
import { ClientCode, Codes, createClient, type ClientState } from './index.ts';

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
