/** The client against the real server, over real sockets. */

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import {
  Codes,
  createClient,
  httpsTransport,
  type ClientOptions,
  type FootlightClient,
  type Role,
  type Roll,
  type WebSocketConstructor,
} from '../src/index.ts';
import { memoryLocks, systemClock } from '../src/platform.ts';
import { hasBinary, RealNode, until } from './real_node.ts';

if (!hasBinary) console.warn('No footlight binary (FOOTLIGHT_BIN): the real node is not tested.');

// Runs side by side do not meet.
const node = new RealNode(18_100 + (process.pid % 48));
const clients: FootlightClient[] = [];
/** Sockets in the order they were opened, to be cut. */
const sockets: WebSocket[] = [];
class Cuttable extends WebSocket {
  constructor(url: string, protocols?: string | string[]) {
    super(url, protocols);
    sockets.push(this);
  }
}

async function joined(
  sub: string,
  role: Role,
  more: ClientOptions = {},
  char?: string,
): Promise<FootlightClient> {
  const WebSocket = Cuttable as unknown as WebSocketConstructor;
  const client = createClient({ ...node.options(sub, role, char), WebSocket, ...more });
  clients.push(client);
  client.connect();
  await until(() => client.state.get().name === 'live', `${sub} to be live`);
  return client;
}

const confirmed = (of: { status: { get(): { state: string } } }): Promise<void> =>
  until(() => of.status.get().state === 'confirmed', 'the event to be confirmed');

describe('the real node', { skip: !hasBinary }, () => {
  beforeAll(async () => {
    await node.up();
    const producer = await joined('pat', 'producer');
    await producer.start().confirmed;
    await producer.poll.open('village-gift', 3600).confirmed;
  });
  afterEach(() => {
    for (const client of clients.splice(0)) client.close();
    sockets.length = 0;
  });
  afterAll(() => node.remove());

  test.each(['websocket', 'https'] as const)(
    'over %s: vote, chat, dice, characters and emotes come back, counted and confirmed',
    async (kind) => {
      const only = kind === 'https' ? { transports: [httpsTransport(systemClock(), fetch)] } : {};
      const viewer = await joined(`viewer-${kind}`, 'viewer', only);
      const player = await joined('ann', 'player', only, 'aria');
      expect(viewer.state.get()).toMatchObject({ transport: kind, resumed: false });
      expect(viewer.session.get()).toMatchObject({ ep: 'tabletop', role: 'viewer' });
      expect(viewer.view.episode.get()?.title).toBe('The Bell Under the Hill');

      const vote = viewer.vote('village-gift', [1]);
      expect(viewer.ballot('village-gift').get()?.status).toBe('pending');
      const { log, hash } = await vote.confirmed;
      expect(hash).toMatch(/^[0-9a-f]{32}$/);
      await until(() => (viewer.tally('village-gift').get()?.log ?? 0) >= log, 'the tally');
      expect(viewer.tally('village-gift').get()?.counts[1]).toBeGreaterThan(0);
      const changed = await viewer.vote('village-gift', [0]).confirmed;
      expect(changed.hash).not.toBe(hash);

      const text = `hello over ${kind} 🎲`;
      await viewer.chat(text).confirmed;
      const said = (): boolean =>
        [...player.view.collection('chat').get().values()].some((one) => one.text === text);
      await until(said, 'the chat to reach the player');

      const roll = player.roll('2d6+3', { char: 'aria', reason: 'climb' });
      await roll.confirmed;
      const { nonce } = roll.args;
      const mine = (): Roll | undefined =>
        [...viewer.view.collection('rolls').get().values()].find((one) => one.nonce === nonce);
      await until(() => mine() !== undefined, 'the roll to reach the viewer');
      expect(mine()).toMatchObject({ expr: '2d6+3', char: 'aria', reason: 'climb' });

      const hp = viewer.view.get('characters', 'aria')?.hp ?? 0;
      await player.char.hp('aria', { delta: -1 }).confirmed;
      await until(() => viewer.view.get('characters', 'aria')?.hp === hp - 1, 'the hit points');

      // A machine with more to do than it can makes the server shed; emotes are the first to go.
      await until(() => viewer.emote('bell', 3), 'emotes to be let in');
      await until(() => (player.emotes.get()['bell'] ?? 0) > 0, 'the emotes');
      await until(() => (viewer.clock.get()?.samples ?? 0) >= 4, 'the clock');
      expect(Math.abs(viewer.serverNow() - Date.now())).toBeLessThan(50);
    },
  );

  test('what one may not do is refused with its number, and costs only that', async () => {
    const viewer = await joined('eve', 'viewer');
    const player = await joined('ben', 'player', {}, 'borin');
    const wrong = [
      [viewer.vote('no-such-poll', [0]), Codes.PollUnknown],
      [viewer.vote('village-gift', [31]), Codes.OptionUnknown],
      [viewer.scene('crypt'), Codes.Forbidden],
      [player.char.hp('aria', { delta: -5 }), Codes.CharacterForeign],
      [player.roll('d%%'), Codes.DiceSyntax],
      [player.roll('1d6', { nonce: 'short' }), Codes.DiceNonce],
    ] as const;
    for (const [sent, code] of wrong) {
      await expect(sent.confirmed).rejects.toMatchObject({ code });
    }
    await viewer.chat('still here').confirmed;
    expect(viewer.state.get().name).toBe('live');
  });

  test('a cut socket is resumed without a gap, and nothing is applied twice', async () => {
    const viewer = await joined('cut', 'viewer');
    const gm = await joined('mara', 'gm');
    const socket = sockets[0];
    const before = [...viewer.view.collection('rolls').get().keys()].length;
    socket?.terminate();
    const during = viewer.chat('said while away');
    await gm.roll('1d20').confirmed;
    await gm.roll('1d20').confirmed;
    await confirmed(during);
    await until(() => viewer.view.collection('rolls').get().size === before + 2, 'what was missed');
    expect(viewer.state.get()).toMatchObject({ name: 'live', resumed: true });
    const said = [...gm.view.collection('chat').get().values()];
    expect(said.filter((one) => one.text === 'said while away')).toHaveLength(1);
  });

  test('a resend of what the server has is answered as the first time', async () => {
    const viewer = await joined('again', 'viewer');
    const gm = await joined('mara', 'gm');
    // The connection goes right after the events have left, before any answer can have come.
    const sent = [
      viewer.chat('once only 1'),
      viewer.vote('village-gift', [2]),
      viewer.chat('once only 2'),
    ];
    await Promise.resolve();
    await Promise.resolve();
    sockets[0]?.terminate();
    for (const one of sent) await confirmed(one);
    const said = [...gm.view.collection('chat').get().values()].map((one) => one.text);
    expect(said.filter((text) => text.startsWith('once only'))).toEqual([
      'once only 1',
      'once only 2',
    ]);
  });

  test('a WebSocket that is refused leads to HTTPS, and back when it is not', async () => {
    let blocked = true;
    class Gate extends Cuttable {
      constructor(url: string, protocols?: string | string[]) {
        // Nothing listens there.
        super(blocked ? 'ws://127.0.0.1:18149/' : url, protocols);
      }
    }
    const viewer = await joined('proxy', 'viewer', {
      WebSocket: Gate as unknown as WebSocketConstructor,
      websocketRetryMs: 500,
    });
    expect(viewer.state.get()).toMatchObject({ transport: 'https' });
    await viewer.chat('over https').confirmed;
    blocked = false;
    const onSocket = (): boolean => {
      const state = viewer.state.get();
      return state.name === 'live' && state.transport === 'websocket';
    };
    await until(onSocket, 'the WebSocket to take over');
    expect(viewer.state.get()).toMatchObject({ resumed: true });
    await viewer.chat('over websocket').confirmed;
  });

  test('two sessions of one outbox: the later has it, the earlier is told and stays away', async () => {
    const storage = node.options('twin', 'viewer').storage as never;
    const one = await joined('twin', 'viewer', { storage, locks: memoryLocks() });
    const two = await joined('twin', 'viewer', { storage, locks: memoryLocks() });
    await until(() => one.state.get().name === 'closed', 'the first to be replaced');
    expect(one.state.get()).toMatchObject({ code: Codes.SessionReplaced });
    await two.chat('mine now').confirmed;
  });

  test('a bad token closes with its number', async () => {
    const client = createClient({ ...node.options('x', 'viewer'), token: 'e30.e30.e30' });
    clients.push(client);
    client.connect();
    await until(() => client.state.get().name === 'closed', 'the refusal');
    const state = client.state.get();
    expect(state.name === 'closed' && state.code >= 4100 && state.code <= 4106).toBe(true);
  });

  test('a fresh token is taken in the session; one of another role is refused there', async () => {
    const asked: string[] = [];
    const fresh = [node.shortToken('kim', 'viewer', 3000), node.shortToken('kim', 'gm', 3_600_000)];
    const viewer = await joined('kim', 'viewer', {
      token: node.shortToken('kim', 'viewer', 2000),
      getToken: (reason) => {
        asked.push(reason);
        return Promise.resolve(fresh.shift() ?? '');
      },
    });
    const problems: number[] = [];
    viewer.on('problem', ({ code }) => problems.push(code));
    await until(() => asked.length === 1, 'the first refresh');
    await viewer.chat('with a fresh token').confirmed;
    expect(problems).toEqual([]);
    await until(() => problems.length > 0, 'the second to be refused');
    expect(asked).toEqual(['expiring', 'expiring']);
    expect(problems).toEqual([Codes.TokenChanged]);
    expect(viewer.session.get()?.role).toBe('viewer');
  });

  test('SIGTERM drains with advice, kill -9 loses nothing confirmed; the client comes back by itself', async () => {
    const viewer = await joined('loyal', 'viewer');
    const gm = await joined('mara', 'gm');
    const kept = await viewer.vote('village-gift', [1]).confirmed;
    await node.down('SIGTERM');
    await until(() => viewer.state.get().name === 'waiting', 'the bye');
    await node.up();
    await until(() => viewer.state.get().name === 'live', 'the reconnect', 60_000);

    await until(() => gm.state.get().name === 'live', 'the reconnect', 60_000);
    const texts = Array.from({ length: 12 }, (_, k) => `storm ${k}`);
    const sent = texts.slice(0, 6).map((text) => gm.chat(text));
    await Promise.resolve();
    await node.down('SIGKILL');
    sent.push(...texts.slice(6).map((text) => gm.chat(text)));
    await node.up();
    for (const one of sent) {
      await until(() => one.status.get().state === 'confirmed', `${one.i}`, 60_000);
    }
    await until(() => viewer.state.get().name === 'live', 'the reconnect', 60_000);
    const said = (): string[] =>
      [...viewer.view.collection('chat').get().values()]
        .map((one) => one.text)
        .filter((text) => text.startsWith('storm'));
    await until(() => said().length >= texts.length, 'all of the chat');
    expect(said()).toEqual(texts);
    expect(viewer.me.get()?.ballots['village-gift']).toMatchObject({ ...kept, choice: [1] });
  });
});
