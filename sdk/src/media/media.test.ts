import { describe, expect, test } from 'vitest';
import { Codes } from '../codes.ts';
import { FakeServer } from '../fake/index.ts';
import { createClient } from '../index.ts';
import type { FootlightClient } from '../client.ts';
import type { FakeClaims } from '../fake/index.ts';
import type { MediaRequest } from '../wire.ts';
import { FakeMedia, FakePeers, fakeTrack } from './fake.ts';
import { createMedia, gradeOf, type FootlightMedia } from './index.ts';
import { fragmentOf, withCredentials } from './line.ts';

interface Person {
  client: FootlightClient;
  media: FootlightMedia;
  peers: FakePeers;
}

class Table {
  readonly fake = new FakeMedia();
  readonly server = new FakeServer({ media: this.fake });

  async join(claims: FakeClaims): Promise<Person> {
    const client = createClient(this.server.options(claims, { storage: 'memory' }));
    const peers = new FakePeers(this.server.clock);
    const media = createMedia(client, { RTCPeerConnection: peers.RTCPeerConnection });
    client.connect();
    await this.server.clock.until(() => client.state.get().name === 'live');
    return { client, media, peers };
  }
  gm(): Promise<Person> {
    return this.join({ sub: 'gale', role: 'gm', name: 'Gale' });
  }
  player(): Promise<Person> {
    return this.join({ sub: 'ann', role: 'player', name: 'Ann' });
  }
  until(holds: () => boolean): Promise<void> {
    return this.server.clock.until(holds, 120_000);
  }
  said<T extends MediaRequest['t']>(of: T): Extract<MediaRequest, { t: T }>[] {
    return this.server.history
      .flatMap((session) => session.received)
      .filter((one): one is Extract<MediaRequest, { t: T }> => one.t === of);
  }
}

const camera = (): { audio: MediaStreamTrack; video: MediaStreamTrack } => ({
  audio: fakeTrack('audio'),
  video: fakeTrack('video'),
});

describe('publishing and watching', () => {
  test('who publishes is shown to those who watch, with name, role and label', async () => {
    const table = new Table();
    const gm = await table.gm();
    const ann = await table.player();
    const shown: string[] = [];
    ann.media.on('shown', (place) => shown.push(`${place.name} ${place.kind}`));
    ann.media.watch({ audio: 2, video: 2 });
    const publication = gm.media.publish(camera());
    await table.until(() => ann.media.places.get().length === 2);
    await table.until(() => publication.state.get() === 'live');
    expect(ann.media.places.get()).toMatchObject([
      { mid: '0', kind: 'audio', name: 'Gale', role: 'gm', label: '', muted: false },
      { mid: '2', kind: 'video', name: 'Gale', role: 'gm', label: '', muted: false },
    ]);
    expect(shown).toEqual(['Gale audio', 'Gale video']);
    const peer = ann.peers.all[0];
    expect(ann.media.places.get()[1]?.track).toBe(peer?.transceivers[2]?.receiver.track);

    const gone: string[] = [];
    ann.media.on('gone', (place) => gone.push(place.kind));
    publication.end();
    await table.until(() => ann.media.places.get().length === 0);
    expect(gone).toEqual(['audio', 'video']);
    expect(gm.media.publications.get()).toEqual([]);
    expect(gm.peers.open).toEqual([]);
  });

  test('a muted picture is not sent, a muted voice is silent, and both are told', async () => {
    const table = new Table();
    const gm = await table.gm();
    const ann = await table.player();
    ann.media.watch({ audio: 1, video: 1 });
    const tracks = camera();
    const publication = gm.media.publish(tracks);
    await table.until(() => ann.media.places.get().length === 2);
    publication.mute('audio', true);
    publication.mute('video', true);
    await table.until(() => ann.media.places.get().every((one) => one.muted));
    expect(tracks.audio.enabled).toBe(false);
    const [, video] = gm.peers.all[0]?.transceivers ?? [];
    expect(video?.sender.track).toBeNull();
    publication.mute('video', false);
    await table.until(() => ann.media.places.get()[1]?.muted === false);
    expect(video?.sender.track).toBe(tracks.video);
    const other = fakeTrack('video');
    publication.replace('video', other);
    expect(video?.sender.track).toBe(other);
  });

  test('a place kept for a track that comes later is told as muted until it does', async () => {
    const table = new Table();
    const gm = await table.gm();
    const ann = await table.player();
    ann.media.watch({ audio: 1, video: 1 });
    const publication = gm.media.publish({ audio: fakeTrack('audio'), video: null });
    await table.until(() => ann.media.places.get()[1]?.muted === true);
    publication.replace('video', fakeTrack('video'));
    await table.until(() => ann.media.places.get()[1]?.muted === false);
  });

  test('what is refused for good ends it with the number, and is not tried again', async () => {
    const table = new Table();
    const vera = await table.join({ sub: 'vera', role: 'viewer' });
    const ended: number[] = [];
    vera.media.on('ended', ({ problem }) => ended.push(problem.code));
    const publication = vera.media.publish(camera());
    await table.until(() => publication.state.get() === 'ended');
    expect(publication.problem.get()?.code).toBe(Codes.Forbidden);
    expect(ended).toEqual([Codes.Forbidden]);
    await table.server.advance(60_000);
    expect(table.said('media.open')).toHaveLength(1);
    expect(vera.peers.open).toEqual([]);
  });

  test('what is refused for now is tried again', async () => {
    const table = new Table();
    table.fake.refusals.push(Codes.TrackLimit, Codes.ServerFull);
    const gm = await table.gm();
    const publication = gm.media.publish(camera());
    await table.until(() => publication.state.get() === 'live');
    expect(table.said('media.open')).toHaveLength(3);
    expect(gm.peers.open).toHaveLength(1);
  });

  test('wishes are said once, and again to a new session', async () => {
    const table = new Table();
    const gm = await table.gm();
    gm.media.publish(camera());
    const ann = await table.player();
    const watching = ann.media.watch({ audio: 1, video: 1 });
    await table.until(() => ann.media.places.get().length === 2);
    watching.want('1', { max: 0 });
    watching.want('1', { max: 0 });
    await table.server.advance(100);
    expect(table.said('media.place')).toHaveLength(1);
    table.fake.end(Codes.IceConsent, 'ann');
    await table.until(() => table.said('media.place').length === 2);
    expect(table.fake.sessions.at(-1)?.wishes.get('1')).toEqual({ max: 0 });
  });
});

describe('when it breaks', () => {
  test('a lost session costs no media: the same one is taken up again', async () => {
    const table = new Table();
    const gm = await table.gm();
    const ann = await table.player();
    gm.media.publish(camera());
    ann.media.watch({ audio: 1, video: 1 });
    await table.until(() => ann.media.places.get().length === 2);
    table.server.disconnect();
    await table.server.advance(10);
    expect(ann.media.places.get()).toHaveLength(2);
    await table.until(() => table.said('media.resume').length === 2);
    await table.server.advance(1000);
    expect(table.said('media.open')).toHaveLength(2);
    expect(table.said('media.resume').every((one) => one.ice === undefined)).toBe(true);
    expect(ann.media.watching.get()?.state.get()).toBe('live');
    // And goes on being told.
    gm.media.publications.get()[0]?.mute('audio', true);
    await table.until(() => ann.media.places.get()[0]?.muted === true);
  });

  test('a network that changed is healed by an ICE restart after a while', async () => {
    const table = new Table();
    const gm = await table.gm();
    const publication = gm.media.publish(camera());
    await table.until(() => publication.state.get() === 'live');
    gm.peers.all[0]?.become('disconnected');
    expect(publication.state.get()).toBe('interrupted');
    await table.server.advance(1000);
    expect(table.said('media.resume')).toHaveLength(0);
    await table.until(() => publication.state.get() === 'live');
    expect(table.said('media.resume')[0]?.ice).toBe('a=ice-ufrag:u2\r\na=ice-pwd:p2\r\n');
    expect(gm.peers.all).toHaveLength(1);
    expect(gm.peers.all[0]?.remote).toContain('a=ice-pwd:secret2');
  });

  test('a restart that does not help is followed by a new session', async () => {
    const table = new Table();
    const gm = await table.gm();
    const publication = gm.media.publish(camera());
    await table.until(() => publication.state.get() === 'live');
    gm.peers.reachable = false;
    gm.peers.all[0]?.become('failed');
    await table.server.advance(15_000);
    gm.peers.reachable = true;
    await table.until(() => publication.state.get() === 'live');
    expect(gm.peers.all.length).toBeGreaterThan(1);
    expect(gm.peers.open).toHaveLength(1);
    expect(table.fake.sessions).toHaveLength(1);
  });

  test('a server that has forgotten is given a new session', async () => {
    const table = new Table();
    const gm = await table.gm();
    const publication = gm.media.publish(camera());
    publication.mute('audio', true);
    await table.until(() => publication.state.get() === 'live');
    table.fake.forget();
    table.server.restart();
    await table.until(() => table.fake.sessions.length === 1 && publication.state.get() === 'live');
    expect(table.said('media.open')).toHaveLength(2);
    await table.until(() => table.fake.sessions[0]?.muted.has('0') === true);
  });

  test('a ban, or the same label elsewhere, ends it and says why', async () => {
    const table = new Table();
    const gm = await table.gm();
    const first = gm.media.publish(camera());
    await table.until(() => first.state.get() === 'live');
    const elsewhere = await table.join({ sub: 'gale', role: 'gm' });
    elsewhere.media.publish(camera());
    await table.until(() => first.state.get() === 'ended');
    expect(first.problem.get()?.code).toBe(Codes.SessionReplaced);
    const ann = await table.player();
    const watching = ann.media.watch();
    await table.until(() => watching.state.get() === 'live');
    table.fake.end(Codes.Banned, 'ann');
    await table.until(() => watching.state.get() === 'ended');
    expect(watching.problem.get()?.code).toBe(Codes.Banned);
    expect(ann.media.watching.get()).toBeNull();
  });

  test('media asked for before the session is live begin when it is', async () => {
    const table = new Table();
    const client = createClient(table.server.options({ sub: 'gale', role: 'gm' }));
    const peers = new FakePeers(table.server.clock);
    const media = createMedia(client, { RTCPeerConnection: peers.RTCPeerConnection });
    const publication = media.publish(camera());
    expect(publication.state.get()).toBe('waiting');
    client.connect();
    await table.until(() => publication.state.get() === 'live');
    client.close();
    expect(publication.state.get()).toBe('ended');
    expect(peers.open).toEqual([]);
  });

  test('a session that is lost while an answer is on its way leaves nothing behind', async () => {
    const table = new Table();
    const gm = await table.gm();
    table.fake.silent = true;
    const publication = gm.media.publish(camera());
    await table.server.advance(100);
    table.server.disconnect();
    table.fake.silent = false;
    await table.until(() => publication.state.get() === 'live');
    expect(gm.peers.open).toHaveLength(1);
    expect(table.fake.sessions).toHaveLength(1);
  });
});

describe('what is told of people and lines', () => {
  test('speakers come in order, the first one is active, and silence is said', async () => {
    const table = new Table();
    const gm = await table.gm();
    const active: (string | null)[] = [];
    gm.media.on('active', (who) => active.push(who));
    const [a, b] = ['00ab00ab00ab00ab', '11ab00ab00ab00ab'];
    table.fake.speak([
      [a, 90],
      [b, 60],
    ]);
    await table.until(() => gm.media.speaking.get().length === 2);
    table.fake.speak([[b, 80]]);
    table.fake.speak([]);
    await table.until(() => active.length === 3);
    expect(active).toEqual([a, b, null]);
  });

  test('people are told that they are recorded, and when it is over', async () => {
    const table = new Table();
    const gm = await table.gm();
    expect(gm.media.recording.get()).toBe(false);
    table.fake.record(true);
    await table.until(() => gm.media.recording.get());
    table.fake.speak([]);
    table.fake.record(false);
    await table.until(() => !gm.media.recording.get());
  });

  test('figures are made of what the browser counts, reported, and make a delay', async () => {
    const table = new Table();
    const gm = await table.gm();
    gm.media.publish(camera());
    const ann = await table.player();
    ann.media.watch({ audio: 1, video: 1 });
    await table.until(() => ann.media.places.get().length === 2);
    const who = ann.media.places.get()[0]?.who ?? '';
    table.fake.lines([[who, 60, 0]]);
    const stats = (n: number): object[] => [
      { type: 'candidate-pair', id: 'p', nominated: true, currentRoundTripTime: 0.04 },
      {
        ...{ type: 'inbound-rtp', id: 'a', kind: 'audio', mid: '0', timestamp: 2000 * n },
        ...{ bytesReceived: 8000 * n, packetsReceived: 99 * n, packetsLost: n },
        ...{ jitterBufferDelay: 5 * n, jitterBufferEmittedCount: 100 * n },
      },
    ];
    const [peer] = ann.peers.all;
    if (peer) peer.stats = stats(1);
    await table.server.advance(2000);
    if (peer) peer.stats = stats(2);
    await table.until(() => (ann.media.quality.get()?.watching?.streams[0]?.bps ?? 0) > 0);
    expect(ann.media.quality.get()).toMatchObject({ rttMs: 40, lossPm: 10, delayMs: 100 });
    expect(ann.media.quality.get()?.watching?.streams[0]).toMatchObject({ bps: 32_000 });
    await table.until(() => table.said('media.report').some((one) => one.delay === 100));
    expect(ann.media.links.get().get(who)).toEqual({ rttMs: 60, lossPm: 0 });
  });

  test('who is heard and not seen is told, and goes on', async () => {
    const table = new Table();
    const gm = await table.gm();
    const told: number[] = [];
    gm.media.on('refused', ({ problem }) => told.push(problem.code));
    const own = gm.media.publish(camera());
    await table.until(() => own.state.get() === 'live');
    expect(own.refused.get()).toBeNull();
    table.fake.refusePicture();
    await table.until(() => own.refused.get() !== null);
    expect(told).toEqual([4751]);
    expect(own.state.get()).toBe('live');
  });

  test('close leaves no timer, no connection and no listener', async () => {
    const table = new Table();
    const gm = await table.gm();
    gm.media.publish(camera());
    gm.media.watch();
    await table.server.advance(500);
    gm.media.close();
    await table.server.advance(100);
    expect(gm.peers.open).toEqual([]);
    expect(table.fake.sessions).toEqual([]);
    const before = table.said('media.report').length;
    await table.server.advance(20_000);
    expect(table.said('media.report')).toHaveLength(before);
    expect(() => createMedia(gm.client)).not.toThrow();
  });
});

test('grades of a line', () => {
  expect(gradeOf({ rttMs: 20, lossPm: 0 })).toBe('good');
  expect(gradeOf({ rttMs: 130, lossPm: 0 })).toBe('fair');
  expect(gradeOf({ rttMs: 20, lossPm: 50 })).toBe('poor');
  expect(gradeOf({ rttMs: 900, lossPm: 0 })).toBe('bad');
});

test('a fragment is the credentials of an offer, and an answer takes those of another', () => {
  const sdp = 'v=0\r\na=ice-ufrag:one\r\na=ice-pwd:two\r\nm=audio 9\r\na=ice-ufrag:one\r\n';
  expect(fragmentOf(sdp)).toBe('a=ice-ufrag:one\r\na=ice-pwd:two\r\n');
  expect(withCredentials(sdp, 'a=ice-ufrag:$1\r\na=ice-pwd:x\r\n')).toBe(
    'v=0\r\na=ice-ufrag:$1\r\na=ice-pwd:x\r\nm=audio 9\r\na=ice-ufrag:$1\r\n',
  );
});

describe('relays', () => {
  const relay = { urls: ['turn:turn.example:3478'], username: '9:ab', credential: 'c2VjcmV0' };

  test('are asked for before the first offer, once for all, and given to the browser', async () => {
    const table = new Table();
    table.fake.relays = [relay];
    const ann = await table.player();
    const watching = ann.media.watch({ audio: 1 });
    await table.until(() => watching.state.get() === 'live');
    const own = ann.media.publish(camera());
    await table.until(() => own.state.get() === 'live');
    expect(ann.peers.all.map((one) => one.configuration)).toMatchObject([
      { iceServers: [relay], iceTransportPolicy: 'all' },
      { iceServers: [relay] },
    ]);
    expect(table.said('media.ice')).toHaveLength(1);
    await table.server.advance(1_900_000);
    await table.until(() => ann.client.state.get().name === 'live');
    table.fake.relays = [{ ...relay, username: '10:ab' }];
    const told = (): unknown => ann.peers.all[0]?.configuration.iceServers?.[0];
    ann.peers.all[0]?.become('failed');
    await table.until(() => JSON.stringify(told()).includes('10:ab'));
  });

  test('of the page come instead, and alone where it says so', async () => {
    const table = new Table();
    const client = createClient(table.server.options({ sub: 'ann', role: 'player' }));
    const peers = new FakePeers(table.server.clock);
    const { RTCPeerConnection } = peers;
    const options = { RTCPeerConnection, iceServers: [relay] };
    const media = createMedia(client, { ...options, iceTransportPolicy: 'relay' });
    client.connect();
    media.watch();
    await table.until(() => peers.all.length === 1);
    expect(peers.all[0]?.configuration).toMatchObject({
      iceServers: [relay],
      iceTransportPolicy: 'relay',
    });
    expect(table.said('media.ice')).toEqual([]);
  });

  test('that nobody answers for do not keep anybody waiting', async () => {
    const table = new Table();
    const ann = await table.player();
    table.fake.message = ((message) => (session, request) => {
      if (request.t !== 'media.ice') message(session, request);
    })(table.fake.message.bind(table.fake)) satisfies FakeMedia['message'];
    const watching = ann.media.watch({ audio: 1 });
    await table.until(() => watching.state.get() === 'live');
    expect(ann.peers.all[0]?.configuration.iceServers).toEqual([]);
  });
});
