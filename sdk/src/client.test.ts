import { describe, expect, test, vi } from 'vitest';
import { FakeServer, type FakeClaims, type FakeServerOptions } from './fake/index.ts';
import {
  Codes,
  createClient,
  type ClientOptions,
  type EventStatus,
  type FootlightClient,
  type LatencyClass,
  type OwnBallot,
} from './index.ts';
import { memoryStorage } from './platform.ts';
import type { WireEvent } from './wire.ts';

const EPISODE = {
  polls: {
    fork: { options: ['left', 'right'] },
    later: { options: ['a', 'b'], state: 'ready' as const },
    fixed: { options: ['a', 'b'], changeable: false },
  },
  characters: { aria: { name: 'Aria' } },
  scenes: {
    inn: { title: 'Inn', choices: [{ id: 'go', label: 'Go', to: 'road' }] },
    road: { title: 'Road' },
  },
};

function world(options: FakeServerOptions = {}): FakeServer {
  return new FakeServer({ episode: EPISODE, ...options });
}
async function joined(
  server: FakeServer,
  claims: FakeClaims = { sub: 'ann' },
  more: ClientOptions = {},
): Promise<FootlightClient> {
  const client = createClient(server.options(claims, more));
  client.connect();
  await server.clock.until(() => client.state.get().name === 'live');
  return client;
}
/** Another device of the same account: other storage. */
const device = (): ClientOptions => ({ storage: memoryStorage() });

describe('a vote', () => {
  test('is pending at once, then confirmed with its receipt, and the tally holds it', async () => {
    const server = world();
    const client = await joined(server);
    const seen: (OwnBallot | undefined)[] = [];
    client.ballot('fork').subscribe((ballot) => seen.push(ballot));
    const sent = client.vote('fork', [1]);
    expect(seen.at(-1)).toEqual({ choice: [1], n: 1, status: 'pending' });
    await server.advance(200);
    const receipt = await sent.confirmed;
    expect(seen.at(-1)).toEqual({ choice: [1], n: 1, status: 'confirmed', receipt });
    expect(client.receipts.get().get('fork')).toEqual({
      ...{ poll: 'fork', choice: [1], n: 1 },
      ...receipt,
    });
    expect(client.tally('fork').get()).toMatchObject({ counts: [0, 1], voters: 1 });
  });

  test('changed shows the newest click, whatever comes of the older one when', async () => {
    const server = world();
    const client = await joined(server);
    const statuses: string[] = [];
    client.vote('fork', [0]);
    client.ballot('fork').subscribe((b) => statuses.push(`${b?.choice} ${b?.status}`));
    await server.advance(12);
    client.vote('fork', [1]);
    await server.advance(300);
    expect(statuses.slice(statuses.indexOf('1 pending'))).not.toContain('0 confirmed');
    expect(client.ballot('fork').get()).toMatchObject({ choice: [1], n: 2, status: 'confirmed' });
    expect(client.tally('fork').get()).toMatchObject({ counts: [0, 1], voters: 1 });
    const withdrawn = client.vote('fork', []);
    await server.advance(300);
    expect(withdrawn.args.n).toBe(3);
    expect(client.tally('fork').get()).toMatchObject({ counts: [0, 0], voters: 0 });
  });

  test('refused is shown with the reason', async () => {
    const server = world();
    const client = await joined(server);
    client.vote('fixed', [0]);
    await server.advance(100);
    client.vote('fixed', [1]);
    await server.advance(100);
    expect(client.ballot('fixed').get()).toMatchObject({
      status: 'rejected',
      problem: { code: Codes.VoteFinal },
    });
    expect(client.receipts.get().get('fixed')).toMatchObject({ choice: [0] });
  });

  test('made offline goes out with a number above what another device has reached', async () => {
    const server = world();
    const phone = await joined(server, { sub: 'ann' }, device());
    for (const choice of [0, 1, 0]) {
      phone.vote('fork', [choice]);
      await server.advance(50);
    }
    const desk = createClient(server.options({ sub: 'ann' }, device()));
    const first = desk.vote('fork', [0]);
    const second = desk.vote('fork', [1]);
    expect([first.args.n, second.args.n]).toEqual([1, 2]);
    desk.connect();
    await server.clock.until(() => second.status.get().state === 'confirmed');
    expect([first.args.n, second.args.n]).toEqual([4, 5]);
    expect(desk.ballot('fork').get()).toMatchObject({ choice: [1], n: 5, status: 'confirmed' });
  });

  test('just clicked counts, though another device of the account was ahead', async () => {
    const server = world();
    const phone = await joined(server, { sub: 'ann' }, device());
    const desk = await joined(server, { sub: 'ann' }, device());
    for (let k = 0; k < 6; ++k) phone.vote('fork', [0]);
    await server.advance(100);
    const sent = desk.vote('fork', [1]);
    await server.advance(500);
    expect(sent.status.get().state).toBe('confirmed');
    expect(desk.tally('fork').get()).toMatchObject({ counts: [0, 1], voters: 1 });
    const events = server.applied.filter((event) => event.k === 'poll.vote');
    expect(new Set(events.map((event) => (event as WireEvent<'poll.vote'>).a.n)).size).toBe(7);
  });

  test('that is old gives way to the other device', async () => {
    const server = world();
    const phone = await joined(server, { sub: 'ann' }, device());
    const desk = await joined(server, { sub: 'ann' }, device());
    server.refusals.push({ code: Codes.RateVoter, retry_after_ms: 8000 });
    const sent = desk.vote('fork', [1]);
    await server.advance(100);
    phone.vote('fork', [0]);
    phone.vote('fork', [0]);
    await server.advance(9000);
    expect(sent.status.get()).toMatchObject({ state: 'rejected', code: Codes.VoteSuperseded });
    expect(phone.tally('fork').get()).toMatchObject({ counts: [1, 0] });
  });

  test('of before is known after a reload elsewhere, from the welcome', async () => {
    const server = world();
    const phone = await joined(server, { sub: 'ann' }, device());
    phone.vote('fork', [1]);
    await server.advance(100);
    const desk = await joined(server, { sub: 'ann' }, device());
    expect(desk.ballot('fork').get()).toMatchObject({ choice: [1], n: 1, status: 'confirmed' });
    expect(desk.receipts.get().get('fork')?.hash).toMatch(/^[0-9a-f]{32}$/);
  });
});

describe('commands', () => {
  test('each helper sends the command of its name, and only the arguments given', async () => {
    const server = world();
    const client = await joined(server, { sub: 'gm', role: 'producer' });
    const made: [string, object][] = [];
    const note = (sent: { kind: string; args: object }): void =>
      void made.push([sent.kind, sent.args]);
    note(client.chat('hi'));
    note(client.caption('Ring it.', 'en', { for_ms: 900 }));
    note(client.takeBackCaption(1));
    note(client.roll('1d20', { nonce: 'ab'.repeat(8) }));
    note(client.char.hp('aria', { delta: -3 }));
    note(client.char.hp('aria', { set: 5 }, 2));
    note(client.char.hp('aria', { temp: 4 }));
    note(client.char.item('aria', 'rope', 1));
    note(client.char.cond('aria', 'down', true));
    note(client.char.field('aria', 'gold', 12));
    note(client.poll.open('later'));
    note(client.poll.close('later'));
    note(client.poll.create('new', { title: 'T', options: ['x', 'y'] }));
    note(client.scene('inn'));
    note(client.story('go'));
    note(client.timer.start('t', 60));
    note(client.timer.stop('t'));
    note(client.mod.mute('00ff00ff00ff00ff', 60));
    note(client.mod.unmute('00ff00ff00ff00ff'));
    note(client.mod.deleteChat('1'));
    note(client.mod.slow(5));
    note(client.slate(true, 'Back soon'));
    note(client.start());
    note(client.end());
    expect(made).toEqual([
      ['chat.say', { text: 'hi' }],
      ['caption.say', { text: 'Ring it.', lang: 'en', for_ms: 900 }],
      ['caption.take_back', { caption: '1' }],
      ['dice.roll', { expr: '1d20', nonce: 'abababababababab' }],
      ['char.hp', { char: 'aria', delta: -3 }],
      ['char.hp', { char: 'aria', set: 5, ver: 2 }],
      ['char.hp', { char: 'aria', temp: 4 }],
      ['char.item', { char: 'aria', item: 'rope', delta: 1 }],
      ['char.cond', { char: 'aria', cond: 'down', on: true }],
      ['char.field', { char: 'aria', field: 'gold', value: 12 }],
      ['poll.open', { poll: 'later' }],
      ['poll.close', { poll: 'later' }],
      ['poll.create', { poll: 'new', title: 'T', options: ['x', 'y'] }],
      ['scene.go', { scene: 'inn' }],
      ['story.choose', { choice: 'go' }],
      ['timer.start', { id: 't', seconds: 60 }],
      ['timer.stop', { id: 't' }],
      ['mod.mute', { who: '00ff00ff00ff00ff', seconds: 60 }],
      ['mod.mute', { who: '00ff00ff00ff00ff', seconds: 0 }],
      ['chat.delete', { chat: '1' }],
      ['chat.slow', { seconds: 5 }],
      ['slate', { on: true, text: 'Back soon' }],
      ['episode.start', {}],
      ['episode.end', {}],
    ]);
    await server.advance(200);
    expect(server.applied).toHaveLength(24);
    expect(client.view.episode.get()).toMatchObject({ state: 'ended', scene: 'road', slow_s: 5 });
  });

  test('a nonce is 32 hex digits and new each time', async () => {
    const server = world();
    const client = await joined(server, { sub: 'gm', role: 'gm' });
    const nonces = Array.from({ length: 50 }, () => client.roll('1d6').args.nonce);
    for (const nonce of nonces) expect(nonce).toMatch(/^[0-9a-f]{32}$/);
    expect(new Set(nonces).size).toBe(50);
  });

  test('each event has a traceparent of its own', async () => {
    const server = world();
    const client = await joined(server);
    client.chat('a');
    client.chat('b');
    client.emote('heart');
    await server.advance(50);
    const events = (server.history[0]?.received ?? []).flatMap((m) => (m.t === 'ev' ? m.e : []));
    expect(new Set(events.map((event) => event.tp)).size).toBe(3);
  });
});

describe('reactions', () => {
  test('are summed in a moment, and dropped when the server sheds load or is away', async () => {
    const server = world();
    const client = createClient(server.options({ sub: 'ann' }));
    expect(client.emote('heart')).toBe(false);
    client.connect();
    await server.clock.until(() => client.state.get().name === 'live');
    for (let k = 0; k < 12; ++k) client.emote('heart');
    await server.advance(400);
    expect(client.emotes.get()).toEqual({ heart: 10 });
    server.setMode({ mode: 'degraded', code: 4206, message: '' });
    await server.advance(20);
    expect(client.mode.get().mode).toBe('degraded');
    expect(client.emote('heart')).toBe(false);
    server.disconnect();
    await server.advance(10);
    expect(client.emote('heart')).toBe(false);
  });
});

describe('measures', () => {
  test('every class is measured from the click, and reported with the next ping', async () => {
    const server = world({ latencyMs: 10, commitMs: 20 });
    const client = await joined(server, { sub: 'gm', role: 'gm' });
    const seen = new Map<LatencyClass, number>();
    let shown = 0;
    client.latencies.subscribe(({ command }) => (shown = command?.last ?? 0));
    client.on('latency', ({ of, ms }) => {
      if (!seen.has(of)) seen.set(of, ms);
    });
    await server.advance(1500);
    seen.clear();
    client.vote('fork', [0]);
    client.roll('1d20');
    client.emote('heart');
    await server.advance(1000);
    expect(seen.get('command')).toBe(40);
    expect(shown).toBe(40);
    expect(seen.get('vote')).toBe(120);
    expect(seen.get('reaction')).toBe(270);
    expect(seen.get('delta')).toBe(10);
    await server.advance(10_000);
    const report = (server.history[0]?.received ?? []).flatMap((m) => (m.t === 'lat' ? m.m : []));
    expect(report).toEqual(
      expect.arrayContaining([
        ...[
          ['vote', 120],
          ['command', 40],
          ['reaction', 270],
          ['delta', 10],
          ['rtt', 20],
        ],
      ]),
    );
    expect(client.latencies.get().command).toMatchObject({ n: 1, p50: 40, max: 40 });
  });

  test('what a resume catches up with is not counted as late', async () => {
    const server = world();
    const client = await joined(server);
    await server.advance(6000);
    const ms: number[] = [];
    client.on('latency', (one) => void (one.of === 'delta' && ms.push(one.ms)));
    server.disconnect();
    server.patch([['timers', 't', { label: 'x' }]]);
    await server.advance(2000);
    expect(client.view.get('timers', 't')).toBeDefined();
    expect(ms).toEqual([]);
  });

  test('what was clicked while offline is not measured', async () => {
    const server = world();
    const client = createClient(server.options({ sub: 'ann' }));
    const classes: string[] = [];
    client.on('latency', ({ of }) => classes.push(of));
    client.chat('early');
    client.vote('fork', [0]);
    await server.advance(5000);
    client.connect();
    await server.advance(1000);
    expect(server.applied).toHaveLength(2);
    expect(classes).not.toContain('command');
    expect(classes).not.toContain('vote');
    expect(classes).toContain('rtt');
  });

  test('server time is known within half a round trip, whatever the local clock says', async () => {
    const server = world({ latencyMs: 25 });
    const clock = server.clock.fork(-3_600_000);
    const client = await joined(server, { sub: 'ann' }, { clock });
    await server.advance(2000);
    expect(Math.abs(client.serverNow() - server.clock.wall())).toBeLessThanOrEqual(25);
    expect(client.clock.get()).toMatchObject({ rttMs: 50, samples: 4 });
    expect(Math.abs((client.clock.get()?.offsetMs ?? 0) - 3_600_000)).toBeLessThanOrEqual(25);
  });
});

test('presence, slo and errors reach whoever listens', async () => {
  const server = world();
  const client = await joined(server);
  const problems: number[] = [];
  client.on('problem', ({ code }) => problems.push(code));
  server.tell({ t: 'presence', audience: 7, edges: [['edge-0', 7]] });
  server.tell({ t: 'error', code: 4005, message: 'x' });
  server.tell({
    ...{ t: 'slo', m: [], rates: { events_per_s: 1, ballots_per_s: 2, deliveries_per_s: 3 } },
    ...{ log: { seq: 4, commit_p50_us: 5, commit_p99_us: 6 }, edges: [] },
    watching: { none: 1, rtc: 2, llhls: 3, hls: 0, audio: 0 },
  });
  await server.advance(20);
  expect(client.presence.get()).toEqual({ audience: 7, edges: [['edge-0', 7]] });
  expect(client.slo.get()?.rates.ballots_per_s).toBe(2);
  expect(problems).toEqual([4005]);
});

test('an old tally after a new one changes nothing', async () => {
  const server = world();
  const client = await joined(server);
  client.vote('fork', [0]);
  await server.advance(300);
  const now = client.tally('fork').get();
  server.tell({
    ...{ t: 'tally', poll: 'fork', ver: 1, log: 1, counts: [9, 9], voters: 18 },
    ...{ state: 'open', final: false },
  });
  await server.advance(20);
  expect(client.tally('fork').get()).toBe(now);
});

test('a page’s subscriber that throws does not stop the protocol', async () => {
  const server = world();
  const client = await joined(server);
  const report = vi.spyOn(console, 'error').mockImplementation(() => {});
  const stop = client.view.collection('chat').subscribe(() => {
    throw new Error('page bug');
  });
  client.on('delta', () => {
    throw new Error('page bug');
  });
  const statuses: EventStatus['state'][] = [];
  const sent = client.chat('x');
  sent.status.subscribe(({ state }) => statuses.push(state));
  await server.advance(100);
  expect(report).toHaveBeenCalledTimes(3);
  report.mockRestore();
  stop();
  expect(statuses.at(-1)).toBe('confirmed');
  expect(client.view.collection('chat').get().size).toBe(1);
});

test('the state and the view are what a Svelte store is', async () => {
  const server = world();
  const client = await joined(server);
  for (const store of [client.state, client.view.episode, client.outbox, client.ballot('fork')]) {
    let calls = 0;
    const end = (store.subscribe as (run: () => void) => unknown)(() => ++calls);
    expect(calls).toBe(1);
    expect(end).toBeTypeOf('function');
    (end as () => void)();
  }
});
