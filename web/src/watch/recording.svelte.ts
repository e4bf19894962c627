// The recording that plays: where it is, its marks and small pictures, and how to move in it.
import type { Reel } from './reel';
import { fetch_marks, fetch_thumbs, type Mark, type Moment, place, type Thumb } from './moments';

export class Recording implements Reel {
  readonly live = null;
  readonly from_s = 0;
  at_s = $state(0);
  length_s = $state(0);
  playing = $state(false);
  thumbs = $state.raw<Thumb[]>([]);
  #marks = $state.raw<Mark[]>([]);
  /** Where the marks are changes as the player learns of its segments. */
  #known = $state(0);
  readonly #moments: Moment[] = $derived.by(() => {
    void this.#known;
    return place(this.#marks, this.#time_of);
  });
  readonly #video: HTMLVideoElement;
  readonly #time_of: (at_ms: number) => number | null;
  readonly #off: (() => void)[] = [];

  /** `base`: the folder of the program, with a slash at its end. */
  constructor(video: HTMLVideoElement, base: string, time_of: (at_ms: number) => number | null) {
    this.#video = video;
    this.#time_of = time_of;
    for (const event of ['timeupdate', 'seeking', 'durationchange', 'play', 'pause', 'ended']) {
      video.addEventListener(event, this.#look);
      this.#off.push(() => video.removeEventListener(event, this.#look));
    }
    this.#look();
    const quiet = (): never[] => [];
    void fetch_marks(`${base}timeline.json`)
      .catch(quiet)
      .then((marks) => (this.#marks = marks));
    void fetch_thumbs(new URL(`${base}thumbs.vtt`, location.href).href)
      .catch(quiet)
      .then((thumbs) => (this.thumbs = thumbs));
  }

  get to_s(): number {
    return this.length_s;
  }
  get moments(): Moment[] {
    return this.#moments;
  }
  seek(at_s: number): void {
    this.#video.currentTime = Math.max(0, Math.min(at_s, this.length_s - 0.1));
    this.#look();
  }
  toggle(): void {
    if (this.#video.paused || this.#video.ended) void this.#video.play().catch(() => undefined);
    else this.#video.pause();
  }
  close(): void {
    for (const off of this.#off.splice(0)) off();
  }

  readonly #look = (): void => {
    const { currentTime, duration, paused, ended } = this.#video;
    this.at_s = currentTime;
    this.playing = !paused && !ended;
    if (Number.isFinite(duration) && duration !== this.length_s) {
      this.length_s = duration;
      this.#known++;
    }
  };
}
