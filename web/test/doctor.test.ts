import { describe, expect, test } from 'vitest';
import {
  examine,
  relay_title,
  report_of,
  type Finding,
  type KnownRelay,
  type Probes,
  type Summary,
  type Way,
} from '../src/doctor/checks';

const open: Way = { open: true, ms: 12 };
const shut = (why: string, code = 0): Way => ({ open: false, why, code });

interface Network {
  server?: Way;
  websocket?: Way;
  https?: Way;
  udp?: Way;
  tcp?: Way | null;
  channel?: boolean | null;
  relays?: (KnownRelay & { way?: Way })[];
}

async function examined(network: Network): Promise<{
  summary: Summary;
  of: (id: string) => Finding | undefined;
  all: readonly Finding[];
  tried: string[];
}> {
  const tried: string[] = [];
  const { relays = [] } = network;
  const probes: Probes = {
    server: () => Promise.resolve({ way: network.server ?? open, relays }),
    session: (kind) => {
      tried.push(kind);
      return Promise.resolve(network[kind] ?? open);
    },
    media: (by) => {
      tried.push(by);
      const channel = network.channel === undefined ? true : network.channel;
      const way = network[by];
      return Promise.resolve({ way: way === undefined ? open : way, channel });
    },
    relay: (url) => {
      tried.push(url);
      return Promise.resolve(relays.find((one) => one.urls.includes(url))?.way ?? open);
    },
  };
  let all: readonly Finding[] = [];
  const summary = await examine(probes, (now) => (all = now));
  return { summary, all, tried, of: (id) => all.find((one) => one.id === id) };
}

const relay = (url: string, way: Way = open): KnownRelay & { way: Way } => ({
  urls: [url],
  works: true,
  why: '',
  way,
});

describe('the doctor', () => {
  test('finds nothing where nothing is wrong', async () => {
    const { summary, all } = await examined({ relays: [relay('turn:a:3478')] });
    expect(summary).toEqual({ health: 'good', text: 'Everything works from here.' });
    expect(all.map((one) => one.health)).toEqual(Array(6).fill('good'));
    expect(all.every((one) => one.advice === '')).toBe(true);
  });

  test('says that the show goes on by HTTPS where WebSocket is blocked', async () => {
    const { summary, of } = await examined({ websocket: shut('cut') });
    expect(summary.health).toBe('warn');
    expect(summary.text).toMatch(/works by HTTPS/);
    expect(of('websocket')?.advice).toMatch(/proxy/);
  });

  test('sends people to a relay where UDP is blocked, and elsewhere where there is none', async () => {
    const blocked = shut('no packet came back within twelve seconds.');
    const relayed = await examined({
      ...{ udp: blocked, tcp: blocked, channel: null },
      relays: [relay('turns:a:443')],
    });
    expect(relayed.of('tcp')).toMatchObject({ health: 'warn' });
    expect(relayed.summary).toMatchObject({ health: 'warn' });
    expect(relayed.summary.text).toMatch(/by a relay/);
    const alone = await examined({ udp: blocked, tcp: blocked, channel: null });
    expect(alone.of('tcp')).toMatchObject({ health: 'bad' });
    expect(alone.summary).toMatchObject({ health: 'bad' });
    expect(alone.of('udp')).toMatchObject({ health: 'bad' });
    expect(alone.of('udp')?.advice).toMatch(/another network/);
    const none = await examined({
      ...{ udp: blocked, tcp: null },
      relays: [
        relay('turn:a:1', shut('no packet.')),
        { ...relay('turn:b:2'), works: false, why: 'full' },
      ],
    });
    expect(none.summary.health).toBe('bad');
    expect(none.of('turn:b:2')).toMatchObject({ health: 'bad' });
    expect(none.of('turn:b:2')?.found).toMatch(/the server says: full/);
    expect(none.tried).not.toContain('turn:b:2');
    expect(none.of('tcp')).toMatchObject({ health: 'skipped' });
  });

  test('says that TCP serves where UDP is blocked, and is no matter where it is not', async () => {
    const served = await examined({ udp: shut('no packet.'), relays: [] });
    expect(served.summary).toMatchObject({ health: 'warn' });
    expect(served.summary.text).toMatch(/go over TCP/);
    expect(served.of('udp')).toMatchObject({ health: 'warn' });
    expect(served.of('udp')?.advice).toMatch(/over TCP by themselves/);
    const fine = await examined({ tcp: shut('no packet.') });
    expect(fine.of('tcp')).toMatchObject({ health: 'warn' });
    expect(fine.summary.text).toMatch(/a way to fall back on/);
    const off = await examined({ tcp: null });
    expect(off.summary.health).toBe('good');
  });

  test('does not try what cannot come to anything', async () => {
    const offline = await examined({ websocket: shut('x'), https: shut('x'), server: shut('x') });
    expect(offline.tried).toEqual(['websocket', 'https']);
    expect(offline.of('udp')?.health).toBe('skipped');
    expect(offline.summary.text).toMatch(/cannot be reached/);
    const stale = await examined({ server: shut('The token has expired.', 4105) });
    expect(stale.tried).toEqual([]);
    expect(stale.of('tcp')?.health).toBe('skipped');
    expect(stale.of('server')?.found).toMatch(/4105/);
    expect(stale.of('server')?.advice).toMatch(/new link/);
  });

  test('knows who may not watch from who cannot', async () => {
    const { of, summary } = await examined({ udp: shut('This token does not …', 4755) });
    expect(of('udp')?.health).toBe('skipped');
    expect(of('tcp')?.health).toBe('skipped');
    expect(summary.health).toBe('good');
  });

  test('writes a report without a token in it', async () => {
    const { all, summary } = await examined({ websocket: shut('cut'), channel: false });
    const text = report_of(all, summary, 'a browser');
    expect(text.split('\n')).toHaveLength(7);
    expect(text).toMatch(/warn {4}WebSocket: Blocked: cut/);
  });

  test('names relays for people', () => {
    expect(relay_title('turn:turn.example:3478')).toBe('Relay turn.example:3478 by UDP');
    expect(relay_title('turn:turn.example?transport=tcp')).toBe('Relay turn.example by TCP');
    expect(relay_title('turns:turn.example:443')).toBe('Relay turn.example:443 by TLS');
  });
});
