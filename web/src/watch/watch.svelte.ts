// How this page watches the show, as Svelte sees it: the SDK chooses between the call and the program
// stream and comes back by itself; here it becomes words and things to click.
import type { Caption } from '@footlight/client';
import { createMedia, type FootlightMedia, type Place } from '@footlight/client/media';
import { type PollInStep, Program, type ProgramState, Rtc } from '@footlight/client/program';
import { fromStore } from 'svelte/store';
import { countdown } from '../lib/format';
import type { Show } from '../lib/show.svelte';
import { CaptionChoice } from './captions.svelte';
import { polls_then } from './moments';
import { LiveReel } from './live_reel.svelte';
import { Recording } from './recording.svelte';
import type { Reel } from './reel';

/** A look without a byte is a cut, and the picture has to come back within 3 s. */
const kStatsMs = 500;
/** Less than this is nothing to go back in. */
const kLeastBackS = 8;

export class Watch {
  readonly media: FootlightMedia;
  readonly show: Show;
  readonly caption_choice = new CaptionChoice();
  /** The browser plays no sound before a click. */
  blocked = $state(false);
  muted = $state(true);
  /** The show is over, and all of it plays. */
  recording = $state.raw<Recording | null>(null);
  /** The show is live, and one can go back in it. */
  earlier = $state.raw<LiveReel | null>(null);
  #program = $state.raw<Program | null>(null);
  #state = $derived(this.#program ? fromStore(this.#program.state) : null);
  #polls = $derived(this.#program ? fromStore(this.#program.polls) : null);
  #captions = $derived(this.#program ? fromStore(this.#program.captions) : null);
  #languages = $derived(this.#program ? fromStore(this.#program.captionLanguages) : null);
  #places;
  #off: (() => void)[] = [];
  #closed = false;

  constructor(show: Show) {
    this.show = show;
    this.media = createMedia(show.client, { statsMs: kStatsMs });
    this.#places = fromStore(this.media.places);
  }

  /** The program plays in this element. */
  async begin(video: HTMLVideoElement, url: string, calls: boolean): Promise<void> {
    // Half a megabyte that the page does not need to be there.
    const { default: Hls } = await import('hls.js');
    if (this.#closed) return;
    const program = new Program(this.show.client, {
      video,
      hls: Hls as unknown as NonNullable<ConstructorParameters<typeof Program>[1]['hls']>,
      url,
      ...(calls && { rtc: new Rtc(this.media, { audio: 8, video: 8 }) }),
    });
    this.#program = program;
    const base = url.replace(/[^/]*$/, '');
    this.#off.push(
      program.state.subscribe((state) => {
        this.#look_back(program, state);
        if (state.recording === (this.recording !== null)) return;
        this.recording?.close();
        this.recording = state.recording
          ? new Recording(video, base, (at_ms) => program.timeOf(at_ms))
          : null;
      }),
    );
    this.#off.push(this.show.announce_polls(program.polls));
    const look = (): void => {
      const stopped = video.paused && !program.state.get().by_choice;
      this.blocked = stopped && video.readyState >= 2 && !video.ended;
    };
    for (const event of ['pause', 'playing', 'canplay']) {
      video.addEventListener(event, look);
      this.#off.push(() => video.removeEventListener(event, look));
    }
  }

  #look_back(program: Program, { window, by_choice }: ProgramState): void {
    if (!window || window.to_s - window.from_s < kLeastBackS) {
      this.earlier = null;
      return;
    }
    this.earlier ??= new LiveReel(program, this.show);
    this.earlier.look(window, by_choice);
  }

  /** What there is to move in. */
  get reel(): Reel | null {
    return this.recording ?? this.earlier;
  }
  /** The viewer chose to be behind what is live. */
  get behind(): boolean {
    return this.recording === null && (this.state?.by_choice ?? false);
  }
  get state(): ProgramState | null {
    return this.#state?.current ?? null;
  }
  /** As of the picture; what the server says while there is none. */
  get polls(): ReadonlyMap<string, PollInStep> {
    return this.#polls?.current ?? this.show.all('polls');
  }
  get caption_languages(): readonly string[] {
    return this.#languages?.current ?? [];
  }
  /** Those that are due in the language that is wanted. */
  get captions(): readonly Caption[] {
    const lang = this.caption_choice.language(this.caption_languages);
    return (this.#captions?.current ?? []).filter((one) => one.lang === lang);
  }
  /** The program shows a poll at the foot of its picture. */
  get poll_in_picture(): boolean {
    if (this.state?.mode === 'rtc') return false;
    if (this.recording) {
      return polls_then(this.recording.moments, this.recording.at_s)[0]?.counts === null;
    }
    return [...this.polls.values()].some(({ state }) => state === 'open' || state === 'closing');
  }
  get voices(): Place[] {
    return this.#places.current.filter((one) => one.kind === 'audio');
  }
  get pictures(): Place[] {
    return this.#places.current.filter((one) => one.kind === 'video' && !one.muted);
  }

  choose(level: number): void {
    this.#program?.choose(level);
  }
  catch_up(): void {
    this.#program?.catchUp();
  }
  /** After the end: all of it, from the beginning. */
  replay(): void {
    this.#program?.replay();
  }
  close(): void {
    this.#closed = true;
    this.recording?.close();
    for (const off of this.#off.splice(0)) off();
    this.#program?.close();
    this.media.close();
  }
}

/**
 * Whether a viewer's token names the call. The server lets all watch whose token does not forbid it; a
 * page for many asks for the call only where it was meant.
 */
export function names_the_call(token: string): boolean {
  try {
    const claims = JSON.parse(
      atob((token.split('.')[1] ?? '').replace(/-/g, '+').replace(/_/g, '/')),
    );
    return (claims as { subscribe?: unknown }).subscribe === true;
  } catch {
    return false;
  }
}

/** What is on, in a word. */
export function mode_word(state: ProgramState): string {
  if (state.ended) return 'Recording';
  if (state.by_choice) return 'Earlier';
  switch (state.mode) {
    case 'rtc':
      return 'Live call';
    case 'llhls':
      return 'Live';
    case 'hls':
      return 'Live, safer';
    case 'audio':
      return 'Sound only';
    default:
      return 'No picture';
  }
}

/** Why it is not better, in a sentence; empty when nothing has to be said. */
export function why_words(state: ProgramState): string {
  const { mode, why } = state;
  if (mode === 'rtc') return 'This is the call itself: you are live, and it cannot be wound back.';
  if (why === 'best') return '';
  if (mode === 'none' && why === 'producer') {
    return 'The producer has switched pictures off for the moment. Your vote counts as before.';
  }
  if (mode === 'none') return '';
  if (why === 'producer') {
    return mode === 'audio'
      ? 'The producer sends sound alone for the moment.'
      : 'The producer has moved everyone to the stream for the moment.';
  }
  if (mode === 'audio') return 'Your connection does not carry the picture now. Your vote counts.';
  const broke = mode === 'llhls' ? 'The call broke off' : 'The stream stood still';
  const from = why === 'stopped' ? broke : 'The picture kept stopping';
  return `${from}; this is the stream, a moment behind. It goes back by itself. Your vote counts.`;
}

export function behind_words(behind_ms: number | null): string {
  if (behind_ms === null) return '';
  return behind_ms < 60_000
    ? `${(behind_ms / 1000).toFixed(1)} s behind`
    : `${countdown(behind_ms)} behind`;
}
