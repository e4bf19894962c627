// What a time line moves in: a recording, or what is kept of a live program.
import type { Moment, Thumb } from './moments';

export interface Reel {
  /** In seconds of the video. */
  readonly from_s: number;
  readonly to_s: number;
  readonly at_s: number;
  readonly playing: boolean;
  readonly thumbs: readonly Thumb[];
  readonly moments: readonly Moment[];
  /** Null: a recording. */
  readonly live: Live | null;
  seek(at_s: number): void;
  toggle(): void;
}

export interface Live {
  /** The picture is where live is. */
  readonly there: boolean;
  /** Goes there. */
  go(): void;
}
