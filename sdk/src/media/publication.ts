import { Value } from '../readable.ts';
import type { Problem, Readable } from '../types.ts';
import { Line, type LineState, type Peers } from './line.ts';
import type { Signaling } from './signaling.ts';

export type Kind = 'audio' | 'video';

export interface PublishOptions {
  /** Tells a screen from a camera; an account has one publication of each label. Default: the camera. */
  label?: string;
  /** Null reserves the place for a track that comes later, by `replace`; absent: none will. */
  audio?: MediaStreamTrack | null;
  video?: MediaStreamTrack | null;
  /** In three sizes, so that each viewer gets what their line carries. Default: for all but screens. */
  simulcast?: boolean;
  /** Of the largest size. Default 1.5 Mbps, of a screen 2.5 Mbps. */
  maxBitrateBps?: number;
}

export interface PerKind<T> {
  readonly audio: T;
  readonly video: T;
}

/** What one publishes: a voice, a picture, or both. */
export class Publication {
  readonly label: string;
  /** Muted, or without a track: others see that it is on purpose. */
  readonly muted: Readable<PerKind<boolean>>;
  readonly tracks: Readable<PerKind<MediaStreamTrack | null>>;
  /** Why others hear and do not see it: the server has no room for the picture. Null: it is taken whole. */
  readonly refused: Readable<Problem | null>;
  /** @internal */
  readonly line: Line;
  readonly #signaling: Signaling;
  readonly #options: PublishOptions;
  readonly #refused = new Value<Problem | null>(null);
  readonly #muted = new Value<PerKind<boolean>>({ audio: false, video: false });
  readonly #tracks: Value<PerKind<MediaStreamTrack | null>>;
  #senders: { audio: RTCRtpTransceiver | null; video: RTCRtpTransceiver | null } = {
    audio: null,
    video: null,
  };

  /** @internal */
  constructor(signaling: Signaling, options: PublishOptions, peers: Peers) {
    this.#signaling = signaling;
    this.#options = options;
    this.label = options.label ?? '';
    this.#tracks = new Value<PerKind<MediaStreamTrack | null>>({
      audio: options.audio ?? null,
      video: options.video ?? null,
    });
    this.tracks = this.#tracks;
    this.muted = this.#muted;
    this.refused = this.#refused;
    this.line = new Line(signaling, {
      use: 'publish',
      label: this.label,
      ...peers,
      build: (peer) => this.#build(peer),
      opened: () => {
        this.#refused.set(null);
        this.#tellMuted('audio', 'video');
      },
      message: () => {},
      refused: (problem) => this.#refused.set(problem),
    });
  }

  get state(): Readable<LineState> {
    return this.line.state;
  }
  get problem(): Readable<Problem | null> {
    return this.line.problem;
  }

  /** A muted voice is silence; a muted picture is not sent at all. */
  mute(kind: Kind, on: boolean): void {
    this.#muted.set({ ...this.#muted.get(), [kind]: on });
    this.#put(kind);
    this.#tellMuted(kind);
  }

  /** Another device, or none: nobody needs to negotiate for that. The caller stops the old track. */
  replace(kind: Kind, track: MediaStreamTrack | null): void {
    this.#tracks.set({ ...this.#tracks.get(), [kind]: track });
    this.#put(kind);
    this.#tellMuted(kind);
  }

  /** Ends it for all; the tracks go on and are the caller's to stop. */
  end(): void {
    this.line.end();
  }

  #build(peer: RTCPeerConnection): void {
    const { audio, video } = this.#tracks.get();
    // One stream, so that voice and picture are played in step.
    const streams = typeof MediaStream === 'function' ? [new MediaStream()] : [];
    this.#senders = { audio: null, video: null };
    if (this.#options.audio !== undefined) {
      this.#senders.audio = peer.addTransceiver(audio ?? 'audio', {
        direction: 'sendonly',
        streams,
      });
    }
    if (this.#options.video !== undefined) {
      this.#senders.video = peer.addTransceiver(video ?? 'video', {
        direction: 'sendonly',
        streams,
        sendEncodings: this.#encodings(),
      });
    }
    this.#put('audio');
    this.#put('video');
  }

  /** The lowest first, as the server wants them. */
  #encodings(): RTCRtpEncodingParameters[] {
    const screen = this.label === 'screen';
    const most = this.#options.maxBitrateBps ?? (screen ? 2_500_000 : 1_500_000);
    if (!(this.#options.simulcast ?? !screen)) return [{ maxBitrate: most }];
    return [
      { rid: 'l', scaleResolutionDownBy: 4, maxBitrate: Math.round(most / 10) },
      { rid: 'm', scaleResolutionDownBy: 2, maxBitrate: Math.round(most / 3) },
      { rid: 'h', scaleResolutionDownBy: 1, maxBitrate: most },
    ];
  }

  #put(kind: Kind): void {
    const track = this.#tracks.get()[kind];
    const muted = this.#muted.get()[kind];
    if (track) track.enabled = !muted;
    const sent = kind === 'video' && muted ? null : track;
    const sender = this.#senders[kind]?.sender;
    if (sender && sender.track !== sent) void sender.replaceTrack(sent).catch(() => {});
  }

  #tellMuted(...kinds: Kind[]): void {
    const { id } = this.line;
    if (id === null) return;
    for (const kind of kinds) {
      const mid = this.#senders[kind]?.mid;
      if (mid === null || mid === undefined) continue;
      const on = this.#muted.get()[kind] || this.#tracks.get()[kind] === null;
      this.#signaling.send({ t: 'media.mute', id, mid, on });
    }
  }
}
