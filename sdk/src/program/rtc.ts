/** The call as a viewer's way to the program: whether its pictures and voices arrive. */

import type { FootlightMedia } from '../media/media.ts';
import type { WatchOptions, Watching } from '../media/watching.ts';
import { ClientCode } from '../problems.ts';
import type { Unsubscribe } from '../types.ts';
import type { Health } from './ladder.ts';

/** Of another way to play the same: `Rtc` is the one of `@footlight/client/media`. */
export interface RtcWay {
  /** False for good when the server or the browser does not let this viewer watch so. */
  readonly allowed: boolean;
  start(): void;
  stop(): void;
  /** The smallest pictures alone, or again the best that fit. */
  cap(on: boolean): void;
  /** To be asked a few times a second. */
  health(): Health;
}

const REFUSED: readonly number[] = [4754, 4755, 4756, 4757, ClientCode.noWebRtc];
/** A look, of half a second, without a byte of anything is silence. */
const SILENT_LOOKS = 1;

export class Rtc implements RtcWay {
  allowed = true;
  readonly #media: FootlightMedia;
  readonly #options: WatchOptions;
  #watching: Watching | null = null;
  #shown = false;
  #silent = 0;
  #capped = false;
  #off: Unsubscribe[] = [];

  /** `media` should be made with a `statsMs` of 500 or less: a cut shows by it. */
  constructor(media: FootlightMedia, options: WatchOptions = {}) {
    this.#media = media;
    this.#options = options;
  }

  start(): void {
    if (this.#watching) return;
    this.#shown = false;
    this.#silent = 0;
    this.#off = [
      this.#media.on('ended', ({ of, problem }) => {
        if (of !== this.#watching) return;
        if (REFUSED.includes(problem.code)) this.allowed = false;
      }),
      this.#media.quality.subscribe((quality) => {
        const streams = quality?.watching?.streams;
        if (!streams) return;
        const flows = streams.some((one) => one.bps > 0);
        this.#shown ||= flows;
        this.#silent = flows ? 0 : this.#silent + 1;
      }),
    ];
    this.#watching = this.#media.watch(this.#options);
    this.#off.push(
      this.#watching.places.subscribe(() => {
        if (this.#capped) this.#cap();
      }),
    );
  }

  stop(): void {
    for (const off of this.#off.splice(0)) off();
    this.#watching?.end();
    this.#watching = null;
  }

  cap(on: boolean): void {
    if (on === this.#capped) return;
    this.#capped = on;
    this.#cap();
  }

  #cap(): void {
    for (const place of this.#watching?.places.get() ?? []) {
      if (place.kind === 'video') this.#watching?.want(place.mid, this.#capped ? { max: 0 } : {});
    }
  }

  health(): Health {
    const watching = this.#watching;
    if (!watching || watching.state.get() === 'ended') return 'dead';
    // Nobody sends: nothing arrives, and nothing is wrong.
    const sent = watching.places.get().some((place) => !place.muted);
    if (!this.#shown) return watching.state.get() === 'live' && !sent ? 'good' : 'starting';
    if (sent && this.#silent >= SILENT_LOOKS) return 'dead';
    const quality = this.#media.quality.get();
    return quality && (quality.lossPm > 100 || quality.rttMs > 800) ? 'poor' : 'good';
  }
}
