import { beforeAll, describe, expect, test } from 'vitest';
import { decodeBallots } from '../src/ballots.ts';
import { fromUtf8, utf8 } from '../src/bytes.ts';
import { reportLines, type Report, type Section } from '../src/report.ts';
import { Verifier, verify } from '../src/verifier.ts';
import { block, build, edited, entriesOf, event, genesis, golden, type Entry } from './files.ts';

const tabletop = golden('tabletop.jsonl');
const small = golden('small.jsonl');

function spliced<T>(list: readonly T[], at: number, remove: number, ...add: T[]): T[] {
  return [...list.slice(0, at), ...add, ...list.slice(at + remove)];
}

function failedSections(report: Report): Section[] {
  return (Object.keys(report.sections) as Section[]).filter(
    (section) => report.sections[section].failed > 0,
  );
}

describe('an export of the server', () => {
  let report: Report;
  beforeAll(() => {
    report = verify(tabletop);
  });

  test('passes every check', () => {
    expect(report.problems).toEqual([]);
    expect(report.failed).toBe(0);
    expect(report.ended).toBe(true);
    expect(report.records).toBe(report.head.seq);
  });

  test('has something to check in every section', () => {
    for (const [section, { passed }] of Object.entries(report.sections)) {
      if (section !== 'asked') expect(passed, section).toBeGreaterThan(0);
    }
    expect(report.rolls.checked).toBe(report.rolls.total + 1); // and the seed itself
    expect(report.polls.filter((poll) => poll.state === 'closed').length).toBe(6);
  });

  test('gives the same report whatever the pieces it comes in', () => {
    for (const size of [1, 7, 4096]) {
      const verifier = new Verifier();
      const buffer = new Uint8Array(size); // used again for each piece
      for (let at = 0; at < tabletop.length; at += size) {
        const piece = tabletop.subarray(at, at + size);
        buffer.set(piece);
        verifier.push(buffer.subarray(0, piece.length));
      }
      expect(verifier.finish()).toEqual(report);
    }
  });

  test('is told in lines of which the last says how much passed and failed', () => {
    const lines = reportLines(report);
    expect(lines.at(-1)).toBe(`${report.passed} passed, 0 failed`);
    expect(lines.some((line) => line.startsWith('poll village-gift: '))).toBe(true);
  });

  test('shows each receipt, its choice, and whether it is in force', () => {
    const text = fromUtf8(tabletop)!;
    const receipts = [...text.matchAll(/"receipt":"([0-9a-f]{32})"/g)].map((found) => found[1]!);
    expect(receipts.length).toBe(report.ballots);
    const asked = verify(tabletop, { receipts });
    expect(asked.sections.asked).toEqual({ passed: receipts.length, failed: 0 });
    const inForce = asked.receipts.filter((receipt) => receipt.inForce);
    const voters = asked.polls.reduce((sum, poll) => sum + poll.voters, 0);
    expect(inForce.filter((receipt) => receipt.choice.length > 0).length).toBe(voters);
    expect(asked.receipts.every((receipt) => receipt.seq > 0 && receipt.poll !== '')).toBe(true);
    const unknown = verify(tabletop, { receipts: ['0'.repeat(32)] });
    expect(failedSections(unknown)).toEqual(['asked']);
  });

  test('is bound to values known from elsewhere', () => {
    const { chain, seq } = report.head;
    expect(verify(tabletop, { chains: [{ chain }, { chain, seq }] }).failed).toBe(0);
    expect(verify(tabletop, { commitment: report.commitment.toUpperCase() }).failed).toBe(0);
    const other = 'ab'.repeat(32);
    const wrong = verify(tabletop, {
      chains: [{ chain: other }, { chain, seq: seq - 1 }],
      commitment: other,
    });
    expect(wrong.sections.asked).toEqual({ passed: 0, failed: 3 });
  });
});

describe('tampering is found', () => {
  const flipped = (file: Uint8Array, at: number, bit: number) => {
    const copy = file.slice();
    copy[at]! ^= 1 << bit;
    return copy;
  };

  test('any byte of a small export', () => {
    expect(verify(small).failed).toBe(0);
    const missed: number[] = [];
    // Every byte of the first and the last kilobyte and every third between, another bit each time.
    for (let at = 0; at < small.length; ++at) {
      if (at > 1000 && at < small.length - 1000 && at % 3 !== 0) continue;
      if (verify(flipped(small, at, at % 8)).failed === 0) missed.push(at);
    }
    expect(missed).toEqual([]);
  });

  test('bytes all over a larger one', () => {
    const missed: number[] = [];
    for (let at = 3; at < tabletop.length; at += 397) {
      if (verify(flipped(tabletop, at, at % 7)).failed === 0) missed.push(at);
    }
    expect(missed).toEqual([]);
  });

  test('lines removed, repeated, swapped, added; the file cut short', () => {
    const lines = fromUtf8(small)!.split('\n').slice(0, -1);
    const join = (changed: string[]) => verify(changed.map((line) => `${line}\n`).join('')).failed;
    expect(join(lines)).toBe(0);
    for (let i = 0; i < lines.length; ++i) {
      expect(join(spliced(lines, i, 1)), `line ${i + 1} removed`).toBeGreaterThan(0);
      expect(join(spliced(lines, i, 0, lines[i]!)), `line ${i + 1} twice`).toBeGreaterThan(0);
      if (i > 0) {
        const swapped = spliced(lines, i - 1, 2, lines[i]!, lines[i - 1]!);
        expect(join(swapped), `line ${i} after its next`).toBeGreaterThan(0);
      }
    }
    for (const cut of [0, 1, 60, 1000, small.length - 1]) {
      expect(verify(small.subarray(0, cut)).failed, `cut at ${cut}`).toBeGreaterThan(0);
    }
    expect(verify(`${fromUtf8(small)}\n`).failed).toBeGreaterThan(0);
  });

  test('another spelling of the same content', () => {
    const text = fromUtf8(small)!;
    for (const [from, to] of [
      ['{"seq":2,', '{"seq": 2,'],
      ['{"seq":2,', '{"seq":02,'],
      ['"kind":"event"', '"kind":"even\\u0074"'],
      ['\n{"seq":3', '\r\n{"seq":3'],
      ['"weight":1', '"weight":1.0'],
    ] as const) {
      expect(text).toContain(from);
      expect(verify(text.replace(from, to)).failed, `${from} as ${to}`).toBeGreaterThan(0);
    }
  });
});

// Whoever rewrites the file can make chain, receipts and checksum fit again. What follows from what
// cannot be made to fit, and neither can the values that were published.
describe('a forger who makes every hash fit', () => {
  const entries = entriesOf(small);
  const after = (changed: Entry[]) => verify(build(changed));

  test('is no forger when nothing is changed', () => {
    expect(build(entries)).toBe(fromUtf8(small));
  });

  test('may have captions in it', () => {
    const said = event('caption.said', {
      ...{ n: 1, lang: 'en', text: 'Ring it.\nOr not.', at_ms: 1900, for_ms: 2200 },
    });
    const entries = entriesOf(small);
    const report = verify(utf8(build(spliced(entries, entries.length, 0, said))));
    expect(report.problems).toEqual([]);
    expect(report.records).toBe(entries.length + 1);
  });

  test('cannot change a result', () => {
    const counts = after(edited(entries, 'poll.closed', (e) => (e.d.counts = [3, 0])));
    expect(failedSections(counts)).toContain('polls');
    const winner = after(edited(entries, 'poll.closed', (e) => (e.d.winner = 0)));
    expect(failedSections(winner)).toContain('polls');
    const why = after(edited(entries, 'poll.closed', (e) => (e.d.why = 'tie_break')));
    expect(failedSections(why)).toContain('polls');
    const voters = after(edited(entries, 'poll.closed', (e) => ++e.d.voters));
    expect(failedSections(voters)).toContain('polls');
  });

  test('cannot add, leave out or weigh up a ballot', () => {
    const at = entries.findIndex((entry) => entry.kind === 'ballots');
    expect(failedSections(after(spliced(entries, at, 1)))).toContain('polls');
    const more = spliced(entries, at, 0, block([{ who: 'abc', mask: 1 }]));
    expect(failedSections(after(more))).toContain('polls');
    const heavy = entries.map((entry, i) => {
      if (i !== at) return entry;
      const payload = entry.payload.slice();
      // version, count 1, base 8, who 8, cid 8, then five one-byte numbers before the weight
      expect(payload[26 + 4]).toBe(1);
      payload[26 + 4] = 9;
      return { ...entry, payload };
    });
    expect(failedSections(after(heavy))).toEqual(expect.arrayContaining(['ballots', 'polls']));
  });

  test('cannot change a roll, its expression, its nonce or the seed', () => {
    for (const edit of [
      (e: any) => (e.d.total += 1),
      (e: any) => (e.d.dice[0].value = (e.d.dice[0].value % 4) + 1),
      (e: any) => (e.d.nonce = '0123456789abcdef0123456789abcdef'),
      (e: any) => (e.d.expr = '1d20+99'),
      (e: any) => (e.d.expr = '1d20+'),
      (e: any) => (e.d.crit = e.d.crit === 'hit' ? '' : 'hit'),
      (e: any) => (e.d.natural = 21),
      (e: any) => (e.d.capped = true),
      (e: any) => (e.d.hash = 'ab'.repeat(32)),
      (e: any) => (e.d.n += 1),
      (e: any) => delete e.d.dialect,
    ]) {
      expect(failedSections(after(edited(entries, 'dice.rolled', edit)))).toContain('dice');
    }
    const seed = edited(entries, 'episode.ended', (e) => (e.d.seed = 'ab'.repeat(32)));
    expect(failedSections(after(seed))).toContain('dice');
    const committed = edited(entries, 'genesis', (e) => (e.seed_commit = 'ab'.repeat(32)));
    expect(failedSections(after(committed))).toContain('dice');
  });

  test('cannot change hit points or the story', () => {
    const hp = after(edited(entries, 'char.hp', (e) => (e.d.hp_before = 4)));
    expect(failedSections(hp)).toContain('cast');
    const scene = after(edited(entries, 'scene.entered', (e) => (e.d.scene = 'b')));
    expect(failedSections(scene)).toContain('story');
  });

  test('cannot change anything before a published chain value', () => {
    const renamed = after(edited(entries, 'genesis', (e) => (e.definition.title = 'Another')));
    expect(failedSections(renamed)).toEqual(['anchors']);
  });
});

describe('polls', () => {
  const poll = { title: 'P', options: ['a', 'b', 'c'] };
  const count = (definition: object, ballots: Entry[], result: object) => {
    const closed = { poll: 'p', counts: [], voters: 0, winner: -1, why: 'votes' };
    return verify(
      build([
        genesis({ title: 'T', polls: { p: { ...poll, ...definition } } }),
        event('poll.opened', { poll: 'p', deadline_ms: 3000 }),
        ...ballots,
        event('poll.closing', { poll: 'p', deadline_ms: 3000 }),
        event('poll.closed', { ...closed, ...result, chain: '0'.repeat(64), chain_log: 0 }),
      ]),
    );
  };
  const votes = (...masks: number[]) => [
    block(masks.map((mask, i) => ({ who: (i + 1).toString(16), mask }))),
  ];

  test('the latest ballot of each voter counts, by n, edge time and edge', () => {
    const ballots = [
      block([
        { who: 'a', mask: 1, n: 1 },
        { who: 'b', mask: 1, n: 1 },
        { who: 'a', mask: 2, n: 2 },
        { who: 'b', mask: 2, n: 1, edgeMs: 2500 },
        { who: 'b', mask: 4, n: 1, edgeMs: 2500, edge: 1 },
        { who: 'c', mask: 1, n: 1 },
        { who: 'c', mask: 0, n: 2 },
      ]),
    ];
    const result = { counts: [0, 1, 1], voters: 2, winner: 1, why: 'tie_break' };
    expect(count({}, ballots, result).problems).toEqual([]);
  });

  test.each([
    ['came into force twice', {}, [{ who: 'a' }, { who: 'a' }]],
    ['is older than the one in force', {}, [{ who: 'a', n: 2 }, { who: 'a' }]],
    ['names an unknown option', {}, [{ who: 'a', mask: 8 }]],
    ['names two options of a single choice', {}, [{ who: 'a', mask: 3 }]],
    ['names too many', { kind: 'multiple', max: 2 }, [{ who: 'a', mask: 7 }]],
    ['has a weight of no role', { weights: { player: 5 } }, [{ who: 'a', weight: 2 }]],
    ['weighs nothing', {}, [{ who: 'a', weight: 0 }]],
    ['came after the deadline', {}, [{ who: 'a', edgeMs: 3001 }]],
    ['changes what is final', { changeable: false }, [{ who: 'a' }, { who: 'a', n: 2 }]],
    ['is for no poll', {}, [{ who: 'a', poll: 1 }]],
    ['has the change number 0', {}, [{ who: 'a', n: 0 }]],
  ])('a ballot that %s is found', (_, definition, ballots) => {
    expect(failedSections(count(definition, [block(ballots)], {}))).toContain('ballots');
  });

  test.each([
    [{}, votes(1, 1, 2), { counts: [2, 1, 0], voters: 3, winner: 0, why: 'votes' }],
    [{}, votes(2, 1), { counts: [1, 1, 0], voters: 2, winner: 0, why: 'tie_break' }],
    [
      { tie_break: 'default', default: 2 },
      votes(2, 1),
      { counts: [1, 1, 0], voters: 2, winner: 2, why: 'tie_break' },
    ],
    [
      { tie_break: 'none' },
      votes(2, 1),
      { counts: [1, 1, 0], voters: 2, winner: -1, why: 'tie_break' },
    ],
    [
      { quorum: 3, default: 1 },
      votes(1, 1),
      { counts: [2, 0, 0], voters: 2, winner: 1, why: 'no_quorum' },
    ],
    [{}, [], { counts: [0, 0, 0], voters: 0, winner: -1, why: 'default' }],
    [{ default: 2 }, [], { counts: [0, 0, 0], voters: 0, winner: 2, why: 'default' }],
    [
      { kind: 'multiple' },
      votes(7, 5),
      { counts: [2, 1, 2], voters: 2, winner: 0, why: 'tie_break' },
    ],
    [
      { weights: { player: 10 } },
      [block([{ who: 'a', weight: 10, mask: 2 }, { who: 'b' }, { who: 'c' }])],
      { counts: [2, 10, 0], voters: 3, winner: 1, why: 'votes' },
    ],
  ])('the result by the rules: %o', (definition, ballots, result) => {
    expect(count(definition, ballots, result).problems).toEqual([]);
    const wrong = { ...result, winner: result.winner === 0 ? 1 : 0 };
    expect(failedSections(count(definition, ballots, wrong))).toEqual(['polls']);
  });

  test('flagged ballots can be left out', () => {
    const ballots = [
      block([
        { who: 'a', mask: 1 },
        { who: 'b', mask: 2, flags: 1 },
        { who: 'c', mask: 2, flags: 1 },
      ]),
    ];
    const report = count({}, ballots, { counts: [1, 2, 0], voters: 3, winner: 1 });
    expect(report.failed).toBe(0);
    expect(report.polls[0]).toMatchObject({ flagged: 2, unflagged: { counts: [1, 0, 0] } });
  });

  test('polls are numbered in the order of the file, also where ids are numbers', () => {
    const definition =
      '{"title":"T","polls":{"10":{"title":"ten","options":["a","b"]},' +
      '"9":{"title":"nine","options":["a","b","c"]}}}';
    const source =
      `{"v":1,"episode":"small","created_ms":1,"seed_commit":"${'0'.repeat(64)}",` +
      `"definition":${definition}}`;
    const first: Entry = { kind: 'genesis', atMs: 1, payload: utf8(source) };
    expect(verify(build([first])).polls.map((poll) => poll.poll)).toEqual(['10', '9']);
  });
});

describe('an episode that is still running', () => {
  test('passes, and says that the seed is not revealed', () => {
    const running = entriesOf(small).slice(0, -1);
    const report = verify(build(running));
    expect(report.problems).toEqual([]);
    expect(report.ended).toBe(false);
    expect(report.notes.join()).toContain('the seed is not revealed yet');
    expect(report.sections.dice).toEqual({ passed: 0, failed: 0 });
  });
});

describe('numbers of a block', () => {
  const withEventNumber = (bytes: number[]) => {
    const [head, tail] = [block([{}]).payload.slice(0, 26), block([{}]).payload.slice(27)];
    return decodeBallots(Uint8Array.from([...head, ...bytes, ...tail]))[0]!.i;
  };

  test('are read at every length', () => {
    for (let bits = 0n; bits <= 64n; ++bits) {
      for (const value of [1n << bits, (1n << bits) - 1n]) {
        if (value >> 64n !== 0n) continue;
        const bytes: number[] = [];
        let left = value;
        for (; left > 127n; left >>= 7n) bytes.push(Number(left & 127n) + 128);
        expect(withEventNumber([...bytes, Number(left)])).toBe(value);
      }
    }
  });

  test('are refused above 64 bits and in a longer form', () => {
    const long = Array<number>(9).fill(0xff);
    expect(() => withEventNumber([...long, 2])).toThrow('too large');
    expect(() => withEventNumber([...long, 0xff, 1])).toThrow('too long');
    for (let length = 1; length < 10; ++length) {
      const padded = [...Array<number>(length).fill(0x80), 0];
      expect(() => withEventNumber(padded), `${length}`).toThrow('shortest');
    }
  });
});

describe('files that are no export', () => {
  const one = (payload: string) =>
    build([{ kind: 'genesis', atMs: 1, payload: utf8(payload) }].map((entry) => entry as Entry));

  test.each([
    ['nothing', ''],
    ['text', 'hello\n'],
    ['JSON', '{"a":1}\n'],
    ['a genesis of another shape', one('{"v":1}')],
    [
      'a genesis whose polls are a list',
      one('{"episode":"small","definition":{"title":"T","polls":[]},"seed_commit":""}'),
    ],
    ['deep JSON', one(`{"x":${'['.repeat(100)}${']'.repeat(100)}}`)],
    ['a key twice', one('{"episode":"small","episode":"b"}')],
  ])('%s fails with a sentence', (_, file) => {
    const report = verify(file);
    expect(report.failed).toBeGreaterThan(0);
    expect(report.problems.every((problem) => problem.message !== '')).toBe(true);
  });

  test.each([
    ['an unknown version', [2, 1, 0, 0, 0, 0, 0, 0, 0, 0]],
    ['no ballots', [1, 0, 0, 0, 0, 0, 0, 0, 0, 0]],
    ['too few bytes', [1, 1, 0, 0, 0]],
    ['a number that is not in its shortest form', [1, 0x81, 0x00, 0, 0, 0, 0, 0, 0, 0, 0]],
    [
      'a number without end',
      [1, 1, 0, 0, 0, 0, 0, 0, 0, 0, ...Array<number>(16).fill(0), ...Array<number>(12).fill(0x80)],
    ],
    ['bytes behind the last ballot', [...block([{}]).payload, 0]],
  ])('a block of ballots with %s is refused', (_, bytes) => {
    const whole = build([genesis({ title: 'T' }), block([{}])]);
    const report = verify(
      whole.replace(
        /"payload":"AQ[^"]*"/,
        `"payload":"${Buffer.from(bytes).toString('base64url')}"`,
      ),
    );
    expect(report.problems.some((problem) => problem.message.includes('block of ballots'))).toBe(
      true,
    );
  });
});
