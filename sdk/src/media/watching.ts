import { Value } from '../readable.ts';
import type { Readable } from '../types.ts';
import type { AnyMediaMessage, PlaceInfo, Role, Who } from '../wire.ts';
import { Line, type Peers } from './line.ts';
import type { Signaling } from './signaling.ts';
import type { Kind } from './publication.ts';

export interface WatchOptions {
  /** So many voices and pictures at once; the most important come first. Default 8 of each. */
  audio?: number;
  video?: number;
}

/** Who is heard or seen in one of the streams that are received. */
export interface Place {
  readonly mid: string;
  readonly kind: Kind;
  readonly who: Who;
  readonly name: string;
  readonly role: Role;
  readonly label: string;
  /** On purpose: show that, not the last picture. */
  readonly muted: boolean;
  readonly track: MediaStreamTrack;
}

/** What is wanted of a place. Said whole each time. */
export interface PlaceWish {
  /** No better than this of the sizes that are sent, 0 the smallest: a small tile needs no more. */
  max?: number;
  paused?: boolean;
  /** Before others, when there is not room for all. */
  pin?: boolean;
}

/** The streams one receives. */
export class Watching {
  readonly places: Readable<readonly Place[]>;
  /** How the server finds the way: what it could send, and which size goes to which place. */
  readonly served: Readable<Served | null>;
  /** @internal */
  readonly line: Line;
  readonly #signaling: Signaling;
  readonly #options: WatchOptions;
  readonly #places = new Value<readonly Place[]>([]);
  readonly #served = new Value<Served | null>(null);
  #infos: readonly PlaceInfo[] = [];
  #wishes = new Map<string, PlaceWish>();

  /** @internal */
  constructor(signaling: Signaling, options: WatchOptions, peers: Peers) {
    this.#signaling = signaling;
    this.#options = options;
    this.places = this.#places;
    this.served = this.#served;
    this.line = new Line(signaling, {
      use: 'watch',
      ...peers,
      build: (peer) => this.#build(peer),
      opened: () => {
        for (const mid of this.#wishes.keys()) this.#tell(mid);
        this.#arrange();
      },
      message: (message) => this.#message(message),
    });
    this.line.state.subscribe((state) => {
      if (state !== 'ended') return;
      this.#infos = [];
      this.#places.set([]);
      this.#served.set(null);
    });
  }

  get state(): Line['state'] {
    return this.line.state;
  }
  get problem(): Line['problem'] {
    return this.line.problem;
  }

  want(mid: string, wish: PlaceWish): void {
    if (JSON.stringify(this.#wishes.get(mid) ?? {}) === JSON.stringify(wish)) return;
    this.#wishes.set(mid, wish);
    this.#tell(mid);
  }

  end(): void {
    this.line.end();
  }

  #tell(mid: string): void {
    const { id } = this.line;
    if (id !== null) this.#signaling.send({ t: 'media.place', id, mid, ...this.#wishes.get(mid) });
  }

  #build(peer: RTCPeerConnection): void {
    this.#infos = [];
    this.#places.set([]);
    for (const kind of ['audio', 'video'] as const) {
      const codecs = wantedCodecs(kind);
      for (let i = 0; i < (this.#options[kind] ?? 8); ++i) {
        const transceiver = peer.addTransceiver(kind, { direction: 'recvonly' });
        if (codecs.length) transceiver.setCodecPreferences?.(codecs);
      }
    }
  }

  #message(message: AnyMediaMessage): void {
    if (message.t === 'media.places') {
      this.#infos = message.places;
      this.#arrange();
    } else if (message.t === 'media.quality') {
      const { rtt, loss, bps } = message;
      this.#served.set({ rttMs: rtt, lossPm: loss, bps, layers: new Map(message.places) });
    }
  }

  #arrange(): void {
    const tracks = new Map(
      (this.line.peer?.getTransceivers() ?? []).map((one) => [one.mid, one.receiver.track]),
    );
    const places: Place[] = [];
    for (const { mid, kind, who, name = '', role = 'viewer', label = '', muted } of this.#infos) {
      const track = tracks.get(mid);
      if (who === undefined || !track) continue;
      places.push({ mid, kind, who, name, role, label, muted: muted === true, track });
    }
    if (!sameJson(places, this.#places.get())) this.#places.set(places);
  }
}

export interface Served {
  readonly rttMs: number;
  readonly lossPm: number;
  readonly bps: number;
  /** By mid; -1: nothing is sent now. */
  readonly layers: ReadonlyMap<string, number>;
}

const sameJson = (a: readonly Place[], b: readonly Place[]): boolean =>
  a.length === b.length &&
  a.every((one, i) => one.track === b[i]?.track && JSON.stringify(one) === JSON.stringify(b[i]));

/** An offer with every profile of every codec for every place would be a hundred kilobytes. */
function wantedCodecs(kind: Kind): RTCRtpCodec[] {
  if (typeof RTCRtpReceiver === 'undefined') return [];
  const all = RTCRtpReceiver.getCapabilities?.(kind)?.codecs ?? [];
  const seen = new Set<string>();
  return all.filter(({ mimeType, sdpFmtpLine = '' }) => {
    const type = mimeType.toLowerCase();
    if (kind === 'audio') return type === 'audio/opus' || type === 'audio/red';
    if (type === 'video/rtx') return true;
    if (!/^video\/(vp8|vp9|h264|av1)$/.test(type)) return false;
    if (type === 'video/vp9' && !/profile-id=0|^$/.test(sdpFmtpLine)) return false;
    if (type === 'video/h264' && !/packetization-mode=1/.test(sdpFmtpLine)) return false;
    // Of H264 the two profiles that are met; of the others the first.
    const profile = /profile-level-id=(42e0|4200|640c|6400)/i.exec(sdpFmtpLine)?.[1] ?? '';
    if (type === 'video/h264' && !profile) return false;
    const key = `${type} ${profile}`;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}
