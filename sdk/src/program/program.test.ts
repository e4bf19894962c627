import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Value } from '../readable.ts';
import type { Client } from '../types.ts';
import type { Caption, Poll, WatchMode } from '../wire.ts';
import { HlsPlayer, type HlsJsClass } from './hls_player.ts';
import type { Health } from './ladder.ts';
import { Program } from './program.ts';
import type { RtcWay } from './rtc.ts';

const NOW = 1_764_000_000_000;

/** As much of a video element as is looked at. */
class FakeVideo {
  currentTime = 0;
  readyState = 4;
  paused = false;
  play = (): Promise<void> => Promise.resolve();
  tick(ms: number): void {
    this.currentTime += ms / 1000;
  }
}

class FakeHls {
  static all: FakeHls[] = [];
  static isSupported = (): boolean => true;
  source = '';
  destroyed = false;
  playingDate: Date | null = null;
  latency = 2;
  targetLatency: number | null = 1.6;
  liveSyncPosition = 1;
  levels = [{ height: 720, bitrate: 2_500_000 }];
  audioTracks = [{ url: 'sound.m3u8' }];
  autoLevelEnabled = true;
  nextLevel = -1;
  currentLevel = 0;
  latestLevelDetails: {
    live: boolean;
    partTarget?: number;
    type?: string;
    dateRanges: Record<string, unknown>;
    fragments?: { start: number; duration: number; programDateTime: number | null }[];
  } | null = null;
  readonly #heard = new Map<string, (...args: unknown[]) => void>();
  readonly config: Record<string, unknown>;
  constructor(config: Record<string, unknown>) {
    this.config = config;
    FakeHls.all.push(this);
  }
  loadSource(url: string): void {
    this.source = url;
  }
  attachMedia(): void {}
  destroy(): void {
    this.destroyed = true;
  }
  on(event: string, run: (...args: unknown[]) => void): void {
    this.#heard.set(event, run);
  }
  /** The whole show: ten seconds, a break of a minute, ten more. */
  record(): void {
    this.latestLevelDetails = {
      live: false,
      type: 'VOD',
      dateRanges: {},
      fragments: [
        { start: 0, duration: 10, programDateTime: NOW - 500_000 },
        { start: 10, duration: 10, programDateTime: NOW - 430_000 },
      ],
    };
    this.playingDate = new Date(NOW - 500_000);
    this.#heard.get('hlsLevelLoaded')?.();
  }
  stall(): void {
    this.#heard.get('hlsError')?.('hlsError', { details: 'bufferStalledError' });
  }
  startLoad(): void {}
  recoverMediaError(): void {}
  /** The picture of `shown_ms`, under cues made each 2 s. */
  at(shown_ms: number): void {
    this.playingDate = new Date(shown_ms);
    const dateRanges: Record<string, unknown> = {};
    for (let i = -2; i < 3; ++i) {
      const start = Math.floor(shown_ms / 2000) * 2000 + i * 2000;
      const attr = { CLASS: 'footlight.at', 'X-FOOTLIGHT-DATA': btoa(`cue-${start}`) };
      dateRanges[`at.${start}`] = { id: `at.${start}`, startDate: new Date(start), attr };
    }
    this.latestLevelDetails = { live: true, dateRanges };
  }
}
const hls = FakeHls as unknown as HlsJsClass;
const last = (): FakeHls => FakeHls.all.at(-1) as FakeHls;

class FakeRtc implements RtcWay {
  allowed = true;
  on = false;
  capped = false;
  is: Health = 'starting';
  start = (): void => void (this.on = true);
  stop = (): void => void (this.on = false);
  cap = (on: boolean): void => void (this.capped = on);
  health = (): Health => this.is;
}

beforeEach(() => {
  vi.useFakeTimers({ now: NOW });
  FakeHls.all = [];
  vi.stubGlobal('fetch', () => Promise.resolve(new Response('{"there":true}', { status: 200 })));
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe('HlsPlayer', () => {
  const make = (): { player: HlsPlayer; video: FakeVideo } => {
    const video = new FakeVideo();
    const options = { video: video as unknown as HTMLVideoElement, hls, url: 'x.m3u8' };
    return {
      player: new HlsPlayer({ ...options, lowLatency: true, now: () => Date.now() }),
      video,
    };
  };
  it('tells a stop from a pause and many stops from one', () => {
    const { player, video } = make();
    expect(player.health()).toBe('starting');
    const run = (ms: number, moves: boolean): Health => {
      let health: Health = 'starting';
      for (; ms > 0; ms -= 250) {
        vi.advanceTimersByTime(250);
        if (moves) video.tick(250);
        health = player.health();
      }
      return health;
    };
    expect(run(1_000, true)).toBe('good');
    expect(run(1_000, false)).toBe('good');
    expect(run(1_000, false)).toBe('dead');
    expect(run(500, true)).toBe('good');
    video.paused = true;
    expect(run(5_000, false)).toBe('good');
    video.paused = false;
    for (let i = 0; i < 2; ++i) {
      run(500, true);
      run(1_000, false);
    }
    expect(run(500, true)).toBe('poor');
    expect(run(25_000, true)).toBe('good');
  });
  it('is live again after a stop, unless the viewer had gone back', () => {
    const { player, video } = make();
    const hls_js = last();
    hls_js.latestLevelDetails = { live: true, dateRanges: {}, partTarget: 0.6 };
    const run = (ms: number, latency: number): void => {
      for (; ms > 0; ms -= 250) {
        vi.advanceTimersByTime(250);
        if (latency > 0) video.tick(250);
        hls_js.latency = latency || hls_js.latency + 0.25;
        hls_js.liveSyncPosition = 100;
        player.health();
      }
    };
    run(2_000, 1.7);
    run(5_000, 0);
    run(250, 2); // it plays on; the playlist does not tell yet what came meanwhile
    expect(video.currentTime).toBeLessThan(10);
    run(250, 6.6);
    expect(video.currentTime).toBe(100);
    run(5_000, 1.7);
    video.currentTime = 50;
    run(2_000, 60);
    run(5_000, 0);
    run(4_000, 65);
    expect(video.currentTime).toBeLessThan(60);
  });
  it('goes near to live in calm, and after each stop waits longer before it does so again', () => {
    const { player, video } = make();
    const hls_js = last();
    hls_js.latestLevelDetails = { live: true, dateRanges: {}, partTarget: 0.6 };
    const after_s = (): number => {
      for (let ms = 0; ms < 300_000; ms += 250) {
        vi.advanceTimersByTime(250);
        video.tick(250);
        player.health();
        if (hls_js.targetLatency === 1.5) return Math.floor(ms / 1000);
      }
      return Infinity;
    };
    const stop = (): void => {
      hls_js.targetLatency = 1.8; // by hls.js
      hls_js.stall();
    };
    expect(after_s()).toBe(0);
    stop();
    expect(after_s()).toBe(10);
    stop();
    expect(after_s()).toBe(20);
    for (let i = 0; i < 5; ++i) stop();
    expect(after_s()).toBe(240);
    stop();
    expect(after_s()).toBe(10);
  });
  it('finds the newest cue that has been shown', () => {
    const { player, video } = make();
    expect(player.cue).toBeUndefined();
    last().at(NOW - 60_000); // where the list begins
    expect(player.health()).toBe('starting');
    expect([player.shown_ms, player.cue]).toEqual([null, undefined]);
    last().at(NOW - 3_000);
    video.tick(250);
    expect(player.health()).toBe('good');
    expect(player.cue).toBe(`cue-${NOW - 4_000}`);
    expect(player.shown_ms).toBe(NOW - 3_000);
  });
});

describe('Program', () => {
  const poll = { state: 'ready', opened_ms: 0, deadline_ms: 0, allowance_ms: 3_000 } as Poll;
  const world = (rtc?: FakeRtc) => {
    const polls = new Value<ReadonlyMap<string, Poll>>(new Map([['fork', poll]]));
    const episode = new Value<ReadonlyMap<string, { media: string }>>(
      new Map([['state', { media: 'full' }]]),
    );
    const captions = new Value<ReadonlyMap<string, Caption>>(new Map());
    const told: [WatchMode, string | undefined][] = [];
    const collections: Record<string, unknown> = { polls, episode, captions };
    const client = {
      view: { collection: (name: string) => collections[name] },
      state: new Value({ name: 'live' }),
      serverNow: () => Date.now(),
      reportWatch: (mode: WatchMode, cue?: string) => told.push([mode, cue]),
    } as unknown as Client;
    const video = new FakeVideo();
    const program = new Program(client, {
      video: video as unknown as HTMLVideoElement,
      hls,
      url: 'index.m3u8',
      ...(rtc && { rtc }),
    });
    const run = async (ms: number): Promise<void> => {
      for (; ms > 0; ms -= 250) {
        video.tick(250);
        FakeHls.all.at(-1)?.at(Date.now() - 2_000);
        await vi.advanceTimersByTimeAsync(250);
      }
    };
    return { program, polls, episode, captions, told, run };
  };

  it('plays the stream, and says how and by which cue', async () => {
    const { program, told, run } = world();
    await run(3_000);
    expect(program.state.get()).toMatchObject({ mode: 'llhls', why: 'best' });
    expect(program.state.get().behind_ms).toBeGreaterThan(1_900);
    expect(last().config).toMatchObject({ lowLatencyMode: true });
    await run(11_000);
    const cues = told.filter(([mode]) => mode === 'llhls').map(([, cue]) => cue);
    expect(cues.length).toBeGreaterThanOrEqual(2);
    expect(cues.at(-1)).toMatch(/^cue-\d+$/);
    program.close();
    expect(last().destroyed).toBe(true);
  });

  it('shows a poll when its picture is shown', async () => {
    const { program, polls, run } = world();
    await run(3_000);
    const opened = { ...poll, state: 'open', opened_ms: Date.now(), deadline_ms: 0 } as Poll;
    polls.set(new Map([['fork', opened]]));
    await run(1_500);
    expect(program.polls.get().get('fork')?.state).toBe('ready');
    await run(1_000);
    expect(program.polls.get().get('fork')?.state).toBe('open');
    program.close();
  });

  it('shows it with the very picture in which it is drawn', async () => {
    const { program, polls, run } = world();
    await run(3_000);
    const opened_ms = Date.now();
    polls.set(new Map([['fork', { ...poll, state: 'open', opened_ms, deadline_ms: 0 } as Poll]]));
    await run(1_500);
    const drawn_ms = opened_ms + 610;
    const data = btoa(JSON.stringify({ snapshot: 3, poll: { id: 'fork', opened_ms } }));
    const attr = { CLASS: 'footlight.show', 'X-FOOTLIGHT-DATA': data };
    const range = { id: 'show.1', startDate: new Date(drawn_ms), attr };
    const state = () => program.polls.get().get('fork')?.state;
    while (Date.now() < opened_ms + 2_000 + 610) {
      last().at(Date.now() - 2_000);
      last().latestLevelDetails!.dateRanges['show.1'] = range;
      expect(state()).toBe('ready');
      await vi.advanceTimersByTimeAsync(10);
    }
    last().at(Date.now() - 2_000);
    await vi.advanceTimersByTimeAsync(20);
    expect(state()).toBe('open');
    program.close();
  });

  const caption = (change: Partial<Caption> = {}): ReadonlyMap<string, Caption> => {
    const [said_ms, at_ms] = [Date.now(), Date.now()];
    const one = { n: 1, said_ms, at_ms, for_ms: 1_500, lang: 'en', text: 'Ring it.', ...change };
    return new Map([['1', one]]);
  };

  it('shows a caption with the picture of its words, and takes it away with its time', async () => {
    const { program, captions, run } = world();
    await run(3_000);
    expect(program.captionLanguages.get()).toEqual([]);
    captions.set(caption());
    expect(program.captionLanguages.get()).toEqual(['en']);
    await run(1_750);
    expect(program.captions.get()).toEqual([]);
    await run(500);
    expect(program.captions.get()).toMatchObject([{ text: 'Ring it.', lang: 'en' }]);
    captions.set(new Map());
    await run(1_000);
    expect(program.captions.get()).toHaveLength(1);
    await run(750);
    expect(program.captions.get()).toEqual([]);
    program.close();
  });

  it('shows a caption in the very moment of its picture', async () => {
    const { program, captions, run } = world();
    await run(3_000);
    const at_ms = Date.now() - 700;
    captions.set(caption({ at_ms }));
    while (Date.now() < at_ms + 2_000) {
      last().at(Date.now() - 2_000);
      expect(program.captions.get()).toEqual([]);
      await vi.advanceTimersByTimeAsync(10);
    }
    last().at(Date.now() - 2_000);
    await vi.advanceTimersByTimeAsync(20);
    expect(program.captions.get()).toHaveLength(1);
    program.close();
  });

  it('shows a caption of the call when it comes', async () => {
    const rtc = new FakeRtc();
    rtc.is = 'good';
    const { program, captions, run } = world(rtc);
    await run(1_000);
    captions.set(caption({ at_ms: Date.now() - 4_000 }));
    expect(program.captions.get()).toHaveLength(1);
    await run(1_250);
    expect(program.captions.get()).toHaveLength(1);
    await run(500);
    expect(program.captions.get()).toEqual([]);
    program.close();
  });

  it('takes the captions of a recording from its time line, and shows those of its moment', async () => {
    const { program, captions, run } = world();
    captions.set(caption({ at_ms: NOW - 29_000 }));
    await run(3_000);
    const line = { n: 1, at_ms: NOW - 495_000, for_ms: 2_000, lang: 'de', text: 'Läut sie.' };
    const asked: string[] = [];
    vi.stubGlobal('fetch', (url: string) => {
      asked.push(url);
      return Promise.resolve(Response.json({ v: 1, marks: [], captions: [line] }));
    });
    program.replay();
    last().record();
    await vi.advanceTimersByTimeAsync(250);
    expect(asked).toEqual(['timeline.json']);
    const at = async (ms: number): Promise<string[]> => {
      last().playingDate = new Date(NOW + ms);
      await vi.advanceTimersByTimeAsync(250);
      return program.captions.get().map(({ text }) => text);
    };
    expect(await at(-496_000)).toEqual([]);
    expect(await at(-494_500)).toEqual(['Läut sie.']);
    expect(await at(-480_000)).toEqual([]);
    expect(await at(-494_000)).toEqual(['Läut sie.']);
    expect(program.captionLanguages.get()).toEqual(['de']);
    expect(asked).toHaveLength(1);
    program.close();
  });

  it('leaves a call that went silent within 1.5 s, and goes back when it plays again', async () => {
    const rtc = new FakeRtc();
    const { program, run, told } = world(rtc);
    await run(1_000);
    expect([program.state.get().mode, rtc.on]).toEqual(['rtc', true]);
    rtc.is = 'good';
    await run(5_000);
    rtc.is = 'dead';
    await run(1_750);
    expect([program.state.get().mode, rtc.on]).toEqual(['llhls', false]);
    expect(told.at(-1)?.[0]).toBe('llhls');
    rtc.is = 'starting';
    await run(32_000);
    expect(program.state.get()).toMatchObject({ mode: 'llhls', trying: 'rtc' });
    rtc.is = 'good';
    await run(500);
    expect(program.state.get()).toMatchObject({ mode: 'rtc', trying: null });
    expect(last().destroyed).toBe(true);
    program.close();
  });

  it('plays the whole show after its end, and knows where in it a wall time is', async () => {
    const { program, run } = world();
    await run(3_000);
    expect(program.state.get()).toMatchObject({ ended: false, recording: false });
    program.replay();
    expect(FakeHls.all.at(-2)?.destroyed).toBe(true);
    expect(last()).toMatchObject({ source: 'index.m3u8', destroyed: false });
    last().record();
    await vi.advanceTimersByTimeAsync(250);
    const state = program.state.get();
    expect(state).toMatchObject({ ended: true, recording: true, shown_ms: NOW - 500_000 });
    const at = (ms: number) => program.timeOf(NOW + ms);
    expect([at(-501_000), at(-497_500), at(-460_000), at(-425_000), at(0)]).toEqual([
      null, // before it
      2.5,
      10, // in the break
      15,
      null, // after it
    ]);
    program.close();
  });

  it('obeys the episode: small pictures, the stream, the sound, nothing', async () => {
    const rtc = new FakeRtc();
    rtc.is = 'good';
    const { program, episode, run } = world(rtc);
    const set = async (media: string): Promise<void> => {
      episode.set(new Map([['state', { media }]]));
      await run(500);
    };
    await set('capped');
    expect([program.state.get().mode, rtc.capped]).toEqual(['rtc', true]);
    await run(3_000);
    await set('hls');
    expect(program.state.get()).toMatchObject({ mode: 'llhls', why: 'producer' });
    await set('audio');
    expect(program.state.get().mode).toBe('audio');
    expect(last().source).toBe('sound.m3u8');
    await set('votes');
    expect(program.state.get()).toMatchObject({ mode: 'none', why: 'producer' });
    program.close();
  });
});
