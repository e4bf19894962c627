import { ClientCode, FootlightError } from '../problems.ts';
import { Emitter, Value } from '../readable.ts';
import { Timers } from '../timers.ts';
import type { Client, Problem, Readable, Transport, Unsubscribe } from '../types.ts';
import type { AnyMediaMessage, Who } from '../wire.ts';
import type { Peers } from './line.ts';
import { Publication, type PublishOptions } from './publication.ts';
import { Signaling } from './signaling.ts';
import { Meter, type LineFigures } from './stats.ts';
import { Watching, type Place, type WatchOptions } from './watching.ts';

export interface MediaOptions {
  /** The browser's by default. */
  RTCPeerConnection?: typeof RTCPeerConnection;
  /** How often figures are read and reported. Default 2 s. */
  statsMs?: number;
  /** `relay`: over a relay alone, so that nobody learns an address. Default `all`. */
  iceTransportPolicy?: RTCIceTransportPolicy;
  /** Instead of the relays that the server hands out. */
  iceServers?: RTCIceServer[];
  /**
   * Whether the session itself goes over a data channel where the server takes one (the cast's), with
   * WebSocket to fall back to. Default true.
   */
  channel?: boolean;
}

/** A server that knows no relays may not know the question. */
const RELAYS_MS = 2000;
/** Negotiations under way are not to be torn by a change of the session's transport. */
const SETTLE_MS = 300;

export interface Speaker {
  readonly who: Who;
  /** 0–127, a scale of decibels; from about 45 on one hears somebody. */
  readonly level: number;
}
/** Another person's line, as they and the server find it. */
export interface LinkQuality {
  readonly rttMs: number;
  readonly lossPm: number;
}
/** One's own lines. */
export interface OwnQuality extends LinkQuality {
  /** From capture at the farthest of those who are heard to playing here; null when unknown. */
  readonly delayMs: number | null;
  readonly watching: LineFigures | null;
  readonly publishing: ReadonlyMap<string, LineFigures>;
}

export interface MediaEvents {
  /** Somebody is heard or seen who was not. */
  shown: Place;
  gone: Place;
  /** Who speaks now, null for nobody. */
  active: Who | null;
  /** A publication or the watching has ended, and not by its own `end`. */
  ended: { of: Publication | Watching; problem: Problem };
  /** The server has no room for the picture of a publication; its voice is heard. */
  refused: { of: Publication; problem: Problem };
}

/**
 * Voice and video of the client's episode. What is opened here stays open over lost connections,
 * changes of the network and restarts of the server, until it is ended.
 */
export class FootlightMedia {
  readonly publications: Readable<readonly Publication[]>;
  readonly watching: Readable<Watching | null>;
  readonly places: Readable<readonly Place[]>;
  /** The active speaker first; told a few times a second. */
  readonly speaking: Readable<readonly Speaker[]>;
  readonly links: Readable<ReadonlyMap<Who, LinkQuality>>;
  /** What is said and shown in the episode is being recorded: people must be told. */
  readonly recording: Readable<boolean>;
  readonly quality: Readable<OwnQuality | null>;
  readonly #signaling: Signaling;
  readonly #options: MediaOptions;
  readonly #timers: Timers;
  readonly #events = new Emitter<MediaEvents>();
  readonly #publications = new Value<readonly Publication[]>([]);
  readonly #watching = new Value<Watching | null>(null);
  readonly #places = new Value<readonly Place[]>([]);
  readonly #speaking = new Value<readonly Speaker[]>([]);
  readonly #links = new Value<ReadonlyMap<Who, LinkQuality>>(new Map());
  readonly #recording = new Value(false);
  readonly #quality = new Value<OwnQuality | null>(null);
  readonly #meters = new WeakMap<Publication | Watching, Meter>();
  #measuring = false;
  readonly #client: Client;
  #way: Transport | null = null;
  #relays: { servers: RTCIceServer[]; until_ms: number } | null = null;
  readonly #online = (): void => this.networkChanged();
  readonly #hidden = (): void => this.#leavePage();

  constructor(client: Client, options: MediaOptions = {}) {
    this.#options = options;
    this.#client = client;
    this.publications = this.#publications;
    this.watching = this.#watching;
    this.places = this.#places;
    this.speaking = this.#speaking;
    this.links = this.#links;
    this.recording = this.#recording;
    this.quality = this.#quality;
    this.#signaling = new Signaling(
      client,
      (message) => this.#room(message),
      () => this.#endAll(),
    );
    this.#timers = new Timers(this.#signaling.clock);
    globalThis.addEventListener?.('online', this.#online);
    globalThis.addEventListener?.('pagehide', this.#hidden);
    networkInformation()?.addEventListener('change', this.#online);
  }

  on<E extends keyof MediaEvents>(event: E, run: (value: MediaEvents[E]) => void): Unsubscribe {
    return this.#events.on(event, run);
  }

  /** Publishes tracks. One of the same label ends before. */
  publish(options: PublishOptions): Publication {
    const label = options.label ?? '';
    for (const other of this.#publications.get()) if (other.label === label) other.end();
    const made = new Publication(this.#signaling, options, this.#peers());
    this.#publications.set([...this.#publications.get(), made]);
    made.refused.subscribe((problem) => {
      if (problem) this.#events.emit('refused', { of: made, problem });
    });
    this.#follow(made, () =>
      this.#publications.set(this.#publications.get().filter((one) => one !== made)),
    );
    return made;
  }

  /** Receives what the others publish. One at a time; a second call ends the first. */
  watch(options: WatchOptions = {}): Watching {
    this.#watching.get()?.end();
    const made = new Watching(this.#signaling, options, this.#peers());
    this.#watching.set(made);
    this.#follow(made, () => {
      if (this.#watching.get() === made) this.#watching.set(null);
    });
    made.places.subscribe((places) => this.#placesChanged(places));
    return made;
  }

  /** The relays the server hands out, with credentials; kept for half of the time these hold. */
  async relays(): Promise<RTCIceServer[]> {
    const { iceServers } = this.#options;
    if (iceServers) return iceServers;
    const { clock } = this.#signaling;
    if (this.#relays && clock.now() < this.#relays.until_ms) return this.#relays.servers;
    const late = new Promise<null>((resolve) => clock.setTimeout(() => resolve(null), RELAYS_MS));
    const answer = await Promise.race([this.#signaling.ask({ t: 'media.ice' }), late]);
    const { servers, ttl = 0 } = answer ?? {};
    if (!servers) return [];
    this.#relays = { servers, until_ms: clock.now() + 500 * ttl };
    return servers;
  }

  /** Heals all lines at once. Called by itself when the browser says that the network changed. */
  networkChanged(): void {
    for (const of of this.#lines()) void of.line.restartIce();
  }

  /** Ends everything and lets go of the client. */
  close(): void {
    this.#endAll();
    this.#signaling.detach();
    globalThis.removeEventListener?.('online', this.#online);
    globalThis.removeEventListener?.('pagehide', this.#hidden);
    networkInformation()?.removeEventListener('change', this.#online);
  }

  #lines(): (Publication | Watching)[] {
    const watching = this.#watching.get();
    return [...this.#publications.get(), ...(watching ? [watching] : [])];
  }

  #endAll(): void {
    for (const of of this.#lines()) of.end();
    this.#timers.clearAll();
    this.#speaking.set([]);
    this.#links.set(new Map());
    this.#recording.set(false);
    this.#quality.set(null);
  }

  /** What is not said now lingers at the server until its consent has run out. */
  #leavePage(): void {
    for (const { line } of this.#lines()) {
      if (line.id !== null) this.#signaling.send({ t: 'media.close', id: line.id });
    }
  }

  #follow(of: Publication | Watching, gone: () => void): void {
    this.#meters.set(of, new Meter());
    this.#measureLater();
    of.line.way.subscribe(() => this.#chooseWay());
    of.state.subscribe((state) => {
      if (state !== 'ended') return;
      gone();
      const problem = of.problem.get();
      if (problem) this.#events.emit('ended', { of, problem });
    });
  }

  #peers(): Peers {
    return {
      makePeer: (configuration) => this.#makePeer(configuration),
      configuration: async () => ({
        bundlePolicy: 'max-bundle',
        iceServers: await this.relays(),
        iceTransportPolicy: this.#options.iceTransportPolicy ?? 'all',
      }),
      channels: () =>
        this.#options.channel !== false && this.#client.session.get()?.role !== 'viewer',
    };
  }

  /** The session goes over the first of the lines that can carry it, and stays there. */
  #chooseWay(): void {
    const ways = this.#lines().map(({ line }) => line.way.get());
    if (this.#way && ways.includes(this.#way)) return;
    if (this.#way) {
      this.#way = null;
      this.#signaling.offer(null);
    }
    if (ways.some((one) => one !== null)) {
      this.#timers.set('way', SETTLE_MS, () => {
        if (this.#signaling.asking) return this.#chooseWay();
        const found = this.#lines().find(({ line }) => line.way.get() !== null);
        this.#way = found?.line.way.get() ?? null;
        this.#signaling.offer(this.#way);
      });
    }
  }

  #makePeer(configuration: RTCConfiguration): RTCPeerConnection {
    const Peer = this.#options.RTCPeerConnection ?? globalThis.RTCPeerConnection;
    if (typeof Peer !== 'function') {
      const message = 'This browser has no WebRTC.';
      throw new FootlightError({ code: ClientCode.noWebRtc, message });
    }
    return new Peer(configuration);
  }

  #placesChanged(places: readonly Place[]): void {
    const before = this.#places.get();
    this.#places.set(places);
    const key = (one: Place): string => `${one.who} ${one.label} ${one.kind}`;
    const had = new Set(before.map(key));
    const have = new Set(places.map(key));
    for (const one of places) if (!had.has(key(one))) this.#events.emit('shown', one);
    for (const one of before) if (!have.has(key(one))) this.#events.emit('gone', one);
  }

  #room({ speaking, links, recording }: Extract<AnyMediaMessage, { t: 'media.room' }>): void {
    if (recording !== undefined) this.#recording.set(recording);
    if (speaking) {
      const before = this.#speaking.get()[0]?.who ?? null;
      this.#speaking.set(speaking.map(([who, level]) => ({ who, level })));
      const now = speaking[0]?.[0] ?? null;
      if (now !== before) this.#events.emit('active', now);
    }
    if (links) {
      this.#links.set(
        new Map(links.map(([who, rtt, loss]) => [who, { rttMs: rtt, lossPm: loss }])),
      );
    }
  }

  // Figures ---------------------------------------------------------------------------------------

  #measureLater(): void {
    if (this.#timers.has('stats')) return;
    this.#timers.set('stats', this.#options.statsMs ?? 2000, () => void this.#measure());
  }

  async #measure(): Promise<void> {
    if (this.#measuring) return;
    this.#measuring = true;
    let watching: LineFigures | null = null;
    const publishing = new Map<string, LineFigures>();
    for (const of of this.#lines()) {
      const { peer } = of.line;
      if (!peer || of.state.get() !== 'live') continue;
      const figures = await this.#meters
        .get(of)
        ?.read(peer)
        .catch(() => null);
      if (!figures) continue;
      if (of instanceof Watching) watching = figures;
      else publishing.set(of.label, figures);
    }
    this.#measuring = false;
    const all = [...(watching ? [watching] : []), ...publishing.values()];
    if (all.length) {
      this.#quality.set({
        rttMs: Math.max(...all.map((one) => one.rttMs)),
        lossPm: Math.max(...all.map((one) => one.lossPm)),
        delayMs: watching ? this.#delayOf(watching) : null,
        watching,
        publishing,
      });
    } else {
      this.#quality.set(null);
    }
    this.#report(watching, publishing);
    if (this.#lines().length) this.#measureLater();
  }

  #report(watching: LineFigures | null, publishing: ReadonlyMap<string, LineFigures>): void {
    for (const of of this.#lines()) {
      const figures = of instanceof Watching ? watching : publishing.get(of.label);
      if (!figures || of.line.id === null) continue;
      const delay = of instanceof Watching ? (this.#quality.get()?.delayMs ?? null) : null;
      this.#signaling.send({
        t: 'media.report',
        id: of.line.id,
        rtt: figures.rttMs,
        loss: figures.lossPm,
        ...(delay !== null && { delay }),
      });
    }
  }

  /**
   * Half of each side's round trip and what waits to be played. Coding and the camera are not in it;
   * null when the other side's round trip is not known.
   */
  #delayOf(watching: LineFigures): number | null {
    const buffers = new Map(watching.streams.map((one) => [one.mid, one.bufferMs]));
    const delays = this.#places.get().flatMap((place) => {
      const link = this.#links.get().get(place.who);
      const buffer = buffers.get(place.mid);
      if (!link || !buffer || place.muted) return [];
      return [Math.round(link.rttMs / 2 + watching.rttMs / 2 + buffer)];
    });
    return delays.length ? Math.max(...delays) : null;
  }
}

function networkInformation(): EventTarget | undefined {
  return (globalThis.navigator as { connection?: EventTarget } | undefined)?.connection;
}
