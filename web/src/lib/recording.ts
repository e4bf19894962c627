// The recording of an episode's voices and pictures: asked for and switched over the producer's API.
import { bytes, clock } from './format';

export interface RecordingState {
  recording: boolean;
  folder?: string;
  began_ms?: number;
  ended_ms?: number;
  files?: number;
  packets?: number;
  bytes?: number;
  dropped?: number;
  left_out?: number;
  error?: { code: number; message: string };
}

/** GET, or with `on` POST; what went wrong is a sentence for the page. */
export async function ask_recording(
  server: string,
  episode: string,
  token: string,
  on?: boolean,
): Promise<RecordingState | string> {
  try {
    const answer = await fetch(`${server}/v1/episodes/${episode}/recording`, {
      method: on === undefined ? 'GET' : 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(on !== undefined && { body: JSON.stringify({ on }) }),
    });
    const said = (await answer.json()) as RecordingState & { code?: number; message?: string };
    return answer.ok ? said : `${said.code ?? answer.status} ${said.message ?? ''}`.trim();
  } catch {
    return 'The server did not answer.';
  }
}

/** What there is, in a line; '' when there was no recording. */
export function recording_line(state: RecordingState): string {
  if (state.began_ms === undefined) return '';
  const size = `${state.files ?? 0} files, ${bytes(state.bytes ?? 0)}`;
  const since = clock(state.began_ms).slice(0, 5);
  if (state.recording) return `Since ${since}: ${size}`;
  return `${since} to ${clock(state.ended_ms ?? state.began_ms).slice(0, 5)}: ${size}`;
}

/** What is wrong with it, or was; '' when nothing. */
export function recording_trouble(state: RecordingState): string {
  if (state.error) return state.error.message;
  const dropped = state.dropped ?? 0;
  if (dropped > 0) return `The disk is too slow: ${dropped} packets are missing.`;
  if (state.left_out) return `${state.left_out} streams are left out: there are too many.`;
  return '';
}
