import { describe, expect, test } from 'vitest';
import type { FootlightClient } from '../client.ts';
import { FakeServer, type FakeClaims } from '../fake/index.ts';
import { createClient } from '../index.ts';
import type { ClientState } from '../types.ts';
import { fakeMedia, FakePeers, type FakeDataChannel } from './fake.ts';
import { createMedia, type FootlightMedia, type MediaOptions } from './index.ts';

interface Seat {
  server: FakeServer;
  fake: ReturnType<typeof fakeMedia>;
  client: FootlightClient;
  media: FootlightMedia;
  peers: FakePeers;
  states: string[];
}

const on = (state: ClientState): string => (state.name === 'live' ? state.transport : state.name);

async function seat(
  claims: FakeClaims = { sub: 'ann', role: 'player' },
  more: MediaOptions = {},
): Promise<Seat> {
  const fake = fakeMedia();
  const server = new FakeServer({
    media: fake,
    episode: { polls: { fork: { options: ['left', 'right'] } } },
  });
  const client = createClient(server.options(claims));
  const peers = new FakePeers(server.clock, server.network);
  const media = createMedia(client, { RTCPeerConnection: peers.RTCPeerConnection, ...more });
  const states: string[] = [];
  client.state.subscribe((state) => states.push(on(state)));
  client.connect();
  await server.clock.until(() => client.state.get().name === 'live');
  return { server, fake, client, media, peers, states };
}

async function moved(claims?: FakeClaims): Promise<Seat & { channel: FakeDataChannel }> {
  const all = await seat(claims);
  all.media.watch({ audio: 1, video: 1 });
  await all.server.clock.until(() => on(all.client.state.get()) === 'channel', 10_000);
  const channel = all.peers.all[0]?.channels[0];
  if (!channel) throw new Error('There is a channel.');
  return { ...all, channel };
}

/** Votes, and waits until the server says that the ballot stands. */
async function votes({ server, client }: Seat, choice: number): Promise<void> {
  await client.vote('fork', [choice]).confirmed;
  await server.advance(200);
}
async function confirmed(all: Seat, choice: number): Promise<void> {
  let done = false;
  void votes(all, choice).then(() => (done = true));
  await all.server.clock.until(() => done, 60_000);
}

describe('a session over a data channel', () => {
  test('is what the cast get by themselves, and resumes where the WebSocket was', async () => {
    const all = await moved();
    expect(all.states).not.toContain('waiting');
    expect(all.client.state.get()).toMatchObject({ resumed: true });
    await confirmed(all, 1);
    const { history } = all.server;
    expect(history.map((one) => one.transport)).toEqual(['websocket', 'channel']);
    expect(history[1]?.received.some((one) => one.t === 'ev')).toBe(true);
    expect(all.client.tally('fork').get()?.counts).toEqual([0, 1]);
  });

  test('is not asked for by viewers, nor where the page does not want it', async () => {
    for (const all of [
      await seat({ sub: 'vera', role: 'viewer' }),
      await seat({ sub: 'ann', role: 'player' }, { channel: false }),
    ]) {
      all.media.watch({ audio: 1, video: 1 });
      await all.server.advance(10_000);
      expect(all.peers.all[0]?.channels).toEqual([]);
      expect(on(all.client.state.get())).toBe('websocket');
    }
  });

  test('that the server does not take leaves the WebSocket alone', async () => {
    const all = await seat();
    all.fake.channels = false;
    all.media.watch({ audio: 1, video: 1 });
    await all.server.advance(60_000);
    expect(all.states).toEqual(['idle', 'connecting', 'websocket']);
    expect(all.server.network.tries).toMatchObject({ websocket: 1, https: 0, channel: 0 });
  });

  test.each(['the channel closes', 'the peer connection fails', 'the watching ends'])(
    'goes on by WebSocket at once when %s, and nothing is lost or counted twice',
    async (how) => {
      const all = await moved();
      const { server, client, channel, peers } = all;
      server.loseAcks = true;
      const vote = client.vote('fork', [0]);
      await server.advance(20);
      server.loseAcks = false;
      if (how === 'the channel closes') channel.cut();
      else if (how === 'the peer connection fails') peers.all[0]?.become('failed');
      else all.media.watching.get()?.end();
      server.patch([['timers', 'a', { label: 'A' }]]);
      await server.clock.until(() => on(client.state.get()) === 'websocket', 200);
      await server.clock.until(() => vote.status.get().state === 'confirmed', 5000);
      expect(client.state.get()).toMatchObject({ resumed: true });
      expect([...client.view.collection('timers').get().keys()]).toEqual(['a']);
      expect(server.applied.filter((one) => one.k === 'poll.vote')).toHaveLength(1);
    },
  );

  test('that stalls without a word is given up within five seconds', async () => {
    const all = await moved();
    all.channel.stalled = true;
    const vote = all.client.vote('fork', [1]);
    await all.server.advance(5000);
    expect(on(all.client.state.get())).toBe('websocket');
    await all.server.clock.until(() => vote.status.get().state === 'confirmed', 1000);
  });

  test('that failed is tried again after a while, and at once when the line was healed', async () => {
    const all = await moved();
    all.channel.cut();
    await all.server.clock.until(() => on(all.client.state.get()) === 'websocket', 200);
    await all.server.advance(30_000);
    expect(on(all.client.state.get())).toBe('websocket');
    await all.server.advance(31_000);
    expect(on(all.client.state.get())).toBe('channel');
    const peer = all.peers.all[0];
    peer?.become('disconnected');
    await all.server.clock.until(() => on(all.client.state.get()) === 'websocket', 200);
    peer?.become('connected');
    await all.server.advance(1000);
    expect(on(all.client.state.get())).toBe('channel');
    expect(peer?.channels).toHaveLength(3);
  });

  test('whose messages come in parts is told them whole', async () => {
    const all = await moved();
    all.channel.partBytes = 7;
    all.server.patch([['timers', 'a', { label: 'Ünïcode in pieces' }]]);
    await all.server.advance(50);
    expect(all.client.view.get('timers', 'a')).toMatchObject({ label: 'Ünïcode in pieces' });
  });

  test('leaves nothing behind when the client is closed', async () => {
    const all = await moved();
    all.client.close();
    await all.server.advance(1000);
    expect(all.server.sessions).toEqual([]);
    expect(all.peers.open).toEqual([]);
    all.media.close();
  });
});
