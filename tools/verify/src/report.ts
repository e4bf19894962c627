/** What a check found. */

export const SECTIONS = [
  'form',
  'chain',
  'anchors',
  'ballots',
  'polls',
  'story',
  'cast',
  'dice',
  'asked',
] as const;
export type Section = (typeof SECTIONS)[number];

export interface Problem {
  section: Section;
  line: number; // from 1; 0: the file as a whole
  seq: number; // record; 0: none
  message: string;
}

export interface PollReport {
  poll: string;
  title: string;
  options: string[];
  state: string;
  counts: number[];
  voters: number;
  winner: number; // -1: nobody
  why: string;
  ballots: number;
  flagged: number; // suspicious ballots in force at some time
  /** The result without the flagged ballots; null when there are none. */
  unflagged: { counts: number[]; voters: number; winner: number } | null;
}

export interface ReceiptReport {
  receipt: string;
  seq: number; // record that holds the ballot; 0: not found
  poll: string;
  choice: string[]; // option labels
  inForce: boolean; // no later ballot of the same voter
}

export interface Report {
  episode: string;
  title: string;
  records: number;
  ballots: number;
  head: { seq: number; chain: string };
  ended: boolean;
  commitment: string;
  seed: string | null;
  rolls: { total: number; checked: number };
  polls: PollReport[];
  receipts: ReceiptReport[];
  sections: Record<Section, { passed: number; failed: number }>;
  problems: Problem[]; // the first 1000
  notes: string[];
  passed: number;
  failed: number;
}

const MEANING: Record<Section, string> = {
  form: 'lines in their exact form',
  chain: 'links of the hash chain',
  anchors: 'published chain values found at their place',
  ballots: 'ballots valid when they came into force',
  polls: 'results recounted',
  story: 'steps of the story',
  cast: 'changes of characters',
  dice: 'rolls derived again from the seed',
  asked: 'receipts and values you asked for',
};

/** The report as lines for people; the last one is "N passed, N failed". */
export function reportLines(report: Report): string[] {
  const out = [`${report.title || '(no title)'} [${report.episode}], ${report.records} records`];
  for (const poll of report.polls) {
    if (poll.state !== 'closed') continue;
    const counts = poll.options.map((option, i) => `${option} ${poll.counts[i]}`).join(', ');
    const winner = poll.winner < 0 ? 'nobody' : poll.options[poll.winner];
    out.push(`poll ${poll.poll}: ${winner} (${poll.why}); ${counts}; ${poll.voters} voters`);
    if (poll.unflagged) {
      const without = poll.unflagged.winner < 0 ? 'nobody' : poll.options[poll.unflagged.winner];
      const counted = poll.unflagged.counts.join(', ');
      out.push(`  without ${poll.flagged} flagged ballots: ${without}; ${counted}`);
    }
  }
  for (const receipt of report.receipts) {
    if (receipt.seq === 0) continue;
    const choice = receipt.choice.length > 0 ? receipt.choice.join(', ') : 'withdrawn';
    const force = receipt.inForce ? 'in force' : 'replaced by a later ballot of the same voter';
    out.push(
      `receipt ${receipt.receipt}: record ${receipt.seq}, ${receipt.poll}: ${choice}; ${force}`,
    );
  }
  for (const problem of report.problems) {
    const place = problem.seq > 0 ? `record ${problem.seq}` : `line ${problem.line}`;
    out.push(`FAILED ${problem.section}, ${place}: ${problem.message}`);
  }
  for (const note of report.notes) out.push(`note: ${note}`);
  for (const section of SECTIONS) {
    const { passed, failed } = report.sections[section];
    if (passed + failed === 0) continue;
    out.push(`${section}: ${passed} passed, ${failed} failed  (${MEANING[section]})`);
  }
  out.push(`head: record ${report.head.seq}, chain ${report.head.chain}`);
  out.push(`${report.passed} passed, ${report.failed} failed`);
  return out;
}
