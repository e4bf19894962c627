// Whose turn it is. The order is not stored but follows from the scores, so two people who change
// scores at once cannot disagree about it.
import * as Y from 'yjs';

export interface Combatant {
  id: string;
  name: string;
  /** Null until it is rolled. */
  score: number | null;
}
export interface Turn {
  id: string;
  round: number;
}

export function combatants(initiative: Y.Map<unknown>): Combatant[] {
  const all: Combatant[] = [];
  for (const [id, entry] of initiative.entries()) {
    if (!(entry instanceof Y.Map)) continue;
    const name = entry.get('name');
    const score = entry.get('score');
    all.push({
      id,
      name: typeof name === 'string' ? name : id,
      score: typeof score === 'number' && Number.isFinite(score) ? score : null,
    });
  }
  return all.sort(
    (a, b) =>
      (b.score ?? -Infinity) - (a.score ?? -Infinity) ||
      a.name.localeCompare(b.name) ||
      (a.id < b.id ? -1 : 1),
  );
}

export function turn_of(turn: Y.Map<unknown>): Turn {
  const id = turn.get('id');
  const round = turn.get('round');
  return {
    id: typeof id === 'string' ? id : '',
    round: typeof round === 'number' && round >= 1 ? Math.floor(round) : 0,
  };
}

/**
 * The turn `step` places on (1 or −1), over the end into the next round. Whoever has no score yet is
 * passed over; someone who left hands on to where the order begins.
 */
export function step_turn(order: readonly Combatant[], now: Turn, step: 1 | -1): Turn {
  const ready = order.filter(({ score }) => score !== null);
  const [first] = ready;
  if (!first) return { id: '', round: 0 };
  const at = ready.findIndex(({ id }) => id === now.id);
  if (now.round === 0 || at < 0) return { id: first.id, round: Math.max(1, now.round) };
  const next = at + step;
  if (next < 0 && now.round === 1) return now;
  const wrapped = (next + ready.length) % ready.length;
  const round = now.round + (next >= ready.length ? 1 : next < 0 ? -1 : 0);
  return { id: ready[wrapped]?.id ?? first.id, round };
}
