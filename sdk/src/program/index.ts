/**
 * `@footlight/client/program`: how a viewer watches the show, and its polls in step with the picture.
 *
 * @module
 */

export { CaptionsInStep } from './captions.ts';
export { HlsPlayer, type HlsJsClass, type Quality } from './hls_player.ts';
export {
  allowance_ms,
  lastMoment_ms,
  type PollInStep,
  type Position,
  PollsInStep,
} from './in_step.ts';
export {
  Ladder,
  type Health,
  type LadderInput,
  type LadderStep,
  type LadderWhy,
} from './ladder.ts';
export { Program, type ProgramOptions, type ProgramState } from './program.ts';
export { Rtc, type RtcWay } from './rtc.ts';
export type { LiveWindow } from './window.ts';
