/**
 * `@footlight/client/media`: voice and video of an episode, over WebRTC.
 *
 * @module
 */

import type { Client } from '../types.ts';
import { FootlightMedia, type MediaOptions } from './media.ts';

export {
  openCamera,
  openScreen,
  watchDevices,
  type CameraRequest,
  type CameraTracks,
  type Device,
  type Devices,
} from './devices.ts';
export type { LineState } from './line.ts';
export {
  FootlightMedia,
  type LinkQuality,
  type MediaEvents,
  type MediaOptions,
  type OwnQuality,
  type Speaker,
} from './media.ts';
export { Publication, type Kind, type PerKind, type PublishOptions } from './publication.ts';
export { gradeOf, type LineFigures, type LinkGrade, type StreamFigures } from './stats.ts';
export {
  Watching,
  type Place,
  type PlaceWish,
  type Served,
  type WatchOptions,
} from './watching.ts';

/** Voice and video of the client's episode; one object a client. Nothing happens before `publish` or `watch`. */
export function createMedia(client: Client, options: MediaOptions = {}): FootlightMedia {
  return new FootlightMedia(client, options);
}
