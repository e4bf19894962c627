/**
 * Checks an export as it streams by. It shares no code with the server: what it knows is what
 * docs/formats/{export,events,episode-file,dice,fairness}.md say.
 */
import { decodeBallots, receiptOf, shownBallot } from './ballots.ts';
import {
  fromBase64url,
  fromHex,
  fromUtf8,
  littleEndian,
  toBase64url,
  toHex,
  utf8,
} from './bytes.ts';
import { Cast } from './cast.ts';
import { Dice } from './rolls.ts';
import { int, list, map, parseJson, text, type Json } from './json.ts';
import {
  KINDS,
  parseFooter,
  parseHeader,
  parseRecord,
  type Header,
  type RecordLine,
} from './lines.ts';
import { Poll, type Result } from './polls.ts';
import { SECTIONS, type Report, type Section } from './report.ts';
import { Sha256, sha256 } from './sha256.ts';
import { Story, critRule } from './story.ts';

export interface Options {
  /** Chain values known from elsewhere: a result shown during the show, a head written down. */
  chains?: readonly { chain: string; seq?: number }[];
  /** Receipts of voters, 32 hex digits each. */
  receipts?: readonly string[];
  /** The commitment to the seed as it was published at the start, 64 hex digits. */
  commitment?: string;
}

const MOST_PROBLEMS = 1000;
const MOST_LINE_BYTES = 128 * 1024 * 1024;
const LF = 0x0a;
const NO_CHAIN = '0'.repeat(64);

/** A sentence for the report; everything else that is thrown is a bug of ours. */
function sentence(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

export class Verifier {
  private readonly hash = new Sha256();
  private hashed: string | null = null; // of all before the footer
  private held: Uint8Array[] = [];
  private heldBytes = 0;
  private line = 0;
  private seq = 0;
  private chain = NO_CHAIN;
  private readonly chains: string[] = [];
  private header: Header | null = null;
  private footerSeen = false;
  private records = 0;
  private ballots = 0;
  private title = '';
  private commitment = '';
  private ended = false;
  private epoch = 0;
  private readonly polls: Poll[] = [];
  private readonly pollById = new Map<string, Poll>();
  private story: Story | null = null;
  private cast: Cast | null = null;
  private dice: Dice | null = null;
  private readonly wanted = new Map<string, { seq: number; poll: string; mask: number }>();
  private readonly problems: Report['problems'] = [];
  private readonly sections = Object.fromEntries(
    SECTIONS.map((section) => [section, { passed: 0, failed: 0 }]),
  ) as Report['sections'];

  constructor(private readonly options: Options = {}) {
    for (const receipt of options.receipts ?? []) {
      this.wanted.set(receipt.toLowerCase(), { seq: 0, poll: '', mask: 0 });
    }
  }

  /** The next bytes of the file, cut anywhere. */
  push(chunk: Uint8Array): void {
    let from = 0;
    for (let at = chunk.indexOf(LF); at >= 0; at = chunk.indexOf(LF, from)) {
      this.keep(chunk.subarray(from, at + 1));
      this.flush();
      from = at + 1;
    }
    // The caller may use the buffer again.
    if (from < chunk.length) this.keep(chunk.slice(from));
  }

  finish(): Report {
    if (this.heldBytes > 0) {
      this.flush();
      this.check('form', 'the last line has no end');
    }
    if (this.line === 0) this.check('form', 'the file is empty');
    else if (!this.footerSeen) this.check('form', 'the file ends without a footer');
    if (this.header && this.header.records !== this.records) {
      const counted = `${this.header.records} records, there are ${this.records}`;
      this.check('form', `the header says ${counted}`);
    }
    this.line = this.seq = 0;
    this.checkDice();
    this.checkAsked();
    return this.report();
  }

  private keep(bytes: Uint8Array): void {
    this.heldBytes += bytes.length;
    if (this.heldBytes <= MOST_LINE_BYTES) this.held.push(bytes);
  }

  /** Passes when `wrong` is null. */
  private check(section: Section, wrong: string | null): boolean {
    if (wrong === null) {
      ++this.sections[section].passed;
      return true;
    }
    ++this.sections[section].failed;
    if (this.problems.length < MOST_PROBLEMS) {
      this.problems.push({ section, line: this.line, seq: this.seq, message: wrong });
    }
    return false;
  }

  private flush(): void {
    ++this.line;
    this.seq = 0;
    const tooLong = this.heldBytes > MOST_LINE_BYTES;
    const whole = new Uint8Array(tooLong ? 0 : this.heldBytes);
    let at = 0;
    if (!tooLong) {
      for (const part of this.held) {
        whole.set(part, at);
        at += part.length;
      }
    }
    this.held = [];
    this.heldBytes = 0;
    const end = whole.at(-1) === LF ? whole.length - 1 : whole.length;
    const line = fromUtf8(whole.subarray(0, end));
    if (tooLong) this.check('form', 'the line is too long');
    else if (line === null) this.check('form', 'the line is not UTF-8');
    else this.take(line);
    this.hash.update(whole);
  }

  private take(line: string): void {
    if (this.footerSeen) {
      this.check('form', 'a line follows the footer');
    } else if (this.line === 1) {
      this.header = parseHeader(line);
      this.check('form', this.header ? null : 'this is no header of an export, version 1');
    } else if (line.startsWith('{"end":')) {
      this.footer(line);
    } else {
      const record = parseRecord(line);
      if (record) this.record(record);
      else this.check('form', 'this is no record in the exact form');
    }
  }

  private footer(line: string): void {
    const footer = parseFooter(line);
    this.footerSeen = true;
    if (!footer) return void this.check('form', 'this is no footer in the exact form');
    this.hashed = toHex(this.hash.finish());
    const last = this.chains.length;
    let wrong: string | null = null;
    if (footer.seq !== last || footer.chain !== this.chain) {
      wrong = 'the footer does not repeat the last record';
    } else if (footer.sha256 !== this.hashed) {
      wrong = 'the bytes before it do not have the SHA-256 it states';
    }
    this.check('form', wrong);
  }

  private record(record: RecordLine): void {
    ++this.records;
    this.seq = record.seq;
    const payload = fromBase64url(record.payload);
    if (!payload || toBase64url(payload) !== record.payload) {
      this.check('form', 'the payload is not base64url in its one spelling');
      this.advance(record);
      return;
    }
    this.link(record, payload);
    if (record.kind === 'ballots') return this.block(record, payload);
    const source = fromUtf8(payload);
    if (source === null || source !== record.data) {
      this.check('form', '"data" is not the text of the payload');
      return;
    }
    this.check('form', null);
    try {
      this.event(record.kind, parseJson(source));
    } catch (error) {
      this.check('form', `the payload: ${sentence(error)}`);
    }
  }

  private link(record: RecordLine, payload: Uint8Array): void {
    const hash = sha256(
      fromHex(this.chain, 32)!,
      littleEndian(record.seq, 8),
      Uint8Array.of(KINDS[record.kind]),
      littleEndian(record.atMs, 8),
      payload,
    );
    let wrong: string | null = null;
    if (record.seq !== this.chains.length + 1) wrong = 'a record is missing, or out of order';
    else if (toHex(hash) !== record.chain) wrong = 'its chain value is not the hash it must be';
    else if ((record.kind === 'genesis') !== (record.seq === 1)) {
      wrong = 'the genesis is the first record, and no other';
    }
    this.check('chain', wrong);
    this.advance(record);
  }

  // The next link is judged from the value stated here, so that one fault is told once.
  private advance(record: RecordLine): void {
    this.chain = record.chain;
    this.chains.push(record.chain);
  }

  private block(record: RecordLine, payload: Uint8Array): void {
    let ballots;
    try {
      ballots = decodeBallots(payload);
    } catch (error) {
      this.check('form', `the block of ballots: ${sentence(error)}`);
      return;
    }
    const shown: string[] = [];
    for (const ballot of ballots) {
      ++this.ballots;
      const poll = this.polls[ballot.poll];
      const receipt = receiptOf(ballot, poll?.id ?? '');
      shown.push(shownBallot(ballot, poll?.id ?? '', receipt));
      const wrong = poll ? poll.take(ballot, record.seq, receipt) : 'there is no such poll';
      const who = `ballot of ${ballot.who} in ${poll?.id ?? `poll ${ballot.poll}`}: `;
      this.check('ballots', wrong === null ? null : who + wrong);
      if (this.wanted.has(receipt)) {
        this.wanted.set(receipt, { seq: record.seq, poll: poll?.id ?? '', mask: ballot.mask });
      }
    }
    const same = `[${shown.join(',')}]` === record.data;
    this.check('form', same ? null : '"data" does not show the ballots of the payload');
  }

  private event(kind: RecordLine['kind'], json: Json): void {
    if (kind === 'genesis') return this.genesis(json);
    if (kind === 'epoch') {
      const epoch = int(json, 'epoch');
      this.check('chain', epoch > this.epoch ? null : 'the owner does not come after the last one');
      this.epoch = epoch;
      return;
    }
    const name = text(json, 'k');
    const data: Json = map(json, 'd');
    if (name === 'scene.entered') {
      if (this.story) this.check('story', this.story.enter(data, this.pollById));
    } else if (name.startsWith('poll.')) {
      this.poll(name, data);
    } else if (name.startsWith('char.')) {
      if (this.cast) this.check('cast', this.cast.change(name, data));
    } else if (name === 'dice.rolled') {
      this.dice?.add(this.seq, this.line, data);
    } else if (name === 'episode.ended') {
      this.check('story', this.ended ? 'the episode ends a second time' : null);
      this.ended = true;
      this.dice?.reveal(this.seq, this.line, text(data, 'seed'));
      this.anchor(data);
    }
  }

  private genesis(json: Json): void {
    const episode = text(json, 'episode');
    if (this.header && this.header.episode !== episode) {
      this.check('form', `the header names another episode than the genesis: "${episode}"`);
    }
    const definition: Json = map(json, 'definition');
    this.commitment = text(json, 'seed_commit');
    this.title = text(definition, 'title');
    this.dice = new Dice(episode, this.commitment, critRule(definition));
    this.story = new Story(definition);
    this.cast = new Cast(definition);
    for (const [id, poll] of map(definition, 'polls')) this.add(Poll.fromFile(id, poll));
  }

  private add(poll: Poll): void {
    this.polls.push(poll);
    this.pollById.set(poll.id, poll);
  }

  private poll(name: string, data: Json): void {
    const id = text(data, 'poll');
    const poll = this.pollById.get(id);
    if (name === 'poll.created') {
      this.check('polls', poll ? `poll ${id} is there already` : null);
      if (!poll) this.add(Poll.fromEvent(data));
      return;
    }
    if (!poll) return void this.check('polls', `there is no poll ${id}`);
    const expected = { 'poll.opened': ['ready'], 'poll.closing': ['open'] }[name] ?? [
      'open',
      'closing',
    ];
    const before = poll.state;
    const wrong = expected.includes(before) ? null : `${name} of poll ${id}, which was ${before}`;
    if (name === 'poll.opened' || name === 'poll.closing') {
      poll.state = name === 'poll.opened' ? 'open' : 'closing';
      poll.deadlineMs = int(data, 'deadline_ms');
      this.check('polls', wrong);
    } else if (name === 'poll.closed') {
      poll.state = 'closed';
      this.check('polls', wrong ?? this.compare(poll, data));
      this.anchor(data);
    }
  }

  private compare(poll: Poll, data: Json): string | null {
    const counted = poll.count();
    const stated: Result = {
      counts: list(data, 'counts').map(Number),
      voters: int(data, 'voters'),
      winner: int(data, 'winner'),
      why: text(data, 'why') as Result['why'],
    };
    poll.result = stated;
    const show = (r: Result) =>
      `${r.counts.join(' ')}, ${r.voters} voters, ${r.winner} by ${r.why}`;
    if (show(stated) === show(counted)) return null;
    return `poll ${poll.id}: the result says ${show(stated)}; the recount ${show(counted)}`;
  }

  /** A chain value that was published with a result stands at its place. */
  private anchor(data: Json): void {
    const at = int(data, 'chain_log');
    const chain = text(data, 'chain');
    if (at === 0 && chain === NO_CHAIN) return;
    const found = at >= 1 && at < this.seq && this.chains[at - 1] === chain;
    this.check('anchors', found ? null : `the chain value published with it is not record ${at}'s`);
  }

  private checkDice(): void {
    for (const outcome of this.dice?.check() ?? []) {
      this.line = outcome.line;
      this.seq = outcome.seq;
      this.check('dice', outcome.wrong);
    }
    this.line = this.seq = 0;
  }

  private checkAsked(): void {
    for (const [receipt, found] of this.wanted) {
      this.check('asked', found.seq > 0 ? null : `no ballot has the receipt ${receipt}`);
    }
    for (const { chain, seq } of this.options.chains ?? []) {
      const value = chain.toLowerCase();
      const found = seq ? this.chains[seq - 1] === value : this.chains.includes(value);
      const place = seq ? `record ${seq}` : 'no record';
      const wrong = seq
        ? `${place} has another chain value than ${value}`
        : `${place} has ${value}`;
      this.check('asked', found ? null : wrong);
    }
    if (this.options.commitment !== undefined) {
      const same = this.options.commitment.toLowerCase() === this.commitment;
      this.check('asked', same ? null : `the genesis commits to another seed: ${this.commitment}`);
    }
  }

  private notes(): string[] {
    const notes: string[] = [];
    const rolls = this.dice?.rolls ?? 0;
    if (!this.ended && this.line === 0 && this.header) notes.push('the episode has not ended');
    if (rolls > 0 && !this.dice?.seed) {
      notes.push(`the seed is not revealed yet: ${rolls} rolls cannot be checked`);
    }
    return notes;
  }

  private report(): Report {
    const polls = this.polls.map((poll) => {
      const counted = poll.count();
      return {
        poll: poll.id,
        title: poll.title,
        options: poll.options.map((option) => option.label),
        state: poll.state,
        ...counted,
        ballots: poll.ballots,
        flagged: poll.flagged,
        unflagged: poll.flagged > 0 ? poll.count('left out') : null,
      };
    });
    const receipts = [...this.wanted].map(([receipt, { seq, poll, mask }]) => ({
      receipt,
      seq,
      poll,
      choice: (this.pollById.get(poll)?.options ?? [])
        .filter((_, option) => (mask >>> option) & 1)
        .map((option) => option.label),
      inForce: this.inForce(poll, receipt),
    }));
    const sum = (key: 'passed' | 'failed') =>
      SECTIONS.reduce((total, section) => total + this.sections[section][key], 0);
    return {
      episode: this.header?.episode ?? '',
      title: this.title,
      records: this.records,
      ballots: this.ballots,
      head: { seq: this.chains.length, chain: this.chain },
      ended: this.ended,
      commitment: this.commitment,
      seed: this.dice?.seed ?? null,
      rolls: { total: this.dice?.rolls ?? 0, checked: this.sections.dice.passed },
      polls,
      receipts,
      sections: this.sections,
      problems: this.problems,
      notes: this.notes(),
      passed: sum('passed'),
      failed: sum('failed'),
    };
  }

  private inForce(poll: string, receipt: string): boolean {
    for (const register of this.pollById.get(poll)?.registers.values() ?? []) {
      if (register.receipt === receipt) return true;
    }
    return false;
  }
}

/** Checks a whole export at once. */
export function verify(file: string | Uint8Array, options: Options = {}): Report {
  const verifier = new Verifier(options);
  verifier.push(typeof file === 'string' ? utf8(file) : file);
  return verifier.finish();
}
