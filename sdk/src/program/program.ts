import { Value } from '../readable.ts';
import { Timers } from '../timers.ts';
import { systemClock } from '../platform.ts';
import type { Client, Clock, Readable, Unsubscribe } from '../types.ts';
import type { Caption, MediaMode, WatchMode } from '../wire.ts';
import { CaptionsInStep } from './captions.ts';
import { Claim } from './claim.ts';
import { HlsPlayer, type HlsJsClass, type Quality } from './hls_player.ts';
import { type PollInStep, type Position, PollsInStep } from './in_step.ts';
import { type Health, Ladder, type LadderStep, type LadderWhy } from './ladder.ts';
import type { RtcWay } from './rtc.ts';
import type { LiveWindow } from './window.ts';

export interface ProgramOptions {
  /** Into this the program is played; what is in it otherwise is left alone. */
  video: HTMLVideoElement;
  /** The page's hls.js; null: this viewer has WebRTC alone. */
  hls: HlsJsClass | null;
  /** The multivariant playlist, `/v1/program/<episode>/index.m3u8`. */
  url: string;
  /** The call, for those who may watch it. */
  rtc?: RtcWay;
  clock?: Clock;
}

export interface ProgramState {
  readonly mode: WatchMode;
  readonly why: LadderWhy;
  /** What is being tried beside it. */
  readonly trying: WatchMode | null;
  /** How much later than it happens the picture is shown; null: not known, by WebRTC nearly nothing. */
  readonly behind_ms: number | null;
  readonly stalled: boolean;
  /** The show is over: what plays goes no further. */
  readonly ended: boolean;
  /** What plays is the recording of the whole show. */
  readonly recording: boolean;
  /** The wall time of the picture on the screen, as it was made; null: not known. */
  readonly shown_ms: number | null;
  readonly quality: Quality;
  /** How far back one can go in what is live; null: there is no back, as over the call. */
  readonly window: LiveWindow | null;
  /** The viewer chose to be behind, and stays there until `catchUp`. */
  readonly by_choice: boolean;
}

const LOOK_MS = 250;
const FRAME_MS = 16;
/** A report is due when the mode changes, and so often while it stays. */
const REPORT_MS = 5_000;
/** A program that is not there yet, or no longer, is asked for so often. */
const ASK_MS = 3_000;
/** A player that gave up is made anew after so long, and twice as long when the next does, up to the most. */
const AGAIN_MS = 1_000;
const AGAIN_MOST_MS = 4_000;
const NO_QUALITY: Quality = { wanted: -1, playing: -1, levels: [] };

/**
 * How one viewer watches: over WebRTC when it may, else from the program stream, falling back and
 * coming back by itself. Tells the server which way and how far behind, so that its votes count as
 * long as its picture is late, and gives the polls in step with what is on the screen.
 */
export class Program {
  readonly state: Readable<ProgramState>;
  /** Polls as of the picture. */
  readonly polls: Readable<ReadonlyMap<string, PollInStep>>;
  /** Captions that are due, as of the picture, oldest first; in a recording those of its moment. */
  readonly captions: Readable<readonly Caption[]>;
  /** The languages that there have been captions in; none: there are no captions. */
  readonly captionLanguages: Readable<readonly string[]>;
  readonly #state = new Value<ProgramState>({
    mode: 'none',
    why: 'nothing',
    trying: null,
    behind_ms: null,
    stalled: false,
    ended: false,
    recording: false,
    shown_ms: null,
    quality: NO_QUALITY,
    window: null,
    by_choice: false,
  });
  readonly #polls = new Value<ReadonlyMap<string, PollInStep>>(new Map());
  readonly #captions = new Value<readonly Caption[]>([]);
  readonly #languages = new Value<readonly string[]>([]);
  readonly #client: Client;
  readonly #options: ProgramOptions;
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #ladder = new Ladder();
  readonly #in_step = new PollsInStep();
  readonly #claim = new Claim();
  readonly #captions_in_step = new CaptionsInStep();
  readonly #off: Unsubscribe[];
  #player: HlsPlayer | null = null;
  #playing: WatchMode = 'none';
  #rtc_on = false;
  #there = false;
  #asked_ms = -Infinity;
  #reported_ms = -Infinity;
  #reported: WatchMode | null = null;
  #audio_url: string | null = null;
  #gave_up_ms: number | null = null;
  #again_ms = AGAIN_MS;

  constructor(client: Client, options: ProgramOptions) {
    this.#client = client;
    this.#options = options;
    this.#clock = options.clock ?? systemClock();
    this.#timers = new Timers(this.#clock);
    this.state = this.#state;
    this.polls = this.#polls;
    this.captions = this.#captions;
    this.captionLanguages = this.#languages;
    this.#off = [
      client.view.collection('polls').subscribe((polls) => {
        this.#in_step.update(polls, client.serverNow());
        this.#arrange();
      }),
      client.view.collection('captions').subscribe((captions) => {
        if (!this.#state.get().recording) this.#captions_in_step.update(captions);
        this.#arrange();
      }),
      // After a reconnect the server knows nothing of this viewer.
      client.state.subscribe(() => (this.#reported = null)),
    ];
    this.#look();
  }

  choose(level: number): void {
    this.#player?.choose(level);
  }
  /** Back to live. */
  catchUp(): void {
    this.#player?.catchUp();
    this.#moved();
  }
  /** To a place of `ProgramState.window`; nearly at its end is live. */
  seek(at_s: number): void {
    this.#player?.seek(at_s);
    this.#moved();
  }
  /** Stops the picture, or lets it go on from where it stands. */
  pause(on: boolean): void {
    this.#player?.pause(on);
    this.#moved();
  }

  /** After the end: the whole show, from its beginning. */
  replay(): void {
    if (!this.#player || this.#playing === 'rtc' || this.#playing === 'none') return;
    this.#stopPlayer();
    this.#startPlayer(this.#playing);
  }
  /** Where in the video the picture of that wall time is, in seconds; null: nowhere. */
  timeOf(wall_ms: number): number | null {
    return this.#player?.timeOf(wall_ms) ?? null;
  }

  /** Where this viewer is. */
  get position(): Position {
    const now_ms = this.#client.serverNow();
    const behind_ms = this.#behind_ms();
    const claimed_ms = this.#claim.allowance_ms(now_ms);
    return { now_ms, shown_ms: now_ms - (behind_ms ?? 0), claimed_ms };
  }

  close(): void {
    this.#timers.clearAll();
    for (const off of this.#off) off();
    this.#stopPlayer();
    this.#options.rtc?.stop();
  }

  #look(): void {
    this.#timers.set('look', LOOK_MS, () => this.#look());
    const now_ms = this.#clock.now();
    const { rtc, hls } = this.#options;
    this.#ask(now_ms);
    const allowed: MediaMode =
      this.#client.view.collection('episode').get().get('state')?.media ?? 'full';
    const trial =
      this.#state.get().trying === 'rtc'
        ? rtc?.health()
        : this.#state.get().trying
          ? 'good'
          : undefined;
    rtc?.cap(allowed === 'capped');
    const step = this.#ladder.step({
      now_ms,
      allowed,
      rtc: rtc?.allowed ?? false,
      program: this.#there && (hls?.isSupported() ?? false),
      health: this.#health(),
      behind: this.#player?.behind ?? false,
      ...(trial && { trial }),
    });
    this.#follow(step);
    this.#report(now_ms);
    this.#arrange();
  }

  #health(): Health {
    if (this.#playing === 'none') return 'starting';
    if (this.#playing === 'rtc') return this.#options.rtc?.health() ?? 'dead';
    return this.#player?.health() ?? 'dead';
  }

  #follow(step: LadderStep): void {
    const { rtc } = this.#options;
    const rtc_wanted = step.mode === 'rtc' || step.trying === 'rtc';
    if (rtc_wanted !== this.#rtc_on) {
      this.#rtc_on = rtc_wanted;
      if (rtc_wanted) rtc?.start();
      else rtc?.stop();
    }
    if (step.mode !== this.#playing) {
      const from_ms = this.#player?.behind ? this.#player.shown_ms : null;
      this.#stopPlayer();
      this.#playing = step.mode;
      if (step.mode !== 'rtc' && step.mode !== 'none') this.#startPlayer(step.mode, from_ms);
    }
    const health = this.#health();
    this.#beginAnew(health);
    const next: ProgramState = {
      mode: step.mode,
      why: step.why,
      trying: step.trying,
      behind_ms: this.#behind_ms(),
      stalled: health === 'dead' || health === 'starting' || health === 'still',
      ended: this.#player?.ended.get() ?? false,
      recording: this.#player?.recording.get() ?? false,
      shown_ms: this.#player?.shown_ms ?? null,
      quality: this.#player?.quality.get() ?? NO_QUALITY,
      ...this.#place(),
    };
    if (next.recording && !this.#state.get().recording) this.#recall();
    this.#state.set(next);
  }

  #place(): Pick<ProgramState, 'window' | 'by_choice'> {
    return { window: this.#player?.window ?? null, by_choice: this.#player?.behind ?? false };
  }

  /** By the viewer: it is told at once. */
  #moved(): void {
    this.#state.set({ ...this.#state.get(), behind_ms: this.#behind_ms(), ...this.#place() });
  }

  /** Once hls.js has given up and its last picture is gone. */
  #beginAnew(health: Health): void {
    const plays = health === 'good' || health === 'poor';
    if (plays) this.#again_ms = AGAIN_MS;
    if (plays || !this.#player?.gaveUp) {
      this.#gave_up_ms = null;
      return;
    }
    const now_ms = this.#clock.now();
    this.#gave_up_ms ??= now_ms;
    if (now_ms - this.#gave_up_ms < this.#again_ms) return;
    this.#gave_up_ms = null;
    this.#again_ms = Math.min(2 * this.#again_ms, AGAIN_MOST_MS);
    const from_ms = this.#player.behind ? this.#player.shown_ms : null;
    this.#stopPlayer();
    this.#audio_url = null; // of an epoch that may be over
    this.#startPlayer(this.#playing, from_ms);
  }

  #startPlayer(mode: WatchMode, from_ms: number | null = null): void {
    const { hls, video, url } = this.#options;
    if (!hls) return;
    this.#player = new HlsPlayer({
      video,
      hls,
      url: mode === 'audio' ? (this.#audio_url ?? url) : url,
      lowLatency: mode === 'llhls',
      now: () => this.#clock.now(),
      from_ms,
    });
  }

  #stopPlayer(): void {
    this.#audio_url = this.#player?.audio_url ?? this.#audio_url;
    this.#player?.end();
    this.#player = null;
  }

  #behind_ms(): number | null {
    const shown_ms = this.#player?.shown_ms ?? null;
    return shown_ms === null ? null : Math.max(0, this.#client.serverNow() - shown_ms);
  }

  #report(now_ms: number): void {
    const mode = this.#playing;
    if (this.#reported === mode && now_ms - this.#reported_ms < REPORT_MS) return;
    if (this.#client.state.get().name !== 'live') return;
    this.#reported = mode;
    this.#reported_ms = now_ms;
    const cue = this.#player?.cue;
    this.#client.reportWatch(mode, cue?.signed);
    const now_server_ms = this.#client.serverNow();
    if (cue) this.#claim.report(cue.shown_ms, now_server_ms);
    else if (mode === 'none' || mode === 'rtc') this.#claim.report(now_server_ms, now_server_ms);
  }

  #arrange(): void {
    const { shown_ms } = this.position;
    for (const { id, opened_ms } of this.#in_step.coming(shown_ms)) {
      const at_ms = this.#player?.shownAt(id, opened_ms) ?? null;
      if (at_ms !== null) this.#in_step.drawn(id, opened_ms, at_ms);
    }
    // Between two looks: in the moment the picture is there.
    const next_ms = Math.min(
      this.#captions_in_step.next_ms(shown_ms),
      ...this.#in_step.coming(shown_ms).map(({ since_ms }) => since_ms),
    );
    if (next_ms - shown_ms < LOOK_MS) {
      this.#timers.set('step', Math.max(FRAME_MS, next_ms - shown_ms), () => this.#arrange());
    }
    this.#arrangePolls();
    set_list(this.#captions, this.#captions_in_step.seen(this.position));
    set_list(this.#languages, this.#captions_in_step.languages);
  }

  #arrangePolls(): void {
    const before = this.#polls.get();
    const seen = this.#in_step.seen(this.position);
    const same =
      before.size === seen.size &&
      [...seen].every(([id, poll]) => JSON.stringify(poll) === JSON.stringify(before.get(id)));
    if (!same) this.#polls.set(seen);
  }

  /** The captions of the whole show. */
  #recall(): void {
    if (typeof fetch !== 'function') return;
    fetch(this.#beside('timeline.json'))
      .then(async (answer) => {
        const { captions } = (await answer.json()) as { captions?: Caption[] };
        if (answer.ok && Array.isArray(captions)) this.#captions_in_step.recorded(captions);
      })
      .catch(() => undefined); // then there are none
  }

  #beside(name: string): string {
    return this.#options.url.replace(/[^/]*$/, name);
  }

  /** Whether there is a program; it begins and ends with the show. */
  #ask(now_ms: number): void {
    if (this.#player && !this.#player.gaveUp) return;
    if (now_ms - this.#asked_ms < ASK_MS || typeof fetch !== 'function') return;
    this.#asked_ms = now_ms;
    fetch(this.#beside('status.json'), { cache: 'no-cache' })
      .then(async (answer) => {
        const { there } = (await answer.json()) as { there?: boolean };
        this.#there = answer.ok && there === true;
      })
      .catch(() => undefined); // offline: what was there will be there again
  }
}

/** Tells nobody when nothing changed. */
function set_list<T>(value: Value<readonly T[]>, list: readonly T[]): void {
  const before = value.get();
  if (before.length !== list.length || before.some((one, i) => one !== list[i])) value.set(list);
}
