// The ways from this browser to the server, tried one after another by what the SDK does on them: a session by
// WebSocket, one by HTTPS, a peer connection over UDP, one over TCP, one over each relay. Words for all that can come of it.
import {
  type ClientOptions,
  type Client,
  type Clock,
  type Transport,
  createClient,
  httpsTransport,
  websocketTransport,
} from '@footlight/client';
import { createMedia, type MediaOptions } from '@footlight/client/media';

export type Health = 'waiting' | 'running' | 'good' | 'warn' | 'bad' | 'skipped';

export interface Finding {
  readonly id: string;
  readonly title: string;
  readonly health: Health;
  /** What was found. */
  readonly found: string;
  /** What to do; empty when there is nothing to do. */
  readonly advice: string;
}

/** A relay as the server knows it. */
export interface KnownRelay {
  urls: string[];
  works: boolean;
  why: string;
}

/** What a check found; `ms` of the way that is open. */
export type Way = { open: true; ms: number } | { open: false; why: string; code: number };

/** The network. The page's is `browserProbes`; tests have their own. */
export interface Probes {
  /** The relays; a refusal is a `Way` that is not open. */
  server(): Promise<{ way: Way; relays: KnownRelay[] }>;
  session(kind: 'websocket' | 'https'): Promise<Way>;
  /**
   * Without a relay; whether the session went over its data channel, too (null: not for this role). The way is
   * null when the server does not offer it.
   */
  media(by: 'udp' | 'tcp'): Promise<{ way: Way | null; channel: boolean | null }>;
  relay(url: string): Promise<Way>;
}

const kWait_ms = 8000;
const kMediaWait_ms = 12_000;
const kChannelWait_ms = 4000;

const ms_of = (ms: number): string => `${Math.max(1, Math.round(ms))} ms`;
const finding = (id: string, title: string, health: Health, found = '', advice = ''): Finding => ({
  id,
  title,
  health,
  found,
  advice,
});

const kNames = {
  server: 'The server',
  websocket: 'WebSocket',
  https: 'HTTPS without WebSocket',
  udp: 'Voice and video over UDP',
  tcp: 'Voice and video over TCP',
} as const;

export const first_findings = (): Finding[] =>
  Object.entries(kNames).map(([id, title]) => finding(id, title, 'waiting'));

/** How a relay's address reads to a person. */
export function relay_title(url: string): string {
  const [, kind = '', host = '', transport = ''] =
    /^(turns?):([^?]+)(?:\?transport=(\w+))?$/.exec(url) ?? [];
  const way = kind === 'turns' ? 'TLS' : transport === 'tcp' ? 'TCP' : 'UDP';
  return `Relay ${host || url} by ${way}`;
}

/** Runs every check; `tell` is called with all findings after each change. Resolves to the summary. */
export async function examine(
  probes: Probes,
  tell: (findings: readonly Finding[]) => void,
): Promise<Summary> {
  const all = first_findings();
  const put = (made: Finding): void => {
    const at = all.findIndex((one) => one.id === made.id);
    if (at < 0) all.push(made);
    else all[at] = made;
    tell([...all]);
  };
  const running = (id: keyof typeof kNames): void => put(finding(id, kNames[id], 'running'));

  running('server');
  const { way: server, relays } = await probes.server();
  put(server_finding(server));
  if (!server.open && server.code >= 4000) {
    for (const id of ['websocket', 'https', 'udp', 'tcp'] as const) {
      put(finding(id, kNames[id], 'skipped', 'Not tried without a link that the server takes.'));
    }
    return summary_of(all, { ...kNothing, server, websocket: server, https: server, udp: server });
  }
  running('websocket');
  const websocket = await probes.session('websocket');
  put(websocket_finding(websocket));
  running('https');
  const https = await probes.session('https');
  put(https_finding(https));
  if (!websocket.open && !https.open) {
    for (const id of ['udp', 'tcp'] as const) {
      put(finding(id, kNames[id], 'skipped', 'Not tried without a session.'));
    }
    return summary_of(all, { ...kNothing, server, websocket, https, udp: https });
  }
  running('udp');
  const over_udp = await probes.media('udp');
  const udp = over_udp.way ?? { open: false, why: kNotOffered, code: 0 };
  const refused = !udp.open && udp.code >= 4000;
  running('tcp');
  const { way: tcp } = refused ? { way: udp } : await probes.media('tcp');
  const others = { tcp: tcp?.open === true, relays: relays.length > 0 };
  put(udp_finding(udp, over_udp.channel, others));
  put(tcp_finding(tcp, udp.open, relays.length > 0));
  const relay = await try_relays(probes, relays, put, udp.open || others.tcp);
  return summary_of(all, { server, websocket, https, udp, tcp: others.tcp, relay });
}

const kNotOffered = 'the server does not offer it.';
const kNothing = { tcp: false, relay: false };

async function try_relays(
  probes: Probes,
  relays: readonly KnownRelay[],
  put: (made: Finding) => void,
  other_way: boolean,
): Promise<boolean> {
  let any = false;
  for (const { urls, works, why } of relays) {
    for (const url of urls) {
      const title = relay_title(url);
      if (!works) {
        const advice = 'Nothing to do here: whoever runs the show has to look at the relay.';
        const found = `Out of order, the server says: ${why}`;
        put(finding(url, title, other_way ? 'warn' : 'bad', found, advice));
        continue;
      }
      put(finding(url, title, 'running'));
      const way = await probes.relay(url);
      any ||= way.open;
      put(
        way.open
          ? finding(url, title, 'good', `Open; a connection stood after ${ms_of(way.ms)}.`)
          : finding(
              url,
              title,
              other_way ? 'warn' : 'bad',
              `It works for the server, and not from here: ${way.why}`,
              other_way
                ? ''
                : 'The network here blocks it. Another relay below, or another network, may do.',
            ),
      );
    }
  }
  return any;
}

function server_finding(way: Way): Finding {
  const { server: title } = kNames;
  if (way.open) return finding('server', title, 'good', `It answers in ${ms_of(way.ms)}.`);
  if (way.code >= 4000) {
    const found = `It answers, and does not take this link: ${way.why} (${way.code})`;
    return finding('server', title, 'bad', found, 'Ask for a new link.');
  }
  const advice =
    'Is this device online? If other pages open, a firewall or a filter between you and the server stops it.';
  return finding('server', title, 'bad', `It does not answer: ${way.why}`, advice);
}

function websocket_finding(way: Way): Finding {
  const { websocket: title } = kNames;
  if (way.open)
    return finding('websocket', title, 'good', `Open; welcomed after ${ms_of(way.ms)}.`);
  const advice =
    'A proxy, a virus scanner or a browser extension often does this. The show goes on by HTTPS by itself, a little later.';
  return finding('websocket', title, 'warn', `Blocked: ${way.why}`, advice);
}

function https_finding(way: Way): Finding {
  const { https: title } = kNames;
  if (way.open) return finding('https', title, 'good', `Open; welcomed after ${ms_of(way.ms)}.`);
  const advice =
    'It is only the way to fall back on. A proxy that holds answers back may be the reason.';
  return finding('https', title, 'warn', `Blocked: ${way.why}`, advice);
}

function udp_finding(
  way: Way,
  channel: boolean | null,
  others: { tcp: boolean; relays: boolean },
): Finding {
  const { udp: title } = kNames;
  if (!way.open) {
    if (way.code >= 4000) return finding('udp', title, 'skipped', `${way.why} (${way.code})`);
    const advice = others.tcp
      ? 'Most company and many hotel networks block UDP. Voice and video go over TCP by themselves; they may stutter where packets are lost.'
      : others.relays
        ? 'Most company and many hotel networks block UDP. The relays below are for that.'
        : 'Most company and many hotel networks block UDP. Try another network, such as a phone’s, or ask who runs the show for a relay.';
    const health = others.tcp || others.relays ? 'warn' : 'bad';
    return finding('udp', title, health, `Blocked: ${way.why}`, advice);
  }
  const found = `Open; a connection stood after ${ms_of(way.ms)}.`;
  if (channel === false) {
    return finding(
      'udp',
      title,
      'warn',
      `${found} The session did not go over it, and stays on WebSocket.`,
    );
  }
  return finding('udp', title, 'good', channel ? `${found} The session goes over it, too.` : found);
}

/** Over TCP it is only worse than UDP, and better than nothing. */
function tcp_finding(way: Way | null, udp_open: boolean, relays: boolean): Finding {
  const { tcp: title } = kNames;
  if (!way) return finding('tcp', title, 'skipped', 'The server does not offer it.');
  if (way.open) {
    return finding('tcp', title, 'good', `Open; a connection stood after ${ms_of(way.ms)}.`);
  }
  if (way.code >= 4000) return finding('tcp', title, 'skipped', `${way.why} (${way.code})`);
  const advice = udp_open
    ? 'It is only the way to fall back on. A proxy before the server may be the reason.'
    : 'A firewall, or a proxy before the server, lets nothing but web pages through.';
  const health = udp_open || relays ? 'warn' : 'bad';
  return finding('tcp', title, health, `Blocked: ${way.why}`, advice);
}

export interface Summary {
  readonly health: 'good' | 'warn' | 'bad';
  readonly text: string;
}

interface Ways {
  server: Way;
  websocket: Way;
  https: Way;
  udp: Way;
  tcp: boolean;
  relay: boolean;
}

export function summary_of(all: readonly Finding[], ways: Ways): Summary {
  const bad = (text: string): Summary => ({ health: 'bad', text });
  const warn = (text: string): Summary => ({ health: 'warn', text });
  if (!ways.server.open && ways.server.code >= 4000) return bad('This link is not taken.');
  if (!ways.websocket.open && !ways.https.open) {
    return bad(
      'The server cannot be reached from here: neither the show nor voice and video will work.',
    );
  }
  if (!ways.udp.open && ways.udp.code < 4000) {
    if (ways.tcp)
      return warn('The show works. Voice and video go over TCP, since this network blocks UDP.');
    if (!ways.relay)
      return bad('The show works. Voice and video do not get through from this network.');
    return warn('The show works. Voice and video go by a relay, since this network blocks UDP.');
  }
  if (!ways.websocket.open)
    return warn('The show works by HTTPS, since WebSocket is blocked here.');
  if (all.some((one) => one.health === 'warn' || one.health === 'bad')) {
    return warn('Everything works; a way to fall back on does not.');
  }
  return { health: 'good', text: 'Everything works from here.' };
}

/** All of it as text, to send to who runs the show. */
export function report_of(all: readonly Finding[], summary: Summary, agent: string): string {
  const lines = all.map(({ title, health, found }) => `${health.padEnd(7)} ${title}: ${found}`);
  return [summary.text, ...lines, agent].join('\n');
}

// In the browser ------------------------------------------------------------------------------------

const clock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  setTimeout: (run, ms) => setTimeout(run, ms),
  clearTimeout: (handle) => clearTimeout(handle as number),
};

export interface Where {
  token: string;
  episode: string;
  /** '' for the page's own. */
  server: string;
}

export function browserProbes({ token, episode, server }: Where): Probes {
  const client = (transports: Transport[]): Client => {
    const options: ClientOptions = { token, storage: 'memory', transports, client: 'doctor' };
    return createClient(server ? { ...options, url: server } : options);
  };
  const both = (): Transport[] => [websocketTransport(), httpsTransport(clock)];
  return {
    async server() {
      const began = performance.now();
      try {
        const headers = { authorization: `Bearer ${token}` };
        const answer = await fetch(`${server}/v1/relays/${encodeURIComponent(episode)}`, {
          headers,
          signal: AbortSignal.timeout(kWait_ms),
        });
        const body = (await answer.json()) as {
          relays?: KnownRelay[];
          code?: number;
          message?: string;
        };
        const { code = 0, message = '' } = body;
        // A node without voice and video knows no relays.
        const known = answer.ok || answer.status === 404;
        if (!known) return { way: { open: false, why: message, code }, relays: [] };
        return { way: { open: true, ms: performance.now() - began }, relays: body.relays ?? [] };
      } catch (error) {
        return { way: { open: false, why: sentence_of(error), code: 0 }, relays: [] };
      }
    },
    session: (kind) =>
      session_over(client([kind === 'websocket' ? websocketTransport() : httpsTransport(clock)])),
    async media(by) {
      const made = client(both());
      try {
        const peers = peers_over(by);
        const options = { iceServers: [], RTCPeerConnection: peers.kind };
        const way = await media_over(made, options, () => !peers.offered);
        if (!peers.offered) return { way: null, channel: null };
        const cast = made.session.get()?.role !== 'viewer';
        const on_channel = (): boolean => {
          const state = made.state.get();
          return state.name === 'live' && state.transport === 'channel';
        };
        const channel = way.open && cast ? await until(on_channel, kChannelWait_ms) : null;
        return { way, channel };
      } finally {
        made.close();
      }
    },
    async relay(url) {
      const made = client(both());
      try {
        const one = await credentials_for(made, url);
        if (!one) return { open: false, why: 'the server does not hand it out now.', code: 0 };
        const iceServers = [one];
        return await media_over(made, { iceServers, iceTransportPolicy: 'relay', channel: false });
      } finally {
        made.close();
      }
    },
  };
}

/** Peer connections that know the server's candidates of one protocol alone. */
function peers_over(by: 'udp' | 'tcp'): { kind: typeof RTCPeerConnection; offered: boolean } {
  const peers = {
    offered: true,
    kind: class extends RTCPeerConnection {
      override setRemoteDescription(description: RTCSessionDescriptionInit): Promise<void> {
        const lines = (description.sdp ?? '').split('\r\n');
        const is_other = (line: string): boolean =>
          line.startsWith('a=candidate:') && line.split(' ')[2]?.toLowerCase() !== by;
        const kept = lines.filter((line) => !is_other(line));
        peers.offered = kept.some((line) => line.startsWith('a=candidate:'));
        // Nobody waits for a way that is not there.
        if (!peers.offered) throw new Error(kNotOffered);
        return super.setRemoteDescription({ ...description, sdp: kept.join('\r\n') });
      }
    },
  };
  return peers;
}

async function session_over(client: Client): Promise<Way> {
  const began = performance.now();
  let problem = { code: 0, message: 'nothing came of it in time.' };
  client.state.subscribe((state) => {
    if (state.name === 'waiting') problem = state.reason;
    if (state.name === 'closed' && state.code) problem = state;
  });
  client.connect();
  const done = await until(
    () => ['live', 'waiting', 'closed'].includes(client.state.get().name),
    kWait_ms,
  );
  const open = done && client.state.get().name === 'live';
  const ms = performance.now() - began;
  client.close();
  return open ? { open, ms } : { open, why: problem.message, code: problem.code };
}

async function media_over(
  client: Client,
  options: MediaOptions,
  given_up = (): boolean => false,
): Promise<Way> {
  client.connect();
  if (!(await until(() => client.state.get().name === 'live', kWait_ms))) {
    return { open: false, why: 'there is no session to begin it by.', code: 0 };
  }
  const media = createMedia(client, options);
  const began = performance.now();
  const watching = media.watch({ audio: 1, video: 0 });
  const done = (): boolean => ['live', 'ended'].includes(watching.state.get()) || given_up();
  await until(done, kMediaWait_ms);
  const ms = performance.now() - began;
  const state = watching.state.get();
  const problem = watching.problem.get();
  if (state === 'live') {
    // Kept until the client is closed: the data channel is looked at, too.
    return { open: true, ms };
  }
  media.close();
  if (problem) return { open: false, why: problem.message, code: problem.code };
  return { open: false, why: 'no packet came back within twelve seconds.', code: 0 };
}

async function credentials_for(client: Client, url: string): Promise<RTCIceServer | null> {
  client.connect();
  if (!(await until(() => client.state.get().name === 'live', kWait_ms))) return null;
  const media = createMedia(client);
  const servers = await media.relays();
  media.close();
  const found = servers.find(({ urls }) => urls.includes(url));
  return found ? { ...found, urls: [url] } : null;
}

async function until(holds: () => boolean, wait_ms: number): Promise<boolean> {
  const end = performance.now() + wait_ms;
  while (!holds()) {
    if (performance.now() > end) return false;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  return true;
}

function sentence_of(error: unknown): string {
  if (error instanceof DOMException && error.name === 'TimeoutError')
    return 'no answer came in time.';
  return navigator.onLine ? 'the request was stopped on its way.' : 'this device is offline.';
}
