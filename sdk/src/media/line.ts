/**
 * One media session with the server: a peer connection, kept alive.
 *
 *   waiting → connecting → live ⇄ interrupted → … → ended
 *
 * A lost connection of the client's session costs nothing: media flow on, and the session is taken up
 * again by its id. A network that changed is healed by an ICE restart; when that does not help, or the
 * server knows the session no longer, a new one takes its place. What the server refuses for good ends
 * the line with a problem.
 */

import { fullJitterMs } from '../backoff.ts';
import { Codes } from '../codes.ts';
import { Value } from '../readable.ts';
import { Timers } from '../timers.ts';
import type { Problem, Transport } from '../types.ts';
import type { AnyMediaMessage, MediaMessage } from '../wire.ts';
import { channelTransport, makeChannel, takesChannels } from './channel.ts';
import type { Signaling } from './signaling.ts';

export type LineState = 'waiting' | 'connecting' | 'live' | 'interrupted' | 'ended';

export interface LineSpec {
  use: 'publish' | 'watch';
  label?: string;
  /** May throw a `FootlightError`. */
  makePeer(configuration: RTCConfiguration): RTCPeerConnection;
  /** The relays there are, and the rest of it. */
  configuration(): Promise<RTCConfiguration>;
  /** Whether the session may go over a data channel of it. */
  channels?: () => boolean;
  /** Puts the transceivers on a new peer connection. */
  build(peer: RTCPeerConnection): void;
  /** The server has taken the session: mids are known. */
  opened(peer: RTCPeerConnection): void;
  message(message: AnyMediaMessage): void;
  /** A part of what was offered is not taken; the rest goes on. */
  refused?(problem: Problem): void;
}

/** How peer connections are made, and what they may carry. */
export type Peers = Pick<LineSpec, 'makePeer' | 'configuration' | 'channels'>;

const GRACE_MS = 2000;
const CONNECT_MS = 10_000;

/** Codes after which another try would come to the same. */
const FINAL: ReadonlySet<number> = new Set([
  Codes.SessionReplaced,
  Codes.Banned,
  Codes.Kicked,
  Codes.Forbidden,
  Codes.MediaPublish,
  Codes.MediaSubscribe,
  Codes.MediaTracks,
  Codes.MediaOff,
  Codes.SdpSyntax,
  Codes.SdpTooLarge,
  Codes.SdpTransport,
  Codes.TrackCodec,
]);

export class Line {
  readonly state = new Value<LineState>('waiting');
  /** Why it ended; null while it has not, or when it was ended here. */
  readonly problem = new Value<Problem | null>(null);
  /** The way for the session that this peer connection is, while it holds. */
  readonly way = new Value<Transport | null>(null);
  peer: RTCPeerConnection | null = null;
  id: string | null = null;
  readonly #signaling: Signaling;
  readonly #spec: LineSpec;
  readonly #timers: Timers;
  #answer = '';
  #attempt = 0;
  /** Counts peer connections, so that what comes late can see that it is late. */
  #round = 0;
  #restarting = false;
  #was_live = false;
  #transport: Transport | null = null;

  constructor(signaling: Signaling, spec: LineSpec) {
    this.#signaling = signaling;
    this.#spec = spec;
    this.#timers = new Timers(signaling.clock);
    signaling.add(this);
    void this.#open();
  }

  get ended(): boolean {
    return this.state.get() === 'ended';
  }

  /** The client's session is live (again). */
  live(): void {
    if (this.ended) return;
    if (this.id === null) void this.#open();
    else if (this.peer?.connectionState === 'connected') void this.#resume();
    else void this.restartIce();
  }

  message(message: AnyMediaMessage): void {
    if (message.t === 'media') {
      const problem = { code: message.code ?? 0, message: message.message ?? '' };
      if (message.over) this.#over(problem);
      else if (problem.code) this.#spec.refused?.(problem);
    } else {
      this.#spec.message(message);
    }
  }

  /** For a network that changed: media go on meanwhile where they can. */
  async restartIce(): Promise<void> {
    const { peer, id } = this;
    if (!peer || id === null || this.#restarting || this.ended) return;
    if (!this.#signaling.live) return this.#interrupted();
    const round = this.#round;
    this.#restarting = true;
    try {
      // Credentials for relays may have run out since.
      const configuration = await this.#spec.configuration();
      if (round !== this.#round) return;
      peer.setConfiguration?.(configuration);
      peer.restartIce();
      const offer = await peer.createOffer();
      await peer.setLocalDescription(offer);
      const ice = fragmentOf(offer.sdp ?? '');
      const answer = await this.#signaling.ask({ t: 'media.resume', id, ice });
      if (round !== this.#round || answer === null) return;
      if (answer.code !== undefined) return this.#refused(answer);
      this.#answer = withCredentials(this.#answer, answer.ice ?? '');
      await peer.setRemoteDescription({ type: 'answer', sdp: this.#answer });
      this.#expectConnection();
    } catch {
      if (round === this.#round) this.#again();
    } finally {
      if (round === this.#round) this.#restarting = false;
    }
  }

  end(problem: Problem | null = null): void {
    if (this.ended) return;
    this.#drop(true);
    this.#signaling.remove(this);
    this.problem.set(problem);
    this.state.set('ended');
  }

  async #open(): Promise<void> {
    if (this.ended || this.peer) return;
    if (!this.#signaling.live) return this.#interrupted();
    const round = ++this.#round;
    let peer: RTCPeerConnection;
    this.state.set(this.#was_live ? 'interrupted' : 'connecting');
    try {
      const configuration = await this.#spec.configuration();
      if (round !== this.#round) return;
      peer = this.#spec.makePeer(configuration);
    } catch (error) {
      return this.end(error as Problem);
    }
    this.peer = peer;
    peer.onconnectionstatechange = () => {
      if (round === this.#round) this.#connectionChanged(peer.connectionState);
    };
    try {
      this.#spec.build(peer);
      const channel = this.#spec.channels?.() ? makeChannel(peer) : null;
      const offer = await peer.createOffer();
      await peer.setLocalDescription(offer);
      const { use, label } = this.#spec;
      const sdp = offer.sdp ?? '';
      const named = label ? { label } : {};
      const answer = await this.#signaling.ask({ t: 'media.open', use, ...named, sdp });
      if (round !== this.#round) return this.#forget(answer);
      if (answer === null) return this.#drop(false);
      if (answer.code !== undefined) return this.#refused(answer);
      this.id = answer.id ?? null;
      this.#answer = answer.sdp ?? '';
      if (channel && takesChannels(this.#answer)) this.#transport = channelTransport(peer, channel);
      await peer.setRemoteDescription({ type: 'answer', sdp: this.#answer });
      if (round !== this.#round) return;
      this.#spec.opened(peer);
      this.#expectConnection();
    } catch {
      if (round === this.#round) this.#again();
    }
  }

  /** The answer to a question whose asker is gone. */
  #forget(answer: MediaMessage | null): void {
    if (answer?.id !== undefined && answer.code === undefined) {
      this.#signaling.send({ t: 'media.close', id: answer.id });
    }
  }

  async #resume(): Promise<void> {
    const { id } = this;
    if (id === null) return;
    const round = this.#round;
    const answer = await this.#signaling.ask({ t: 'media.resume', id });
    if (round !== this.#round || answer === null) return;
    if (answer.code !== undefined) this.#refused(answer);
    else if (this.peer) this.#spec.opened(this.peer);
  }

  #connectionChanged(state: RTCPeerConnectionState): void {
    if (state === 'connected') {
      this.#attempt = 0;
      this.#was_live = true;
      this.#timers.clearAll();
      this.state.set('live');
      this.way.set(this.#transport);
    } else if (state === 'disconnected') {
      this.#interrupted();
      this.#timers.set('grace', GRACE_MS, () => void this.restartIce());
    } else if (state === 'failed') {
      this.#interrupted();
      this.#timers.clear('grace');
      void this.restartIce();
    }
  }

  #interrupted(): void {
    this.way.set(null);
    this.state.set(this.#was_live ? 'interrupted' : 'waiting');
  }

  #expectConnection(): void {
    this.#timers.set('connect', CONNECT_MS, () => {
      if (this.peer?.connectionState === 'connected') return;
      if (this.#signaling.live) this.#again();
    });
  }

  #refused(answer: MediaMessage): void {
    const problem = { code: answer.code ?? 0, message: answer.message ?? '' };
    if (answer.over) this.id = null;
    this.#over(problem);
  }

  #over(problem: Problem): void {
    this.id = null;
    if (FINAL.has(problem.code)) this.end(problem);
    else this.#again();
  }

  /** A new session takes the place of this one, after a while. */
  #again(): void {
    if (this.ended) return;
    this.#drop(true);
    this.#interrupted();
    const wait_ms = fullJitterMs(this.#attempt++, this.#signaling.random);
    this.#timers.set('again', wait_ms, () => void this.#open());
  }

  #drop(tell: boolean): void {
    ++this.#round;
    this.#restarting = false;
    this.#timers.clearAll();
    this.#transport = null;
    this.way.set(null);
    if (tell && this.id !== null) this.#signaling.send({ t: 'media.close', id: this.id });
    this.id = null;
    if (this.peer) {
      this.peer.onconnectionstatechange = null;
      this.peer.close();
    }
    this.peer = null;
  }
}

/** Of an offer what tells an ICE generation from the next (RFC 8840). */
export function fragmentOf(sdp: string): string {
  const line = (name: string): string =>
    new RegExp(`^a=${name}:.*$`, 'm').exec(sdp)?.[0].trim() ?? '';
  return `${line('ice-ufrag')}\r\n${line('ice-pwd')}\r\n`;
}

/** An answer with the ICE credentials of a fragment. */
export function withCredentials(answer: string, fragment: string): string {
  let out = answer;
  for (const name of ['ice-ufrag', 'ice-pwd']) {
    const line = new RegExp(`^a=${name}:.*$`, 'm').exec(fragment)?.[0].trim();
    if (line) out = out.replace(new RegExp(`^a=${name}:[^\\r\\n]*`, 'gm'), () => line);
  }
  return out;
}
