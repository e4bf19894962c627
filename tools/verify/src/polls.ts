/** Counts every poll again from its ballots: docs/formats/episode-file.md "Polls", events.md. */
import type { Ballot } from './ballots.ts';
import { bool, int, list, map, text, type Json } from './json.ts';

type Role = 'viewer' | 'player' | 'gm' | 'producer';
export type Why = 'votes' | 'tie_break' | 'default' | 'no_quorum';

interface Register {
  n: number;
  edgeMs: number;
  edge: number;
  mask: number;
  weight: number;
  seq: number;
  receipt: string;
}

export interface Result {
  counts: number[];
  voters: number;
  winner: number; // -1: nobody
  why: Why;
}

export class Poll {
  state: 'ready' | 'open' | 'closing' | 'closed' = 'ready';
  deadlineMs = 0;
  ballots = 0;
  result: Result | null = null;
  readonly registers = new Map<string, Register>();
  /** Ballots in order, kept only while flagged ones make a second count worth having. */
  readonly unflagged = new Map<string, Register>();
  flagged = 0;

  constructor(
    readonly id: string,
    readonly title: string,
    readonly options: { label: string; to: string }[],
    readonly max: number,
    readonly weights: ReadonlySet<number>,
    readonly changeable: boolean,
    readonly quorum: number,
    readonly tieBreak: string,
    readonly fallback: number,
  ) {}

  static fromFile(id: string, json: Json): Poll {
    const options = list(json, 'options').map((option) =>
      typeof option === 'string'
        ? { label: option, to: '' }
        : { label: text(option, 'label'), to: text(option, 'to', '') },
    );
    const multiple = text(json, 'kind', 'single') === 'multiple';
    const usual: Record<Role, number> = { viewer: 1, player: 1, gm: 0, producer: 0 };
    const stated = map(json, 'weights');
    const weights = (Object.keys(usual) as Role[]).map((role) => int(stated, role, usual[role]));
    return new Poll(
      id,
      text(json, 'title'),
      options,
      multiple ? int(json, 'max', options.length) : 1,
      new Set(weights.filter((weight) => weight > 0)),
      bool(json, 'changeable', true),
      int(json, 'quorum', 0),
      text(json, 'tie_break', 'first'),
      int(json, 'default', -1),
    );
  }

  static fromEvent(data: Json): Poll {
    return new Poll(
      text(data, 'poll'),
      text(data, 'title'),
      list(data, 'options').map((label) => ({ label: String(label), to: '' })),
      bool(data, 'multiple', false) ? int(data, 'max', 1) : 1,
      new Set([1]),
      bool(data, 'changeable', true),
      0,
      'first',
      -1,
    );
  }

  /** What is wrong with a ballot, or null after it was counted. */
  take(ballot: Ballot, seq: number, receipt: string): string | null {
    ++this.ballots;
    if (this.state !== 'open' && this.state !== 'closing') return `the poll is ${this.state}`;
    if (this.deadlineMs > 0 && ballot.edgeMs > this.deadlineMs) return 'it came after the deadline';
    if (ballot.choice.some((option) => option >= this.options.length)) {
      return 'it names an option the poll does not have';
    }
    if (ballot.choice.length > this.max) return 'it names more options than allowed';
    if (!this.weights.has(ballot.weight)) return `no role has the weight ${ballot.weight} here`;
    if (ballot.n < 1) return 'its change number is 0';
    const held = this.registers.get(ballot.who);
    if (held && !this.changeable) return 'votes in this poll cannot be changed';
    const register = {
      n: ballot.n,
      edgeMs: ballot.edgeMs,
      edge: ballot.edge,
      mask: ballot.mask,
      weight: ballot.weight,
      seq,
      receipt,
    };
    if (held && !isLater(register, held)) return 'a later ballot of the same voter came before it';
    this.registers.set(ballot.who, register);
    if (ballot.flags & 1) ++this.flagged;
    else this.unflagged.set(ballot.who, register);
    return null;
  }

  count(flagged: 'counted' | 'left out' = 'counted'): Result {
    const registers = flagged === 'counted' ? this.registers : this.unflagged;
    const counts = this.options.map(() => 0);
    let voters = 0;
    for (const register of registers.values()) {
      if (register.mask === 0) continue;
      ++voters;
      counts.forEach((_, option) => {
        if ((register.mask >>> option) & 1) counts[option]! += register.weight;
      });
    }
    return { counts, voters, ...this.winner(counts, voters) };
  }

  private winner(counts: number[], voters: number): { winner: number; why: Why } {
    if (voters < this.quorum) return { winner: this.fallback, why: 'no_quorum' };
    const most = Math.max(...counts);
    if (most === 0) return { winner: this.fallback, why: 'default' };
    const first = counts.indexOf(most);
    if (counts.lastIndexOf(most) === first) return { winner: first, why: 'votes' };
    const tie = { first, default: this.fallback, none: -1 }[this.tieBreak];
    return { winner: tie ?? -1, why: 'tie_break' };
  }
}

function isLater(a: Register, b: Register): boolean {
  if (a.n !== b.n) return a.n > b.n;
  if (a.edgeMs !== b.edgeMs) return a.edgeMs > b.edgeMs;
  return a.edge > b.edge;
}
