/**
 * `@footlight/client/media/fake`: voice and video for the fake server, and a peer connection that
 * negotiates with it. No media flow: what is tested is who is connected to whom, and what happens when
 * it breaks.
 *
 * @module
 */

import { Codes, codes } from '../codes.ts';
import type {
  Acceptor,
  FakeMediaHost,
  FakeNetwork,
  FakeServer,
  FakeSession,
} from '../fake/index.ts';
import type { Clock } from '../types.ts';
import type { IceServer, MediaRequest, PlaceInfo, ServerMessage } from '../wire.ts';
import { takesChannels } from './channel.ts';
import type { Kind } from './publication.ts';

/** A media session at the server. */
export interface FakeMediaSession {
  readonly id: string;
  readonly use: 'publish' | 'watch';
  readonly label: string;
  /** Whose it is; the session of the client may change, the account does not. */
  session: FakeSession;
  readonly lines: readonly { mid: string; kind: Kind }[];
  readonly muted: Set<string>;
  /** The wishes said for places, by mid. */
  readonly wishes: Map<string, object>;
  readonly reports: { rtt: number; loss: number; delay?: number }[];
  iceGeneration: number;
}

export class FakeMedia implements FakeMediaHost {
  /** Every media session that is open, oldest first. */
  sessions: FakeMediaSession[] = [];
  /** The next openings are refused so, each entry once. */
  readonly refusals: number[] = [];
  /** What is handed out. */
  relays: IceServer[] = [];
  /** Whether data channels are taken. */
  channels = true;
  /** Nothing is answered. */
  silent = false;
  opened = 0;
  #server!: FakeServer;

  begin(server: FakeServer): void {
    this.#server = server;
  }

  message(session: FakeSession, message: MediaRequest): void {
    if (this.silent) return;
    switch (message.t) {
      case 'media.open':
        return this.#open(session, message);
      case 'media.resume':
        return this.#resume(session, message);
      case 'media.ice':
        return this.#tell(session, { t: 'media', n: message.n, servers: this.relays, ttl: 3600 });
      case 'media.close':
        this.sessions = this.sessions.filter((one) => one.id !== message.id);
        return this.#arrange();
      case 'media.mute': {
        const muted = this.#find(message.id)?.muted;
        if (message.on) muted?.add(message.mid);
        else muted?.delete(message.mid);
        return this.#arrange();
      }
      case 'media.place': {
        const { t: _, id, mid, ...wish } = message;
        this.#find(id)?.wishes.set(mid, wish);
        return;
      }
      case 'media.report': {
        const { t: _, id, ...report } = message;
        this.#find(id)?.reports.push(report);
      }
    }
  }

  /** Ends media sessions with a code: all, or those of one account. */
  end(code: number, sub?: string): void {
    const over = this.sessions.filter((one) => sub === undefined || one.session.sub === sub);
    this.sessions = this.sessions.filter((one) => !over.includes(one));
    for (const { id, session } of over) {
      this.#tell(session, { t: 'media', id, over: true, code, message: sentence(code) });
    }
    this.#arrange();
  }

  /** Says that the picture of what was published last is not taken. */
  refusePicture(code: number = Codes.TrackLimit): void {
    const last = this.sessions.filter((one) => one.use === 'publish').at(-1);
    if (!last) return;
    this.#tell(last.session, { t: 'media', id: last.id, code, message: sentence(code) });
  }

  /** The process died: media sessions are gone and nobody was told. */
  forget(): void {
    this.sessions = [];
  }

  speak(speaking: [who: string, level: number][]): void {
    this.#server.tell({ t: 'media.room', speaking });
  }
  record(recording: boolean): void {
    this.#server.tell({ t: 'media.room', recording });
  }
  lines(links: [who: string, rtt: number, loss: number][]): void {
    this.#server.tell({ t: 'media.room', links });
  }

  #find(id: string): FakeMediaSession | undefined {
    return this.sessions.find((one) => one.id === id);
  }

  #open(session: FakeSession, message: Extract<MediaRequest, { t: 'media.open' }>): void {
    const { n, use, label = '', sdp } = message;
    const code = this.refusals.shift() ?? (this.#may(session, use) ? 0 : Codes.Forbidden);
    if (code) return this.#tell(session, { t: 'media', n, code, message: sentence(code) });
    const earlier = this.sessions.find(
      (one) =>
        use === 'publish' &&
        one.use === use &&
        one.session.sub === session.sub &&
        one.label === label,
    );
    if (earlier) {
      this.sessions = this.sessions.filter((one) => one !== earlier);
      const replaced = Codes.SessionReplaced;
      const told = { code: replaced, message: sentence(replaced) };
      this.#tell(earlier.session, { t: 'media', id: earlier.id, over: true, ...told });
    }
    const id = (++this.opened).toString(16).padStart(32, '0');
    const lines = [...sdp.matchAll(/^m=(audio|video).*\r\na=mid:(\S+)/gm)].map(([, kind, mid]) => ({
      kind: kind as Kind,
      mid: mid ?? '',
    }));
    const kept = { muted: new Set<string>(), wishes: new Map<string, object>(), reports: [] };
    this.sessions.push({ id, use, label, session, lines, ...kept, iceGeneration: 1 });
    const channels = sdp.includes('m=application') && session.role !== 'viewer' && this.channels;
    this.#tell(session, { t: 'media', n, id, sdp: answerOf(id, 1, channels) });
    this.#arrange();
  }

  #may(session: FakeSession, use: string): boolean {
    return use === 'watch' || session.role !== 'viewer';
  }

  #resume(session: FakeSession, message: Extract<MediaRequest, { t: 'media.resume' }>): void {
    const { n, id, ice } = message;
    const found = this.#find(id);
    if (!found || found.session.sub !== session.sub) {
      const code = Codes.UnknownSession;
      const over = { over: true, code, message: sentence(code) };
      return this.#tell(session, { t: 'media', n, id, ...over });
    }
    found.session = session;
    if (ice) ++found.iceGeneration;
    const fragment = ice ? { ice: fragmentOf(id, found.iceGeneration) } : {};
    this.#tell(session, { t: 'media', n, id, ...fragment });
    this.#arrange();
  }

  /** Tells every watcher whom its places show: first come, first served, nobody to themselves. */
  #arrange(): void {
    for (const watcher of this.sessions) {
      if (watcher.use !== 'watch') continue;
      const shown = this.sessions.filter(
        (one) => one.use === 'publish' && one.session.sub !== watcher.session.sub,
      );
      const streams = shown.flatMap((of) => of.lines.map((line) => ({ of, ...line })));
      const places = watcher.lines.map(({ mid, kind }): PlaceInfo => {
        const at = streams.findIndex((one) => one.kind === kind);
        const [taken] = at < 0 ? [] : streams.splice(at, 1);
        if (!taken) return { mid, kind };
        const { who, name, role } = taken.of.session;
        const muted = taken.of.muted.has(taken.mid);
        return { mid, kind, who, name, role, label: taken.of.label, muted };
      });
      this.#tell(watcher.session, { t: 'media.places', id: watcher.id, places });
    }
  }

  #tell(session: FakeSession, message: ServerMessage): void {
    if (this.#server.sessions.includes(session)) session.peer.send(JSON.stringify(message));
  }
}

export const fakeMedia = (): FakeMedia => new FakeMedia();

const fragmentOf = (id: string, generation: number): string =>
  `a=ice-ufrag:${id.slice(-4)}${generation}\r\na=ice-pwd:secret${generation}\r\n`;
const answerOf = (id: string, generation: number, channels: boolean): string =>
  `v=0\r\n${fragmentOf(id, generation)}m=application ${channels ? 9 : 0}\r\n`;

function sentence(code: number): string {
  return codes[code]?.sentence ?? '';
}

// The browser's side -----------------------------------------------------------------------------

let track_number = 0;

/** A track of nothing. */
export function fakeTrack(kind: Kind): MediaStreamTrack {
  const id = `${kind}-${++track_number}`;
  return { kind, id, enabled: true, stop: () => {}, addEventListener: () => {} } as never;
}

class FakeTransceiver {
  mid: string | null = null;
  readonly sender: {
    track: MediaStreamTrack | null;
    replaceTrack(to: MediaStreamTrack | null): Promise<void>;
  };
  readonly receiver: { track: MediaStreamTrack };
  readonly kind: Kind;
  readonly direction: string;
  constructor(of: Kind | MediaStreamTrack, direction: string) {
    this.kind = typeof of === 'string' ? of : (of.kind as Kind);
    this.direction = direction;
    this.receiver = { track: fakeTrack(this.kind) };
    const sender = {
      track: typeof of === 'string' ? null : of,
      replaceTrack: (to: MediaStreamTrack | null): Promise<void> => {
        sender.track = to;
        return Promise.resolve();
      },
    };
    this.sender = sender;
  }
  setCodecPreferences(): void {}
}

/** Peer connections of one browser, and its network. */
export class FakePeers {
  /** Every peer connection there has been, oldest first. */
  readonly all: FakePeerConnection[] = [];
  /** Whether checks get through. */
  reachable = true;
  readonly RTCPeerConnection: typeof RTCPeerConnection;
  readonly clock: Clock;
  /** Of the server: without it data channels never open. */
  readonly network: FakeNetwork | null;

  constructor(clock: Clock, network: FakeNetwork | null = null) {
    this.clock = clock;
    this.network = network;
    const peers = this;
    this.RTCPeerConnection = class extends FakePeerConnection {
      constructor(configuration: RTCConfiguration = {}) {
        super(peers, configuration);
        peers.all.push(this);
      }
    } as never;
  }

  get open(): FakePeerConnection[] {
    return this.all.filter((one) => one.connectionState !== 'closed');
  }
}

export class FakePeerConnection {
  connectionState: RTCPeerConnectionState = 'new';
  onconnectionstatechange: (() => void) | null = null;
  remote = '';
  stats: object[] = [];
  readonly transceivers: FakeTransceiver[] = [];
  readonly channels: FakeDataChannel[] = [];
  readonly #peers: FakePeers;
  #generation = 1;
  #connected_to = '';

  configuration: RTCConfiguration;

  constructor(peers: FakePeers, configuration: RTCConfiguration = {}) {
    this.#peers = peers;
    this.configuration = configuration;
  }

  setConfiguration(configuration: RTCConfiguration): void {
    this.configuration = configuration;
  }
  addTransceiver(of: Kind | MediaStreamTrack, init: { direction: string }): FakeTransceiver {
    const made = new FakeTransceiver(of, init.direction);
    this.transceivers.push(made);
    return made;
  }
  getTransceivers(): FakeTransceiver[] {
    return this.transceivers;
  }
  createOffer(): Promise<{ type: 'offer'; sdp: string }> {
    const lines = this.transceivers.map(
      ({ kind, direction }, at) => `m=${kind} 9\r\na=mid:${at}\r\na=${direction}\r\n`,
    );
    if (this.channels.length) lines.push(`m=application 9\r\na=mid:${lines.length}\r\n`);
    const ice = `a=ice-ufrag:u${this.#generation}\r\na=ice-pwd:p${this.#generation}\r\n`;
    return Promise.resolve({ type: 'offer', sdp: `v=0\r\n${ice}${lines.join('')}` });
  }
  setLocalDescription(): Promise<void> {
    return Promise.resolve();
  }
  setRemoteDescription({ sdp }: { sdp: string }): Promise<void> {
    this.transceivers.forEach((one, at) => (one.mid = String(at)));
    this.remote = sdp;
    this.#peers.clock.setTimeout(() => {
      if (!this.#peers.reachable || this.#connected_to === sdp) return;
      this.#connected_to = sdp;
      this.become('connected');
    }, 5);
    return Promise.resolve();
  }
  createDataChannel(): FakeDataChannel {
    const made = new FakeDataChannel(this.#peers.network);
    this.channels.push(made);
    if (this.connectionState === 'connected') made.connect();
    return made;
  }
  restartIce(): void {
    ++this.#generation;
  }
  close(): void {
    this.connectionState = 'closed';
    for (const channel of this.channels) channel.cut();
  }
  getStats(): Promise<Map<string, object>> {
    return Promise.resolve(new Map(this.stats.map((one, at) => [String(at), one])));
  }

  /** What the network does to it. */
  become(state: RTCPeerConnectionState): void {
    if (this.connectionState === 'closed') return;
    if (state !== 'connected') this.#connected_to = '';
    this.connectionState = state;
    if (state === 'connected' && takesChannels(this.remote)) {
      for (const channel of this.channels) channel.connect();
    }
    this.onconnectionstatechange?.();
  }
}

/** A data channel that carries the session protocol to the fake server. */
export class FakeDataChannel {
  readyState: RTCDataChannelState = 'connecting';
  binaryType = 'blob';
  bufferedAmount = 0;
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: (() => void) | null = null;
  onerror: (() => void) | null = null;
  /** Nothing gets through, and nobody is told. */
  stalled = false;
  /** Messages of the server come in parts of so many bytes; 0: whole. */
  partBytes = 0;
  readonly #network: FakeNetwork | null;
  readonly #up: (run: () => void) => void;
  readonly #down: (run: () => void) => void;
  #end: Acceptor | null = null;

  constructor(network: FakeNetwork | null) {
    this.#network = network;
    this.#up = network?.pipe() ?? ((): void => {});
    this.#down = network?.pipe() ?? ((): void => {});
  }

  /** @internal The peer connection stands. */
  connect(): void {
    if (this.readyState !== 'connecting' || !this.#network) return;
    this.readyState = 'open';
    this.#end = this.#network.accept({
      send: (text) => this.#receive(new TextEncoder().encode(text), text),
      sendBytes: (frame) => this.#receive(frame, null),
      close: () => this.#down(() => this.cut()),
    });
    this.onopen?.();
  }

  send(data: string | Uint8Array): void {
    const sent = typeof data === 'string' ? data : data.slice();
    this.#up(() => {
      if (this.stalled) return;
      if (typeof sent === 'string') this.#end?.message(sent);
      else this.#end?.bytes(sent);
    });
  }

  close(): void {
    this.readyState = 'closed';
    this.#up(() => {
      if (!this.stalled) this.#end?.gone();
    });
  }

  /** The other side closes it, or the peer connection is gone. */
  cut(): void {
    if (this.readyState === 'closed') return;
    this.readyState = 'closed';
    this.#end?.gone();
    this.onclose?.();
  }

  #receive(bytes: Uint8Array, text: string | null): void {
    const parts = this.partBytes ? Math.ceil(bytes.length / this.partBytes) : 1;
    const whole = text ?? bytes.slice().buffer;
    for (let at = 0; at < parts; ++at) {
      const last = at + 1 === parts ? (text === null ? 2 : 1) : 0;
      const piece = bytes.subarray(at * this.partBytes, (at + 1) * this.partBytes);
      const data = this.partBytes ? new Uint8Array([2, last, ...piece]).buffer : whole;
      this.#down(() => {
        if (this.readyState === 'open' && !this.stalled) this.onmessage?.({ data });
      });
    }
  }
}
