// The sentences of a call.
import type { LinkGrade, LinkQuality } from '@footlight/client/media';
import { gradeOf } from '@footlight/client/media';

const kGrades: Record<LinkGrade, string> = {
  good: 'good',
  fair: 'fair',
  poor: 'poor',
  bad: 'bad',
};
export const kBars: Record<LinkGrade, number> = { good: 4, fair: 3, poor: 2, bad: 1 };

/** "Connection of Ann: good, 24 ms there and back, nothing lost" */
export function link_words(name: string, link: LinkQuality | null): string {
  const whose = name ? `Connection of ${name}` : 'Your connection';
  if (!link) return `${whose}: not known yet`;
  const lost = link.lossPm < 1 ? 'nothing lost' : `${(link.lossPm / 10).toFixed(1)} % lost`;
  return `${whose}: ${kGrades[gradeOf(link)]}, ${link.rttMs} ms there and back, ${lost}`;
}

/** What an exception or a numbered problem means to the person. */
export function call_problem(problem: unknown): string {
  const { code = 0, message = '' } = (problem ?? {}) as { code?: number; message?: string };
  if (code === 4902) return 'Your camera and microphone are in use by another tab of yours.';
  return code ? `${message} (${code})` : message || 'That did not work.';
}

/** At most two letters for who has no picture. */
export function initials(name: string): string {
  const words = name.trim().split(/\s+/u).filter(Boolean);
  const first = [...(words[0] ?? '?')][0] ?? '?';
  const last = words.length > 1 ? ([...(words.at(-1) ?? '')][0] ?? '') : '';
  return (first + last).toLocaleUpperCase();
}
