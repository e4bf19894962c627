// What happened in a show and where in its recording: marks by wall time from the server, small pictures by
// the recording's time. Pure but for the two fetches.
import type { Character, Poll, Roll, StoryStep } from '@footlight/client';

export interface Mark {
  at_ms: number;
  kind: 'start' | 'scene' | 'poll' | 'result' | 'dice' | 'end';
  scene?: string;
  poll?: string;
  title?: string;
  options?: string[];
  counts?: number[];
  voters?: number;
  /** Index of an option; -1: nobody. */
  winner?: number;
  n?: number;
  who?: string;
  expr?: string;
  faces?: string;
  total?: number;
  crit?: string;
}

/** A mark and where in the video it is. */
export interface Moment extends Mark {
  at_s: number;
}

/** From one second to another. */
export interface Span {
  from_s: number;
  to_s: number;
  words: string;
}

export interface Thumb {
  from_s: number;
  to_s: number;
  url: string;
}

export async function fetch_marks(url: string): Promise<Mark[]> {
  const answer = await fetch(url);
  if (!answer.ok) return [];
  const said = (await answer.json()) as { marks?: Mark[] };
  return Array.isArray(said.marks) ? said.marks : [];
}

export async function fetch_thumbs(url: string): Promise<Thumb[]> {
  const answer = await fetch(url);
  return answer.ok ? parse_thumbs(await answer.text(), answer.url || url) : [];
}

/** WebVTT whose cues are addresses of pictures. */
export function parse_thumbs(vtt: string, base: string): Thumb[] {
  const seconds = (text: string): number =>
    text.split(':').reduce((sum, part) => sum * 60 + Number(part), 0);
  const out: Thumb[] = [];
  for (const block of vtt.split(/\n{2,}/)) {
    const [, from, to, url] = /([\d:.]+) --> ([\d:.]+)[^\n]*\n(\S+)/.exec(block) ?? [];
    if (!from || !to || !url) continue;
    out.push({ from_s: seconds(from), to_s: seconds(to), url: new URL(url, base).href });
  }
  return out;
}

/** Those that the recording shows, by time. */
export function place(marks: readonly Mark[], time_of: (at_ms: number) => number | null): Moment[] {
  return marks
    .flatMap((mark) => {
      const at_s = time_of(mark.at_ms);
      return at_s === null ? [] : [{ ...mark, at_s }];
    })
    .sort((a, b) => a.at_s - b.at_s);
}

export interface MarkSources {
  story: ReadonlyMap<string, StoryStep>;
  polls: ReadonlyMap<string, Poll>;
  rolls: ReadonlyMap<string, Roll>;
  characters: ReadonlyMap<string, Character>;
}

/** What a viewer's view tells of what happened: of each poll its last round, of dice the last fifty. */
export function marks_of({ story, polls, rolls, characters }: MarkSources): Mark[] {
  const scenes = [...story.values()].map(
    ({ at_ms, scene, title }): Mark => ({ at_ms, kind: 'scene', scene, title }),
  );
  const rounds = [...polls].flatMap(
    ([poll, { opened_ms, deadline_ms, title, options, result }]) => {
      if (opened_ms <= 0) return [];
      const about = { poll, title, options };
      const opened: Mark = { at_ms: opened_ms, kind: 'poll', ...about };
      if (!result) return [opened];
      const { counts, voters } = result;
      const closed: Mark = { at_ms: deadline_ms, kind: 'result', ...about, counts, voters };
      return [opened, { ...closed, winner: result.winner ?? -1 }];
    },
  );
  const dice = [...rolls.values()].flatMap((roll): Mark[] => {
    if (roll.secret) return [];
    const { at_ms, n, expr, total, crit } = roll;
    const who = characters.get(roll.char ?? '')?.name ?? roll.name;
    return [{ at_ms, kind: 'dice', n, who, expr, total, crit }];
  });
  return [...scenes, ...rounds, ...dice].sort((a, b) => a.at_ms - b.at_ms);
}

/**
 * Those of a program of which only what comes after `from_s` is kept, the wall time `from_ms`; the scene and the polls
 * that it begins in stand at its beginning.
 */
export function place_in(
  marks: readonly Mark[],
  time_of: (at_ms: number) => number | null,
  { from_s, from_ms }: { from_s: number; from_ms: number | null },
): Moment[] {
  const before = marks.filter(({ at_ms }) => at_ms < (from_ms ?? 0));
  const scene = before.filter(({ kind }) => kind === 'scene').slice(-1);
  const polls = before.filter(
    ({ kind, poll }) =>
      kind === 'poll' && !before.some((one) => one.kind === 'result' && one.poll === poll),
  );
  const within = marks.filter(({ at_ms }) => at_ms >= (from_ms ?? 0));
  return [
    ...[...scene, ...polls].map((one) => ({ ...one, at_s: from_s })),
    ...place(within, time_of),
  ];
}

export function words_of(mark: Mark): string {
  switch (mark.kind) {
    case 'start':
      return 'The show begins';
    case 'end':
      return 'The curtain falls';
    case 'scene':
      return `Scene: ${mark.title ?? ''}`;
    case 'poll':
      return `Poll opens: ${mark.title ?? ''}`;
    case 'result': {
      const winner = mark.options?.[mark.winner ?? -1];
      if (winner === undefined) return `Poll closes: ${mark.title ?? ''} Nobody won.`;
      const all = (mark.counts ?? []).reduce((sum, one) => sum + one, 0);
      return `Poll closes: “${winner}” with ${mark.counts?.[mark.winner ?? 0] ?? 0} of ${all}`;
    }
    case 'dice': {
      const crit =
        mark.crit === 'hit' ? ', critical hit' : mark.crit === 'miss' ? ', critical miss' : '';
      return `${mark.who ?? ''} rolls ${mark.expr ?? ''}: ${mark.total ?? ''}${crit}`;
    }
  }
}

/** Scenes from one to the next. */
export function scenes_of(moments: readonly Moment[], length_s: number): Span[] {
  const scenes = moments.filter(({ kind }) => kind === 'scene');
  return scenes.map((scene, index) => ({
    from_s: scene.at_s,
    to_s: scenes[index + 1]?.at_s ?? length_s,
    words: scene.title ?? '',
  }));
}

/** Polls from opening to result. */
export function polls_of(moments: readonly Moment[], length_s: number): Span[] {
  return moments.flatMap((opened, index) => {
    if (opened.kind !== 'poll') return [];
    const closed = moments
      .slice(index)
      .find(({ kind, poll }) => kind === 'result' && poll === opened.poll);
    const words = closed ? words_of(closed) : words_of(opened);
    return [{ from_s: opened.at_s, to_s: closed?.at_s ?? length_s, words }];
  });
}

/** A poll as it stood at a moment of the recording. */
export interface PollThen {
  id: string;
  title: string;
  options: string[];
  /** null: it was open. */
  counts: number[] | null;
  winner: number | null;
  voters: number;
}

/** The polls that had been opened by then, the newest first. */
export function polls_then(moments: readonly Moment[], at_s: number): PollThen[] {
  const out: PollThen[] = [];
  for (const mark of moments) {
    if (mark.at_s > at_s) break;
    if (mark.kind === 'poll') {
      out.unshift({
        id: `${mark.poll}.${mark.at_ms}`,
        title: mark.title ?? '',
        options: mark.options ?? [],
        counts: null,
        winner: null,
        voters: 0,
      });
    } else if (mark.kind === 'result') {
      const open = out.find(({ id, counts }) => counts === null && id.startsWith(`${mark.poll}.`));
      if (!open) continue;
      open.counts = mark.counts ?? [];
      open.winner = (mark.winner ?? -1) >= 0 ? (mark.winner ?? null) : null;
      open.voters = mark.voters ?? 0;
    }
  }
  return out;
}

/** The last moment that is not after `at_s`; -1: none. */
export function moment_at(moments: readonly Moment[], at_s: number): number {
  return moments.findLastIndex((one) => one.at_s <= at_s + 0.05);
}
