import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FakeHls, FakeVideo, hls, last, NOW } from '../../test/fake_hls.ts';
import { Value } from '../readable.ts';
import type { Client } from '../types.ts';
import type { Caption, Poll, WatchMode } from '../wire.ts';
import type { Health } from './ladder.ts';
import { Program } from './program.ts';
import type { RtcWay } from './rtc.ts';

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
    return { program, video, polls, episode, captions, told, run };
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

  it('begins anew where hls.js gave up, as often as it does, on the way it was on', async () => {
    const { program, video, run } = world();
    await run(5_000);
    const lost = async (ms: number): Promise<void> => {
      for (; ms > 0; ms -= 250) {
        last().fail('networkError', 'levelLoadError');
        await vi.advanceTimersByTimeAsync(250);
        if (last().latestLevelDetails === null) video.readyState = 0;
      }
      video.readyState = 4;
    };
    const made = FakeHls.all.length;
    last().fail('networkError', 'levelLoadTimeOut');
    await run(3_000); // what it has is played
    expect(FakeHls.all.length).toBe(made);
    await lost(3_000);
    expect(FakeHls.all.length).toBe(made + 1);
    expect(FakeHls.all[made - 1]?.destroyed).toBe(true);
    expect(last()).toMatchObject({ source: 'index.m3u8', destroyed: false });
    await lost(120_000);
    expect(FakeHls.all.length).toBeGreaterThan(made + 25);
    expect(FakeHls.all.length).toBeLessThan(made + 35);
    expect(program.state.get()).toMatchObject({ mode: 'llhls', stalled: true });
    await run(1_000);
    expect(program.state.get()).toMatchObject({ mode: 'llhls', why: 'best', stalled: false });
    program.close();
  });

  it('leaves a program that is gone, and is there when the next begins', async () => {
    const { program, run } = world();
    const status = (there: boolean): void => {
      const answer = (): Promise<Response> => Promise.resolve(Response.json({ there }));
      vi.stubGlobal('fetch', answer);
    };
    await run(5_000);
    status(false);
    last().fail('networkError', 'levelLoadError');
    await vi.advanceTimersByTimeAsync(5_000);
    expect(program.state.get().mode).toBe('none');
    expect(last().destroyed).toBe(true);
    status(true);
    await vi.advanceTimersByTimeAsync(4_000);
    await run(1_000);
    expect(program.state.get()).toMatchObject({ mode: 'llhls', stalled: false });
    program.close();
  });

  it('asks for the sound anew where its list is gone: its address was of one epoch', async () => {
    const { program, episode, run } = world();
    await run(3_000);
    episode.set(new Map([['state', { media: 'audio' }]]));
    await run(1_000);
    expect(last().source).toBe('sound.m3u8');
    last().fail('networkError', 'manifestLoadError');
    await vi.advanceTimersByTimeAsync(4_000);
    expect(last().source).toBe('index.m3u8');
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

  it('does not take who is behind by choice to the call', async () => {
    const rtc = new FakeRtc();
    const { program, run } = world(rtc);
    rtc.is = 'good';
    await run(2_000);
    rtc.is = 'dead';
    await run(3_000);
    rtc.is = 'good';
    const at = last().at.bind(last());
    last().at = (shown_ms) => {
      at(shown_ms);
      const fragments = [{ start: 0, duration: 99, programDateTime: NOW }];
      Object.assign(last().latestLevelDetails!, { fragments });
      last().liveSyncPosition = 90;
    };
    await run(250);
    program.seek(5);
    await run(60_000);
    expect(program.state.get()).toMatchObject({ mode: 'llhls', trying: null, by_choice: true });
    program.catchUp();
    await run(20_000);
    expect(program.state.get().mode).toBe('rtc');
    program.close();
  });

  it('offers a vote as long as the server believes the delay, and no longer', async () => {
    const { program, polls, run } = world();
    const last_ms = async (): Promise<number> => {
      const opened_ms = Date.now();
      const deadline_ms = opened_ms + 60_000;
      polls.set(new Map([['fork', { ...poll, state: 'open', opened_ms, deadline_ms } as Poll]]));
      await run(2_500);
      return (program.polls.get().get('fork')?.deadline_ms ?? 0) - deadline_ms;
    };
    await run(3_000);
    expect(await last_ms()).toBeLessThanOrEqual(1_000); // it has just come
    await run(30_000);
    expect(await last_ms()).toBeGreaterThanOrEqual(1_750);
    program.close();
  });

  it('leaves who is behind by choice with its picture when another way is taken', async () => {
    const { program, episode, run } = world();
    await run(3_000);
    const fragments = [0, 1, 2].map((i) => ({
      ...{ start: 10 * i, duration: 10, programDateTime: NOW - 20_000 + 10_000 * i },
    }));
    const list = (): void => {
      last().latestLevelDetails = { live: true, dateRanges: {}, fragments };
      last().liveSyncPosition = 29;
    };
    list();
    program.seek(12);
    expect(program.state.get()).toMatchObject({ by_choice: true, window: { at_s: 12, to_s: 29 } });
    const shown_ms = NOW - 8_000;
    last().playingDate = new Date(shown_ms);
    episode.set(new Map([['state', { media: 'audio' }]]));
    await vi.advanceTimersByTimeAsync(250);
    expect(program.state.get()).toMatchObject({ mode: 'audio', by_choice: true, shown_ms });
    program.catchUp();
    expect(program.state.get()).toMatchObject({ by_choice: false });
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
