import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Client, ClientEvents, Poll, Sent, Slo } from '@footlight/client';
import { Show } from '../src/lib/show.svelte';

/** A store by hand: the SDK's contract of `Readable`. */
function store<T>(value: T) {
  const runs = new Set<(value: T) => void>();
  return {
    get: () => value,
    set(next: T) {
      value = next;
      for (const run of runs) run(next);
    },
    subscribe(run: (value: T) => void) {
      runs.add(run);
      run(value);
      return () => void runs.delete(run);
    },
  };
}

const poll = (change: Partial<Poll> = {}): Poll => ({
  title: 'Which door?',
  options: ['Left', 'Right'],
  kind: 'single',
  max: 1,
  state: 'open',
  hidden: false,
  changeable: true,
  quorum: 0,
  opened_ms: 0,
  deadline_ms: 0,
  allowance_ms: 3_000,
  weights: {},
  result: null,
  ...change,
});

function stub() {
  const polls = store<ReadonlyMap<string, Poll>>(new Map());
  const empty = store<ReadonlyMap<string, never>>(new Map<string, never>());
  const tallies = store<ReadonlyMap<string, unknown>>(new Map());
  const handlers = new Map<string, (value: never) => void>();
  const client = {
    serverNow: () => 5000,
    state: store({ name: 'idle' }),
    session: store(null),
    me: store(null),
    slo: store(null),
    clock: store(null),
    mode: store({ mode: 'live', code: 0, message: '' }),
    presence: store({ audience: 0, edges: [] }),
    tallies,
    receipts: store(new Map()),
    latencies: store({}),
    outbox: store([]),
    ballot: () => store(undefined),
    view: { collection: (name: string) => (name === 'polls' ? polls : empty) },
    on(event: string, run: (value: never) => void) {
      handlers.set(event, run);
      return () => handlers.delete(event);
    },
  } as unknown as Client;
  const emit = <E extends keyof ClientEvents>(event: E, value: ClientEvents[E]) =>
    handlers.get(event)?.(value as never);
  return { client, polls, tallies, emit, handlers };
}

describe('the show', () => {
  let it_: ReturnType<typeof stub>;
  let show: Show;
  let stop: () => void;
  beforeEach(() => {
    vi.useFakeTimers();
    it_ = stub();
    show = new Show(it_.client);
    stop = show.start();
  });

  afterEach(() => {
    stop();
    vi.clearAllTimers();
    vi.useRealTimers();
  });

  it('announces the opening and the result of a poll once each', () => {
    it_.polls.set(new Map([['fork', poll()]]));
    expect(show.announcement).toBe('Poll open: Which door?. Options: Left, Right.');
    show.announce('');
    it_.polls.set(new Map([['fork', poll({ max: 1 })]]));
    expect(show.announcement).toBe('');
    const result = {
      counts: [1, 3],
      voters: 4,
      late: 0,
      winner: 1,
      why: 'votes',
      log: 9,
      chain: '',
    } as const;
    it_.polls.set(
      new Map([['fork', poll({ state: 'closed', result: { ...result, counts: [1, 3] } })]]),
    );
    expect(show.announcement).toBe('Poll closed: Which door?. Result: Right.');
  });
  it('announces with the picture where there is one, and nothing twice', () => {
    it_.polls.set(new Map([['fork', poll()]]));
    show.announce('');
    const seen = store<ReadonlyMap<string, Poll>>(new Map([['fork', poll()]]));
    show.announce_polls(seen);
    expect(show.announcement).toBe('');
    it_.polls.set(new Map([['wax', poll({ title: 'Wax?' })]]));
    expect(show.announcement).toBe('');
    seen.set(new Map([['wax', poll({ title: 'Wax?' })]]));
    expect(show.announcement).toBe('Poll open: Wax?. Options: Left, Right.');
  });
  it('does not announce polls that had closed before one came', () => {
    it_.polls.set(new Map([['old', poll({ state: 'closed' })]]));
    expect(show.announcement).toBe('');
  });
  it('counts by the final result, else by the running tally, else not at all', () => {
    it_.polls.set(new Map([['fork', poll()]]));
    expect(show.counts('fork')).toBeNull();
    it_.tallies.set(new Map([['fork', { counts: [1, 0], voters: 1, final: false }]]));
    expect(show.counts('fork')).toMatchObject({ counts: [1, 0], final: false });
    const result = {
      counts: [1, 3],
      voters: 4,
      late: 0,
      winner: 1,
      why: 'votes' as const,
      log: 9,
      chain: '',
    };
    it_.polls.set(new Map([['fork', poll({ state: 'closed', result })]]));
    expect(show.counts('fork')).toEqual({ counts: [1, 3], voters: 4, final: true });
  });
  it('tells of a refusal, not of a client that was closed', async () => {
    const sent = (code: number) => {
      const confirmed = Promise.reject({ code, message: 'No.' });
      return { kind: 'chat.say', args: {}, confirmed } as unknown as Sent;
    };
    show.watch(sent(0));
    show.watch(sent(4500));
    await vi.advanceTimersByTimeAsync(0);
    expect(show.notices.map((notice) => notice.text)).toEqual([
      'Your message was not sent: No. (4500)',
    ]);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(show.notices).toEqual([]);
  });
  it('keeps few notices and points however many come', () => {
    for (let n = 0; n < 400; n++) {
      show.notify('bad', String(n));
      it_.emit('slo', {
        m: [{ class: 'vote', budget_ms: 250, n: 1, p50: n, p99: n, max: n, holds: true }],
      } as unknown as Slo);
    }
    expect(show.notices.map((notice) => notice.text)).toEqual(['396', '397', '398', '399']);
    expect(show.slo_points.length).toBe(300);
    expect(show.slo_points.at(-1)?.p99['vote']).toBe(399);
  });
  it('leaves out of the plots what was not measured in that second', () => {
    it_.emit('slo', {
      m: [{ class: 'vote', budget_ms: 250, n: 0, p50: 0, p99: 0, max: 0, holds: true }],
    } as unknown as Slo);
    expect(show.slo_points.at(-1)?.p50).toEqual({});
  });
  it('ends every subscription and its clock', () => {
    stop();
    expect(it_.handlers.size).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });
});
