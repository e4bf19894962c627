/**
 * Which way a viewer watches, decided each time something is known anew: WebRTC, LL-HLS, HLS with
 * whole segments, sound alone, nothing. Down at once or after a few bad seconds; up only after a calm
 * while that grows with each attempt that failed. No clock and no browser in here.
 */

import type { MediaMode, WatchMode } from '../wire.ts';

/**
 * How the present way does. `starting`: nothing has been shown yet. `still`: what the program has made was shown, and no more
 * comes, or nobody answers. That is the same on every rung of it, so it is no reason to leave this one.
 */
export type Health = 'starting' | 'good' | 'poor' | 'dead' | 'still';

export interface LadderInput {
  now_ms: number;
  /** The episode's, by its producer or a rule. */
  allowed: MediaMode;
  /** This viewer's token lets it watch by WebRTC, and the browser can. */
  rtc: boolean;
  /** There is a program stream. */
  program: boolean;
  health: Health;
  /** Of the way that is tried beside the present one. */
  trial?: Health;
  /** The viewer chose to be behind: nothing better is tried, since it would be live there. */
  behind?: boolean;
}

/** Why it is as it is; `docs/program.md` has a sentence for each. */
export type LadderWhy =
  | 'best' // nothing better is offered
  | 'producer' // the episode allows no better
  | 'stopped' // what was there before stopped
  | 'poor' // what was there before kept stalling
  | 'nothing'; // neither WebRTC nor a program

export interface LadderStep {
  mode: WatchMode;
  why: LadderWhy;
  /** To be started beside `mode`, which goes on until this plays. */
  trying: WatchMode | null;
}

const RUNGS: readonly WatchMode[] = ['rtc', 'llhls', 'hls', 'audio', 'none'];
const HIGHEST: Record<MediaMode, WatchMode> = {
  full: 'rtc',
  capped: 'rtc',
  hls: 'llhls',
  audio: 'audio',
  votes: 'none',
};

/** So long nothing at all, then it is given up; of WebRTC after half a second in which nothing came. */
const DEAD_MS: Record<WatchMode, number> = {
  rtc: 500,
  llhls: 6_000,
  hls: 15_000,
  audio: 15_000,
  none: Infinity,
};
/** WebRTC has so long to show a first picture, HLS longer. */
const START_MS: Record<WatchMode, number> = { ...DEAD_MS, rtc: 4_000, llhls: 12_000 };
const POOR_MS = 6_000;
const CALM_MS = 15_000;
const CALM_MOST_MS = 240_000;
/** After so long on a way an attempt upwards counts as having succeeded. */
const PROVEN_MS = 60_000;

export class Ladder {
  #mode: WatchMode = 'none';
  #why: LadderWhy = 'nothing';
  #trying: WatchMode | null = null;
  #trying_since_ms = 0;
  #good_since_ms = -1;
  #bad_since_ms = -1;
  /** Since then there is no picture, though there should be one. */
  #dark_since_ms = -1;
  #calm_ms = CALM_MS;
  /** Ways that failed, and when they may be tried again. */
  #banned = new Map<WatchMode, number>();
  #first = true;

  step(input: LadderInput): LadderStep {
    const ways = this.#ways(input);
    this.#feel(input);
    if (this.#first || !ways.includes(this.#mode)) {
      this.#go(ways.find((way) => this.#free(way, input)) ?? 'none', 'best', input);
      this.#first = false;
    } else if (this.#failed(input)) {
      this.#calm_ms = Math.min(this.#calm_ms * 2, CALM_MOST_MS);
      this.#ban(this.#mode, input.now_ms + this.#calm_ms);
      const why = input.health === 'poor' ? 'poor' : 'stopped';
      const lower = ways.slice(ways.indexOf(this.#mode) + 1).find((way) => way !== 'none');
      // On the lowest of all there is nothing else to do than to begin again from above.
      const again = ways.find((way) => way !== 'none' && this.#free(way, input)) ?? this.#mode;
      this.#go(lower ?? again, why, input);
    } else {
      this.#climb(ways, input);
    }
    if (this.#mode === 'none') this.#why = input.allowed === 'votes' ? 'producer' : 'nothing';
    else if (this.#mode === ways[0] && this.#why !== 'producer') {
      this.#why = this.#allowsBest(input) ? 'best' : 'producer';
    }
    return { mode: this.#mode, why: this.#why, trying: this.#trying };
  }

  #allowsBest(input: LadderInput): boolean {
    return this.#ways({ ...input, allowed: 'full' })[0] === this.#ways(input)[0];
  }

  #ways({ allowed, rtc, program }: LadderInput): WatchMode[] {
    return RUNGS.slice(RUNGS.indexOf(HIGHEST[allowed])).filter(
      (way) => way === 'none' || (way === 'rtc' ? rtc : program),
    );
  }

  #free(way: WatchMode, { now_ms }: LadderInput): boolean {
    return (this.#banned.get(way) ?? 0) <= now_ms;
  }

  #ban(way: WatchMode, until_ms: number): void {
    this.#banned.set(way, until_ms);
  }

  #feel({ now_ms, health }: LadderInput): void {
    const since = (is: boolean, before: number): number =>
      !is ? -1 : before < 0 ? now_ms : before;
    this.#good_since_ms = since(health === 'good', this.#good_since_ms);
    this.#bad_since_ms = since(health === 'poor', this.#bad_since_ms);
    this.#dark_since_ms = since(health === 'dead' || health === 'starting', this.#dark_since_ms);
    const proven = this.#good_since_ms >= 0 && now_ms - this.#good_since_ms >= PROVEN_MS;
    if (proven && this.#why === 'best') this.#calm_ms = CALM_MS;
  }

  #failed({ now_ms, health }: LadderInput): boolean {
    const mode = this.#mode;
    if (mode === 'none') return false;
    if (health === 'starting') return now_ms - this.#dark_since_ms >= START_MS[mode];
    if (health === 'dead') return now_ms - this.#dark_since_ms >= DEAD_MS[mode];
    // Where it is the last with a picture, poor is better than nothing.
    return health === 'poor' && mode !== 'audio' && now_ms - this.#bad_since_ms >= POOR_MS;
  }

  #climb(ways: readonly WatchMode[], input: LadderInput): void {
    const { now_ms, trial, behind } = input;
    if (this.#trying !== null) {
      if (behind || !ways.includes(this.#trying)) {
        this.#trying = null;
      } else if (trial === 'good') {
        this.#go(this.#trying, 'best', input);
      } else if (trial === 'dead' || now_ms - this.#trying_since_ms >= START_MS[this.#trying]) {
        this.#calm_ms = Math.min(this.#calm_ms * 2, CALM_MOST_MS);
        this.#ban(this.#trying, now_ms + this.#calm_ms);
        this.#trying = null;
      }
      return;
    }
    const calm = this.#good_since_ms >= 0 && now_ms - this.#good_since_ms >= CALM_MS;
    if (behind) return;
    const higher = ways.slice(0, ways.indexOf(this.#mode)).filter((way) => this.#free(way, input));
    const next = higher.at(0);
    if (next === undefined) return;
    // While the program stands still, the call may go on.
    const instead = input.health === 'still' && next === 'rtc';
    if (!calm && !instead && this.#mode !== 'none') return;
    this.#trying = next;
    this.#trying_since_ms = now_ms;
  }

  #go(mode: WatchMode, why: LadderWhy, { now_ms }: LadderInput): void {
    this.#mode = mode;
    this.#why = why;
    this.#trying = null;
    this.#good_since_ms = this.#bad_since_ms = -1;
    this.#dark_since_ms = now_ms;
  }
}
