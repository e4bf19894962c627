/** The messages about voice and video (docs/protocol.md, Voice and video). */

import type { Role, Who } from './wire.ts';

/** STUN and TURN servers that share credentials: what a browser calls an `RTCIceServer`. */
export interface IceServer {
  urls: string[];
  username?: string;
  credential?: string;
}
/** Answers `media.open`, `media.resume` and `media.ice` (`n`), or says that a media session is over. */
export interface MediaMessage {
  t: 'media';
  n?: number;
  id?: string;
  sdp?: string;
  ice?: string;
  servers?: IceServer[];
  /** Seconds that the credentials of `servers` hold. */
  ttl?: number;
  over?: boolean;
  code?: number;
  message?: string;
}
/** Whom a place shows; nobody without `who`. */
export interface PlaceInfo {
  mid: string;
  kind: 'audio' | 'video';
  who?: Who;
  name?: string;
  role?: Role;
  label?: string;
  muted?: boolean;
}
export interface MediaPlacesMessage {
  t: 'media.places';
  id: string;
  places: PlaceInfo[];
}
export interface MediaRoomMessage {
  t: 'media.room';
  /** [who, level 0–127], the active speaker first. */
  speaking?: [Who, number][];
  /** [who, round trip in ms, loss in per mille]. */
  links?: [Who, number, number][];
  /** Whether what everybody says and shows is being recorded. */
  recording?: boolean;
}
/** How the server finds the way to a watching session. */
export interface MediaQualityMessage {
  t: 'media.quality';
  id: string;
  rtt: number;
  loss: number;
  bps: number;
  /** [mid, which encoding is sent: 0 the lowest, -1 none]. */
  places: [string, number][];
}
export type AnyMediaMessage =
  | MediaMessage
  | MediaPlacesMessage
  | MediaRoomMessage
  | MediaQualityMessage;

export type MediaRequest =
  | { t: 'media.open'; n: number; use: 'publish' | 'watch'; label?: string; sdp: string }
  | { t: 'media.resume'; n: number; id: string; ice?: string }
  | { t: 'media.close'; id: string }
  | { t: 'media.ice'; n: number }
  | { t: 'media.place'; id: string; mid: string; max?: number; paused?: boolean; pin?: boolean }
  | { t: 'media.mute'; id: string; mid: string; on: boolean }
  | { t: 'media.report'; id: string; rtt: number; loss: number; delay?: number };
