// The program's compositor: how it is and what it shows, over the producer's API.
export type Layout = 'table' | 'speaker' | 'grid' | 'single' | 'title' | 'slate';

export interface ProgramInput {
  slot: number;
  /** The account's pseudonym. */
  who: string;
  name: string;
  state: 'waiting' | 'live' | 'late' | 'frozen';
  /** 1000: as it comes. */
  gain_permille: number;
}
export interface ProgramStatus {
  state: 'off' | 'starting' | 'running' | 'pausing';
  layout: Layout;
  chosen: boolean;
  starts: number;
  parts: number;
  bytes: number;
  last_end: { code: number; message: string } | null;
  renditions: { name: string; width?: number; height?: number; bandwidth_bps: number }[];
  encoder: {
    name: string;
    fps_milli: number;
    cpu_permille: number;
    late_frames: number;
    repeated_frames: number;
    dropped_parts: number;
    behind_ms: number;
    inputs: ProgramInput[];
  } | null;
}

export const kLayouts: { layout: Layout | 'auto'; label: string }[] = [
  { layout: 'auto', label: 'By the show' },
  { layout: 'table', label: 'Table' },
  { layout: 'speaker', label: 'Speaker' },
  { layout: 'grid', label: 'Grid' },
  { layout: 'single', label: 'One' },
  { layout: 'title', label: 'Title card' },
  { layout: 'slate', label: 'Slate' },
];

export type ProgramWish =
  | { layout: Layout | 'auto' }
  | { who: string; gain_permille: number }
  | 'restart';
function path_of(what: ProgramWish | undefined): string {
  if (what === undefined) return '';
  if (what === 'restart') return '/restart';
  return 'layout' in what ? '/layout' : '/gain';
}

/** GET without `what`; else POST. What went wrong is a sentence for the page; null: no program. */
export async function ask_program(
  server: string,
  episode: string,
  token: string,
  what?: ProgramWish,
): Promise<ProgramStatus | string | null> {
  const path = path_of(what);
  try {
    const answer = await fetch(
      `${server}/v1/episodes/${encodeURIComponent(episode)}/program${path}`,
      {
        method: what === undefined ? 'GET' : 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        ...(what !== undefined && { body: JSON.stringify(what === 'restart' ? {} : what) }),
      },
    );
    const said = (await answer.json()) as ProgramStatus & { code?: number; message?: string };
    if (answer.ok) return said;
    if (answer.status === 404 || answer.status === 409) return null;
    return `${said.code ?? answer.status} ${said.message ?? ''}`.trim();
  } catch {
    return 'The server did not answer.';
  }
}

/** Per person, not per session: who shares a screen is there twice. Who sends the finished program is alone. */
export function voices_of(status: ProgramStatus): ProgramInput[] {
  const seen = new Set<string>();
  return (status.encoder?.inputs ?? []).filter(({ who }) => !seen.has(who) && seen.add(who));
}
export function gain_words(gain_permille: number): string {
  return gain_permille === 0 ? 'silent' : `${Math.round(gain_permille / 10)} %`;
}

export function encoder_line({ encoder, renditions }: ProgramStatus): string {
  if (!encoder) return '';
  const rungs = renditions.flatMap(({ height }) => (height ? [`${height}p`] : [])).join(' + ');
  const cpu = (encoder.cpu_permille / 1000).toFixed(2);
  return `${rungs} · ${(encoder.fps_milli / 1000).toFixed(0)} pictures/s · ${cpu} of a core`;
}

/** What is wrong with it; '' when nothing. */
export function program_trouble(status: ProgramStatus): string {
  if (status.state === 'pausing' && status.last_end) return status.last_end.message;
  if ((status.encoder?.behind_ms ?? 0) > 500) return 'The encoder does not keep up.';
  const still = status.encoder?.inputs.filter(({ state }) => state === 'frozen') ?? [];
  return still.length > 0 ? `No picture from ${still.map(({ name }) => name).join(', ')}.` : '';
}

/** A place that the program is pushed to. */
export interface PushPlace {
  place: string;
  state: 'idle' | 'pushing' | 'failing';
  files: number;
  bytes: number;
  waiting: number;
  waiting_bytes: number;
  behind_ms: number;
  failed: number;
  left_out: number;
  removed: number;
  error: { code: number; message: string } | null;
}

export async function ask_push(
  server: string,
  episode: string,
  token: string,
): Promise<PushPlace[]> {
  try {
    const answer = await fetch(
      `${server}/v1/episodes/${encodeURIComponent(episode)}/program/push`,
      { headers: { authorization: `Bearer ${token}` } },
    );
    const said = (await answer.json()) as { places?: PushPlace[] };
    return answer.ok && Array.isArray(said.places) ? said.places : [];
  } catch {
    return []; // that the server does not answer is said by the others
  }
}

export function push_line({ files, bytes, left_out, behind_ms }: PushPlace): string {
  const parts = [`${files} files`, `${(bytes / 1_000_000).toFixed(1)} MB`];
  if (behind_ms > 5000) parts.push(`${Math.round(behind_ms / 1000)} s behind`);
  if (left_out > 0) parts.push(`${left_out} left out`);
  return parts.join(' · ');
}
