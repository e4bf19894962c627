/** Cameras, microphones and screens, with numbered reasons when there is none to be had. */

import { ClientCode, FootlightError } from '../problems.ts';
import { Value } from '../readable.ts';
import type { Readable } from '../types.ts';

export interface Device {
  readonly id: string;
  /** Empty until the person has let the page use one. */
  readonly label: string;
}
export interface Devices {
  readonly microphones: readonly Device[];
  readonly cameras: readonly Device[];
}

export interface CameraRequest {
  /** A device's id, or true for any. */
  microphone?: string | boolean;
  camera?: string | boolean;
}
export interface CameraTracks {
  audio: MediaStreamTrack | null;
  video: MediaStreamTrack | null;
}

/** What there is now, and when that changes. Ends nothing: a page has one. */
export function watchDevices(): Readable<Devices> {
  const value = new Value<Devices>({ microphones: [], cameras: [] });
  const { mediaDevices } = navigator;
  const refresh = async (): Promise<void> => {
    const all = (await mediaDevices?.enumerateDevices?.().catch(() => [])) ?? [];
    const of = (kind: MediaDeviceKind): Device[] =>
      all
        .filter((one) => one.kind === kind && one.deviceId !== '')
        .map(({ deviceId, label }) => ({ id: deviceId, label }));
    value.set({ microphones: of('audioinput'), cameras: of('videoinput') });
  };
  mediaDevices?.addEventListener?.('devicechange', () => void refresh());
  refreshers.add(refresh);
  void refresh();
  return value;
}
/** Labels come with the first permission. */
const refreshers = new Set<() => Promise<void>>();

/** Asks for camera and microphone. Rejects with a `FootlightError`. */
export async function openCamera(request: CameraRequest = {}): Promise<CameraTracks> {
  const { microphone = true, camera = true } = request;
  const of = (
    wanted: string | boolean,
    more: MediaTrackConstraints,
  ): MediaTrackConstraints | false =>
    wanted === false
      ? false
      : { ...more, ...(typeof wanted === 'string' && wanted && { deviceId: { exact: wanted } }) };
  const stream = await asked(() =>
    navigator.mediaDevices.getUserMedia({
      audio: of(microphone, {
        echoCancellation: true,
        noiseSuppression: true,
        autoGainControl: true,
      }),
      video: of(camera, {
        width: { ideal: 1280 },
        height: { ideal: 720 },
        frameRate: { ideal: 30 },
      }),
    }),
  );
  for (const refresh of refreshers) void refresh();
  return { audio: stream.getAudioTracks()[0] ?? null, video: stream.getVideoTracks()[0] ?? null };
}

/** Asks for a screen, a window or a tab; with its sound where the browser gives it. */
export async function openScreen(): Promise<CameraTracks> {
  const stream = await asked(() =>
    navigator.mediaDevices.getDisplayMedia({ video: { frameRate: { ideal: 15 } }, audio: true }),
  );
  const video = stream.getVideoTracks()[0] ?? null;
  if (video) video.contentHint = 'detail';
  return { audio: stream.getAudioTracks()[0] ?? null, video };
}

async function asked(run: () => Promise<MediaStream>): Promise<MediaStream> {
  try {
    return await run();
  } catch (error) {
    throw problemOf(error);
  }
}

function problemOf(error: unknown): FootlightError {
  const name = error instanceof Error ? error.name : '';
  if (!globalThis.navigator?.mediaDevices) {
    const message = 'This page may not use a camera: it has to be served over https.';
    return new FootlightError({ code: ClientCode.noWebRtc, message });
  }
  if (name === 'NotAllowedError' || name === 'SecurityError') {
    const message =
      'The browser was not allowed to use it. Allow it beside the address, then try again.';
    return new FootlightError({ code: ClientCode.deviceRefused, message });
  }
  if (name === 'NotFoundError' || name === 'OverconstrainedError') {
    const message = 'There is no such device. Plug it in, or choose another.';
    return new FootlightError({ code: ClientCode.deviceMissing, message });
  }
  const message = 'The device does not start. Another program may be using it.';
  return new FootlightError({ code: ClientCode.deviceBusy, message });
}
