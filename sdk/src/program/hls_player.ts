/**
 * The program by HLS, played by hls.js into a video element. hls.js is the page's: it hands in the
 * class, so that the SDK needs none.
 */

import { Value } from '../readable.ts';
import type { Readable } from '../types.ts';
import type { Health } from './ladder.ts';
import { type LoaderClass, type PatientLoaderClass, patientLoader } from './patient_loader.ts';
import { type LiveWindow, live_window, near_live } from './window.ts';

/** What is used of hls.js 1.6. */
export interface HlsJs {
  readonly config: { maxLiveSyncPlaybackRate: number };
  loadSource(url: string): void;
  attachMedia(video: HTMLMediaElement): void;
  destroy(): void;
  on(event: string, run: (event: string, data: never) => void): void;
  startLoad(at?: number): void;
  recoverMediaError(): void;
  readonly latency: number;
  /** Settable: then what stops added to it is forgotten. */
  targetLatency: number | null;
  readonly playingDate: Date | null;
  readonly liveSyncPosition: number | null;
  readonly levels: readonly { height: number; bitrate: number }[];
  readonly audioTracks: readonly { url: string; details?: Details }[];
  /** Index of `audioTracks`; -1: none. */
  readonly audioTrack: number;
  readonly autoLevelEnabled: boolean;
  nextLevel: number;
  readonly currentLevel: number;
  readonly latestLevelDetails: Details | null;
}
export interface HlsJsClass {
  new (config: Record<string, unknown>): HlsJs;
  isSupported(): boolean;
  readonly DefaultConfig?: { readonly loader: LoaderClass };
}
interface Details {
  readonly url?: string;
  readonly live: boolean;
  readonly partTarget?: number;
  readonly type?: string | null;
  readonly dateRanges: Readonly<Record<string, DateRange | undefined>>;
  /** Null: skipped by a delta update of a list that was not known. */
  readonly fragments?: readonly (Fragment | null)[];
  readonly partList?: readonly Piece[] | null;
}
interface Piece {
  readonly start: number;
  readonly duration: number;
  readonly gap?: boolean;
}
interface Fragment extends Piece {
  readonly programDateTime: number | null;
}
export interface DateRange {
  readonly id: string;
  readonly startDate: Date;
  readonly attr: Readonly<Record<string, string>>;
}

export interface Quality {
  /** Index of `levels`; -1: chosen by the player. */
  readonly wanted: number;
  readonly playing: number;
  readonly levels: readonly { height: number; bps: number }[];
}

const from_base64url = (data: string): string =>
  atob(data.replaceAll('-', '+').replaceAll('_', '/'));

/** Of a `footlight.show` cue (docs/program.md), the poll in the picture. Only its ASCII fields are of use here. */
function read_show(data: string | undefined): { id?: unknown; opened_ms?: unknown } | null {
  try {
    const show = JSON.parse(from_base64url(data ?? '')) as { poll?: { id?: unknown } | null };
    return show.poll ?? null;
  } catch {
    return null;
  }
}

/** Without a step of the picture for so long while it should play, it stalls. */
const STALL_MS = 700;
/** hls.js stops no further than this before the end of what it has. */
const END_S = 0.4;
const STALLS_OVER_MS = 20_000;
const STALLS_POOR = 3;
/** hls.js plays up to 1.3 times as fast for what is less; a viewer who was live is taken back there at once. */
const JUMP_S = 1;
/** Live is who is no further behind. */
const LIVE_S = 2.5;
/** What is there does not become a picture for so long: then a player that is made anew may do better. */
const STUCK_MS = 6_000;
/** hls.js asks for a playlist no more; the longest that it waits for one to begin to come is 10 s. */
const QUIET_MS = 11_000;
/** The same media has failed again, when it does within this time. */
const RECOVER_MS = 5_000;
/** So long after a stop the playlist may tell what came meanwhile. */
const RESUMED_MS = 3_000;
/** A jump has so long to show its picture before that is a stop. */
const JUMPED_MS = 3_000;
/** Who is live and was late plays so much faster. */
const CATCH_UP_RATE = 1.3;
/**
 * So many parts behind the newest the picture is in calm: less than PART-HOLD-BACK, which has to do for every player,
 * and more than the two that are the least (RFC 8216bis 4.4.3.8). Each stop adds 0.3 s, until there was none for so
 * long; twice as long after the next, up to the most.
 */
const NEAR_PARTS = 2.5;
const CALM_MS = 10_000;
const MOST_CALM_MS = 240_000;

export interface HlsPlayerOptions {
  video: HTMLVideoElement;
  hls: HlsJsClass;
  url: string;
  lowLatency: boolean;
  now: () => number;
  /** The viewer chose to be behind, at the picture of this wall time. */
  from_ms?: number | null;
}

export class HlsPlayer {
  readonly quality: Readable<Quality>;
  readonly ended: Readable<boolean>;
  /** What plays is the whole show, after its end. */
  readonly recording: Readable<boolean>;
  readonly #quality = new Value<Quality>({ wanted: -1, playing: -1, levels: [] });
  readonly #ended = new Value(false);
  readonly #recording = new Value(false);
  readonly #hls: HlsJs;
  readonly #options: HlsPlayerOptions;
  readonly #loader: PatientLoaderClass | undefined;
  readonly #began_ms: number;
  #gave_up: 'list' | 'media' | null = null;
  #recovered_ms = -Infinity;
  #stuck_ms = -1;
  #shown = false;
  #at_s = -1;
  #moved_ms: number;
  #stalling = false;
  #stalls: number[] = [];
  #live = true;
  #resumed_ms = -Infinity;
  #stopped_ms = -Infinity;
  #calm_ms = CALM_MS / 2;
  #behind = false;
  #from_ms: number | null;

  constructor(options: HlsPlayerOptions) {
    this.#options = options;
    this.#from_ms = options.from_ms ?? null;
    this.quality = this.#quality;
    this.ended = this.#ended;
    this.recording = this.#recording;
    this.#moved_ms = this.#began_ms = options.now();
    const loader = options.hls.DefaultConfig?.loader;
    const patient = (this.#loader = loader && patientLoader(loader, options.now));
    const hls = (this.#hls = new options.hls({
      ...(patient && { pLoader: patient }),
      lowLatencyMode: options.lowLatency,
      // A worker from a blob: is what content security policies forbid.
      enableWorker: false,
      backBufferLength: 30,
      // A player that once stalled stays no further behind for good: it plays faster until it has caught up, and
      // does not move its target back by a second each time.
      maxLiveSyncPlaybackRate: CATCH_UP_RATE,
      liveSyncOnStallIncrease: 0.3,
      liveDurationInfinity: true,
      ...(!options.lowLatency && { liveSyncDurationCount: 3 }),
    }));
    hls.on('hlsError', (_: string, data: { fatal?: boolean; type?: string; details?: string }) => {
      if (data.details === 'bufferStalledError') this.#stopped(options.now());
      if (data.fatal) this.#failed(data, options.now());
    });
    for (const event of ['hlsManifestParsed', 'hlsLevelSwitched', 'hlsLevelLoaded']) {
      hls.on(event, () => this.#look());
    }
    hls.loadSource(options.url);
    hls.attachMedia(options.video);
    void options.video.play().catch(() => undefined); // blocked: the page shows a button
  }

  /** To be asked a few times a second. */
  health(): Health {
    const { video, now } = this.#options;
    const now_ms = now();
    if (this.#ended.get()) return 'good';
    if (video.currentTime !== this.#at_s) {
      this.#shown ||= video.currentTime > 0 && video.readyState >= 2;
      this.#at_s = video.currentTime;
      this.#moved_ms = now_ms;
      if (this.#stalling && this.#live) this.#resumed_ms = now_ms;
      this.#stalling = false;
      this.#keep_live(now_ms);
    }
    if (!this.#shown) return this.#without(now_ms - this.#began_ms > 2 * STALL_MS, 'starting');
    this.#keep_behind();
    if (video.paused && video.readyState >= 3) {
      this.#moved_ms = now_ms; // by the viewer, or because the browser wants a click first
      return 'good';
    }
    if (now_ms - this.#moved_ms > STALL_MS) {
      // Whole segments that come late are not the line's fault alone, and sound alone would come no sooner.
      const counts = this.#options.lowLatency || !this.#at_end;
      if (!this.#stalling && counts) this.#stalls.push(now_ms);
      this.#stalling = true;
    }
    this.#stalls = this.#stalls.filter((at) => now_ms - at < STALLS_OVER_MS);
    if (this.#stalling && now_ms - this.#moved_ms > 2 * STALL_MS)
      return this.#without(true, 'dead');
    return this.#stalls.length >= STALLS_POOR ? 'poor' : 'good';
  }

  /** What plays from the buffer is the last: hls.js tries no more, or in vain. */
  get gaveUp(): boolean {
    return this.#gave_up !== null;
  }

  /**
   * The wall time of the picture on the screen, as its packager stamped it; null: not known, or there is none yet.
   * (Before a live stream's first picture hls.js gives the date where its list begins.)
   */
  get shown_ms(): number | null {
    if (this.#from_ms !== null) return this.#from_ms; // on the way there
    if (!this.#shown && this.#hls.latestLevelDetails?.live !== false) return null;
    return this.#hls.playingDate?.getTime() ?? null;
  }

  /**
   * Where in the video the picture of that wall time is, in seconds; what fell into a break of the program is where it
   * goes on. Null: before the program, after it, or not known.
   */
  timeOf(wall_ms: number): number | null {
    let first = true;
    for (const fragment of this.#hls.latestLevelDetails?.fragments ?? []) {
      if (!fragment || fragment.programDateTime === null) continue;
      const { start, duration, programDateTime } = fragment;
      const oldest = first;
      first = false;
      if (wall_ms >= programDateTime + duration * 1000) continue;
      const into_s = (wall_ms - programDateTime) / 1000;
      if (into_s < 0 && oldest) return null;
      return start + Math.max(0, into_s);
    }
    return null;
  }

  /** Of what is on the screen or was, the newest signed cue. */
  get cue(): { signed: string; shown_ms: number } | undefined {
    const shown_ms = this.shown_ms;
    const ranges = this.#hls.latestLevelDetails?.dateRanges;
    if (shown_ms === null || !ranges) return undefined;
    let best: DateRange | undefined;
    for (const range of Object.values(ranges)) {
      if (range?.attr['CLASS'] !== 'footlight.at') continue;
      if (range.startDate.getTime() > shown_ms) continue;
      if (!best || range.startDate > best.startDate) best = range;
    }
    const data = best?.attr['X-FOOTLIGHT-DATA'];
    if (!best || data === undefined) return undefined;
    return { signed: from_base64url(data), shown_ms: best.startDate.getTime() };
  }

  /**
   * The wall time of the first picture in which this opening of a poll is seen, as the stream tells it; null: it
   * does not (yet).
   */
  shownAt(poll: string, opened_ms: number): number | null {
    let first: number | null = null;
    for (const range of Object.values(this.#hls.latestLevelDetails?.dateRanges ?? {})) {
      if (range?.attr['CLASS'] !== 'footlight.show') continue;
      const start_ms = range.startDate.getTime();
      if (first !== null && start_ms >= first) continue;
      const seen = read_show(range.attr['X-FOOTLIGHT-DATA']);
      if (seen?.id === poll && seen.opened_ms === opened_ms) first = start_ms;
    }
    return first;
  }

  /** Where the playlist of the sound alone is. */
  get audio_url(): string | null {
    return this.#hls.audioTracks[0]?.url ?? null;
  }

  choose(level: number): void {
    this.#hls.nextLevel = level;
    this.#look();
  }

  /** How far back one can go; null: not known, or what plays is a recording. */
  get window(): LiveWindow | null {
    return this.#shown ? live_window(this.#hls, this.#options.video) : null;
  }

  /** The viewer chose to be behind: nothing brings it back to live but `catchUp`, or going there. */
  get behind(): boolean {
    return this.#behind || this.#from_ms !== null;
  }

  seek(at_s: number): void {
    const { window } = this;
    if (!window) return;
    if (near_live(window, at_s) && this.#hls.latestLevelDetails?.live) return this.catchUp();
    this.#stay_behind(true);
    this.#jump(Math.max(at_s, window.from_s));
  }

  pause(on: boolean): void {
    const { video } = this.#options;
    const { window } = this;
    if (on) {
      this.#stay_behind(true);
      video.pause();
    } else if (window && near_live(window, window.at_s)) {
      this.catchUp();
    } else {
      void video.play().catch(() => undefined);
    }
  }

  /** Jumps to where live is, because the viewer wants it: that it has to be fetched is no stop. */
  catchUp(): void {
    this.#from_ms = null;
    this.#stay_behind(false);
    this.#to_live();
    this.#jumped();
  }

  #to_live(): void {
    const { video } = this.#options;
    if (this.#hls.liveSyncPosition !== null) video.currentTime = this.#hls.liveSyncPosition;
    void video.play().catch(() => undefined);
  }

  end(): void {
    this.#hls.destroy();
  }

  /** There is no picture. Whether that is for want of a program (`late`: an answer would have come), else `or`. */
  #without(late: boolean, or: Health): Health {
    if (this.#gave_up !== null) return this.#gave_up === 'list' ? 'still' : 'dead';
    const now_ms = this.#options.now();
    const is = this.#waits(late) ? 'still' : or;
    if (is === 'still' && this.#quiet(now_ms)) this.#gave_up = 'list';
    if (is === 'still' || !this.#shown) {
      this.#stuck_ms = -1;
      return is;
    }
    if (this.#stuck_ms < this.#moved_ms) this.#stuck_ms = now_ms;
    if (now_ms - this.#stuck_ms >= STUCK_MS) this.#gave_up = 'media';
    return is;
  }

  #waits(late: boolean): boolean {
    if (this.#hls.latestLevelDetails === null) {
      return late && !this.#shown && this.#loader?.answeredBut(this.#options.url) !== true;
    }
    // A cache that answers with what it has may know more of whole segments.
    const elsewhere = this.#options.lowLatency && this.#loader?.stale === true;
    return this.#shown && this.#at_end && !elsewhere;
  }

  /** Of what is played a list is no longer asked for. */
  #quiet(now_ms: number): boolean {
    const { latestLevelDetails, audioTracks, audioTrack } = this.#hls;
    const urls = [latestLevelDetails?.url ?? this.#options.url, audioTracks[audioTrack]?.url];
    return urls.some((url) => {
      const latest_ms = url === undefined ? null : (this.#loader?.latest_ms(url) ?? null);
      return latest_ms !== null && now_ms - latest_ms > QUIET_MS;
    });
  }

  /** The picture is at the end of what the playlists tell of. */
  get #at_end(): boolean {
    const { latestLevelDetails, audioTracks, audioTrack } = this.#hls;
    const end_of = ({ fragments, partList }: Details): number => {
      const pieces = [fragments, this.#options.lowLatency ? partList : null];
      const last = pieces.map((all) => all?.filter((it) => it && !it.gap).at(-1));
      return Math.max(...last.map((it) => (it ? it.start + it.duration : -Infinity)));
    };
    const ends = [latestLevelDetails, audioTracks[audioTrack]?.details].flatMap((details) =>
      details ? end_of(details) : [],
    );
    const end_s = Math.min(...ends);
    return Number.isFinite(end_s) && this.#options.video.currentTime >= end_s - END_S;
  }

  #failed({ type, details }: { type?: string; details?: string }, now_ms: number): void {
    if (type === 'mediaError' && now_ms - this.#recovered_ms > RECOVER_MS) {
      this.#recovered_ms = now_ms;
      this.#hls.recoverMediaError();
      return;
    }
    const list = type === 'networkError' && /^(manifest|level|audioTrack)/.test(details ?? '');
    this.#gave_up = list ? 'list' : 'media';
  }

  /**
   * A stop leaves the player behind, by its whole length when the program made it good: hls.js does not catch up
   * with more than a segment, and stays further behind for each stop. Who went back by choice is left there.
   */
  #keep_live(now_ms: number): void {
    const { latency, targetLatency, latestLevelDetails } = this.#hls;
    if (targetLatency === null || latestLevelDetails?.live !== true) return;
    const behind_s = latency - targetLatency;
    if (this.behind) {
      this.#live = false;
      return;
    }
    if (now_ms - this.#resumed_ms < RESUMED_MS) {
      if (behind_s <= JUMP_S) return;
      this.#resumed_ms = -Infinity;
      this.#to_live();
      return;
    }
    this.#live = behind_s < LIVE_S;
    this.#approach(now_ms);
  }

  /** Who was behind is, with the same picture; and with the oldest there is, when its own is gone. */
  #keep_behind(): void {
    const { video } = this.#options;
    const { window } = this;
    if (!window || !this.behind) return;
    if (this.#from_ms !== null) {
      const at_s = this.timeOf(this.#from_ms) ?? window.from_s;
      this.#from_ms = null;
      this.seek(at_s);
    } else if (!video.paused && window.at_s < window.from_s - this.#spare_s) {
      this.#jump(window.from_s);
    }
  }

  /** The oldest segment, which `LiveWindow.from_s` leaves out. */
  get #spare_s(): number {
    return this.#hls.latestLevelDetails?.fragments?.[0]?.duration ?? 0;
  }

  #stay_behind(on: boolean): void {
    if (on === this.#behind) return;
    this.#behind = on;
    this.#hls.config.maxLiveSyncPlaybackRate = on ? 1 : CATCH_UP_RATE;
    if (on) this.#options.video.playbackRate = 1;
  }

  #jump(to_s: number): void {
    this.#options.video.currentTime = to_s;
    this.#jumped();
  }

  #jumped(): void {
    this.#at_s = this.#options.video.currentTime;
    this.#moved_ms = this.#options.now() + JUMPED_MS;
    this.#stalling = false;
  }

  #stopped(now_ms: number): void {
    const anew = now_ms - this.#stopped_ms > MOST_CALM_MS;
    this.#calm_ms = anew ? CALM_MS : Math.min(2 * this.#calm_ms, MOST_CALM_MS);
    this.#stopped_ms = now_ms;
  }

  #approach(now_ms: number): void {
    const { targetLatency, latestLevelDetails } = this.#hls;
    const near_s = NEAR_PARTS * (latestLevelDetails?.partTarget ?? 0);
    if (!this.#options.lowLatency || near_s === 0 || targetLatency === null) return;
    if (targetLatency > near_s && now_ms - this.#stopped_ms > this.#calm_ms) {
      this.#hls.targetLatency = near_s;
    }
  }

  #look(): void {
    const hls = this.#hls;
    this.#approach(this.#options.now());
    this.#ended.set(hls.latestLevelDetails?.live === false);
    this.#recording.set(hls.latestLevelDetails?.type === 'VOD');
    this.#quality.set({
      wanted: hls.autoLevelEnabled ? -1 : hls.nextLevel,
      playing: hls.currentLevel,
      levels: hls.levels.map(({ height, bitrate }) => ({ height, bps: bitrate })),
    });
  }
}
