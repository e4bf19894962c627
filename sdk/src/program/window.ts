/** How far back one can go in what is live. */

import type { HlsJs } from './hls_player.ts';

/** In seconds of the video. */
export interface LiveWindow {
  /** The oldest that there still is, but for a segment: where it goes out soon nobody should be sent. */
  readonly from_s: number;
  /** The wall time of its picture; null: not known. */
  readonly from_ms: number | null;
  /** Where live is; after the end the end. */
  readonly to_s: number;
  /** Where the picture is. */
  readonly at_s: number;
  /** It can go on. */
  readonly paused: boolean;
}

/** Null: nothing is known yet, or what plays is a recording. */
export function live_window(
  { latestLevelDetails: details, liveSyncPosition }: HlsJs,
  { currentTime: at_s, paused }: HTMLVideoElement,
): LiveWindow | null {
  const fragments = (details?.fragments ?? []).filter((each) => each !== null);
  const [first, last] = [fragments[1] ?? fragments[0], fragments.at(-1)];
  if (!details || details.type === 'VOD' || !first || !last) return null;
  const to_s = details.live ? liveSyncPosition : last.start + last.duration;
  if (to_s === null || to_s < first.start) return null;
  const { start: from_s, programDateTime: from_ms } = first;
  return { from_s, from_ms, to_s, at_s: Math.min(at_s, to_s), paused };
}

/** So far back is nobody by choice: a stop, or the network. */
const NEAR_S = 1;

/** Whether `at_s` is as good as live. */
export const near_live = ({ to_s }: LiveWindow, at_s: number): boolean => at_s > to_s - NEAR_S;
