import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type FakeDetails, FakeHls, FakeVideo, hls, last, NOW } from '../../test/fake_hls.ts';
import { type HlsJsClass, HlsPlayer } from './hls_player.ts';
import type { Health } from './ladder.ts';
import type { LoaderCallbacks, LoaderClass } from './patient_loader.ts';

const nothing = (): void => undefined;
class AtOnce {
  load(_: unknown, __: unknown, { onSuccess }: LoaderCallbacks): void {
    onSuccess({ data: 'the same' });
  }
  abort(): void {}
  destroy(): void {}
}

beforeEach(() => {
  vi.useFakeTimers({ now: NOW });
  FakeHls.all = [];
});
afterEach(() => {
  vi.useRealTimers();
});

describe('HlsPlayer', () => {
  const make = (lowLatency = true, of = hls): { player: HlsPlayer; video: FakeVideo } => {
    const video = new FakeVideo();
    const options = { video: video as unknown as HTMLVideoElement, hls: of, url: 'x.m3u8' };
    return {
      player: new HlsPlayer({ ...options, lowLatency, now: () => Date.now() }),
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
  /** Two segments of 2 s, a gap of half a second, two parts of which the second is a gap too. */
  const listed = (): FakeDetails => ({
    live: true,
    dateRanges: {},
    fragments: [
      { start: 0, duration: 2, programDateTime: null },
      { start: 2, duration: 2, programDateTime: null },
      { start: 4, duration: 0.5, programDateTime: null, gap: true },
    ],
    partList: [
      { start: 4.5, duration: 0.5 },
      { start: 5, duration: 0.5, gap: true },
    ],
  });
  /** How it is when the picture stops there. */
  const stopped_at = (at_s: number, change: (of: FakeHls) => void, low = true): Health => {
    const { player, video } = make(low);
    last().latestLevelDetails = listed();
    change(last());
    video.currentTime = at_s - 0.25;
    player.health();
    video.tick(250);
    player.health();
    vi.advanceTimersByTime(2_000);
    player.health();
    return player.health();
  };

  it('tells a program that stands still from one that does not get here', () => {
    expect(stopped_at(4.95, nothing)).toBe('still');
    expect(stopped_at(3.95, nothing)).toBe('dead'); // there is a part more
    expect(stopped_at(3.95, nothing, false)).toBe('still'); // not a segment more
    expect(stopped_at(1.95, nothing, false)).toBe('dead');
    // A list of which only the newest is known, as a cache may give it.
    const delta = (of: FakeHls): void => void of.latestLevelDetails?.fragments?.unshift(null);
    expect(stopped_at(3.95, delta, false)).toBe('still');
    // The sound is cut at other places, and what ends first stops both.
    const sound = (until_s: number) => (of: FakeHls) => {
      const fragments = [{ start: 0, duration: until_s, programDateTime: null }];
      of.audioTracks = [{ url: '', details: { ...listed(), fragments, partList: [] } }];
    };
    expect(stopped_at(3.95, sound(4))).toBe('still');
    expect(stopped_at(3.45, sound(4))).toBe('dead');
  });
  it('counts no stop against whole segments that are not there yet', () => {
    const stops = (lowLatency: boolean, at_s: number): Health => {
      const { player, video } = make(lowLatency);
      last().latestLevelDetails = listed();
      video.currentTime = at_s;
      let health = player.health();
      for (let i = 0; i < 4; ++i) {
        video.tick(10);
        player.health();
        vi.advanceTimersByTime(1_000);
        health = player.health();
      }
      return health;
    };
    expect([stops(false, 3.9), stops(false, 1.9), stops(true, 4.9)]).toEqual([
      'good',
      'poor',
      'poor',
    ]);
  });
  it('does not take a cache that answers with old playlists for a program that stands still', () => {
    class Cached extends FakeHls {
      static DefaultConfig = { loader: AtOnce };
    }
    for (const [low, then] of [
      [true, 'dead'],
      [false, 'still'],
    ] as const) {
      const { player, video } = make(low, Cached as unknown as HlsJsClass);
      last().latestLevelDetails = listed();
      video.currentTime = 4.9;
      player.health();
      video.tick(50);
      player.health();
      vi.advanceTimersByTime(2_000);
      player.health();
      expect(player.health()).toBe('still');
      const Loader = last().config['pLoader'] as LoaderClass;
      for (const part of [1, 2]) {
        new Loader({} as never).load(
          { url: `v.m3u8?_HLS_msn=3&_HLS_part=${part}` },
          {},
          { onSuccess: nothing },
        );
      }
      expect(player.health()).toBe(then);
    }
  });
  it('waits for a list that does not come, and not for its pictures', () => {
    const { player } = make();
    vi.advanceTimersByTime(1_000);
    expect(player.health()).toBe('starting');
    vi.advanceTimersByTime(1_000);
    expect(player.health()).toBe('still');
    last().latestLevelDetails = listed();
    expect(player.health()).toBe('starting');
  });
  it('waits for no list when those of others come', () => {
    class Cached extends FakeHls {
      static DefaultConfig = { loader: AtOnce };
    }
    const { player } = make(true, Cached as unknown as HlsJsClass);
    const ask = (url: string): void => {
      const Loader = last().config['pLoader'] as LoaderClass;
      new Loader({} as never).load({ url }, {}, { onSuccess: nothing });
    };
    vi.advanceTimersByTime(2_000);
    ask('x.m3u8');
    expect(player.health()).toBe('still');
    ask('sound.m3u8');
    expect(player.health()).toBe('starting');
  });
  it('helps hls.js with media once, and gives up when that does not last', () => {
    const { player } = make();
    const hls_js = last();
    hls_js.fail('mediaError', 'bufferAppendError');
    expect([hls_js.recovered, player.gaveUp]).toEqual([1, false]);
    vi.advanceTimersByTime(60_000);
    hls_js.fail('mediaError', 'bufferAppendError');
    expect([hls_js.recovered, player.gaveUp]).toEqual([2, false]);
    vi.advanceTimersByTime(1_000);
    hls_js.fail('mediaError', 'bufferAppendError');
    expect([hls_js.recovered, player.gaveUp, player.health()]).toEqual([2, true, 'dead']);
  });
  it('gives up where hls.js asks for no playlist any more', () => {
    class Never {
      load(): void {}
      abort(): void {}
      destroy(): void {}
    }
    class Asking extends FakeHls {
      static DefaultConfig = { loader: Never };
    }
    const { player, video } = make(true, Asking as unknown as HlsJsClass);
    last().latestLevelDetails = { ...listed(), url: 'v.m3u8?_HLS_skip=YES' };
    let urls = ['v.m3u8?_HLS_msn=3', 'sound.m3u8'];
    video.currentTime = 4.9;
    const asks = (): void => {
      const Loader = last().config['pLoader'] as LoaderClass;
      for (const url of urls) new Loader({} as never).load({ url }, {}, { onSuccess: nothing });
    };
    const wait = (ms: number): [Health, boolean] => {
      for (; ms > 0; ms -= 250) {
        vi.advanceTimersByTime(250);
        player.health();
      }
      return [player.health(), player.gaveUp];
    };
    for (let i = 0; i < 5; ++i) {
      asks();
      expect(wait(10_000)).toEqual(['still', false]);
    }
    urls = ['sound.m3u8']; // of one alone
    asks();
    expect(wait(2_000)).toEqual(['still', true]);
  });
  it('gives up where what is there becomes no picture, after having waited for what is not', () => {
    const { player, video } = make();
    const wait = (ms: number): Health => {
      for (; ms > 0; ms -= 250) {
        vi.advanceTimersByTime(250);
        player.health();
      }
      return player.health();
    };
    last().latestLevelDetails = listed();
    video.currentTime = 4.9;
    player.health();
    expect(wait(60_000)).toBe('still');
    last().latestLevelDetails?.partList?.push({ start: 5.5, duration: 0.5 });
    expect([wait(5_750), player.gaveUp]).toEqual(['dead', false]);
    expect([wait(500), player.gaveUp]).toEqual(['dead', true]);
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
  // Twenty seconds of segments of two, live at the end.
  const list = (from_s: number) => ({
    live: true,
    dateRanges: {},
    fragments: [...Array(10).keys()].map((i) => ({
      start: from_s + 2 * i,
      duration: 2,
      programDateTime: NOW + 1000 * (from_s + 2 * i),
    })),
  });
  const watch = () => {
    const { player, video } = make();
    const hls_js = last();
    const run = (ms: number, moves = true): Health => {
      let health: Health = 'starting';
      for (; ms > 0; ms -= 250) {
        vi.advanceTimersByTime(250);
        if (moves) video.tick(250);
        hls_js.latestLevelDetails = list((Date.now() - NOW) / 1000);
        hls_js.liveSyncPosition = (Date.now() - NOW) / 1000 + 18.5;
        hls_js.playingDate = new Date(NOW + 1000 * video.currentTime);
        health = player.health();
      }
      return health;
    };
    video.currentTime = 18;
    run(500);
    return { player, video, hls_js, run };
  };
  it('goes back in the window by choice, and stays there: no faster, no jump, no stop of its own', () => {
    const { player, video, hls_js, run } = watch();
    expect(player.window).toMatchObject({ from_s: 2.5, to_s: 19, paused: false });
    expect(player.behind).toBe(false);
    video.playbackRate = 1.2;
    player.seek(10);
    expect([video.currentTime, player.behind]).toEqual([10, true]);
    expect([video.playbackRate, hls_js.config['maxLiveSyncPlaybackRate']]).toEqual([1, 1]);
    expect(run(2_500, false)).toBe('good'); // it has to be fetched
    hls_js.latency = 9;
    expect(run(2_000)).toBe('good');
    expect(video.currentTime).toBe(12);
    expect(run(4_000, false)).toBe('dead');
    run(3_000);
    expect(video.currentTime).toBe(15);
    player.catchUp();
    expect(player.behind).toBe(false);
    expect(video.currentTime).toBe(hls_js.liveSyncPosition);
    expect(hls_js.config['maxLiveSyncPlaybackRate']).toBe(1.3);
  });
  it('is left where it went back to, however little that is, after a stop', () => {
    const { player, video, hls_js, run } = watch();
    player.seek(17);
    hls_js.latency = 3.5;
    run(2_000);
    run(5_000, false);
    hls_js.latency = 8.5;
    run(2_000);
    expect(video.currentTime).toBe(21);
  });
  it('takes no jump for a stop, however many, also to live', () => {
    const { player, run } = watch();
    for (let i = 0; i < 4; ++i) {
      player.seek(8);
      run(1_500, false);
      expect(run(500)).toBe('good');
      player.catchUp();
      run(1_500, false);
      expect(run(500)).toBe('good');
    }
    run(4_500, false);
    expect(run(4_500, false)).toBe('dead');
  });
  it('is live where one goes nearly to its end, and goes no further back than there is', () => {
    const { player, video, run } = watch();
    player.seek(-5);
    expect(video.currentTime).toBe(2.5);
    run(1_000);
    player.seek((player.window?.to_s ?? 0) - 0.5);
    expect(player.behind).toBe(false);
    expect(video.currentTime).toBe(player.window?.to_s);
  });
  it('goes on from where it was stopped, from the oldest there is when that has gone, and live after a moment', () => {
    const { player, video, run } = watch();
    player.pause(true);
    run(250);
    player.pause(false);
    expect([video.paused, player.behind]).toEqual([false, false]);
    player.pause(true);
    const at_s = video.currentTime;
    run(5_000);
    expect([video.currentTime, player.window?.paused]).toEqual([at_s, true]);
    player.pause(false);
    run(250);
    expect([video.currentTime, player.behind]).toEqual([at_s + 0.25, true]);
    player.pause(true);
    run(30_000);
    player.pause(false);
    run(250);
    expect(video.currentTime).toBe(player.window?.from_s);
  });
  it('is where another player was by choice', () => {
    const video = new FakeVideo();
    const options = { video: video as unknown as HTMLVideoElement, hls, url: 'x.m3u8' };
    const now = () => Date.now();
    const from_ms = NOW + 7_000;
    const player = new HlsPlayer({ ...options, lowLatency: false, now, from_ms });
    expect([player.behind, player.shown_ms]).toEqual([true, from_ms]);
    last().latestLevelDetails = list(0);
    last().liveSyncPosition = 18;
    last().playingDate = new Date(NOW + 18_000);
    video.tick(250);
    expect(player.shown_ms).toBe(from_ms);
    player.health();
    expect([video.currentTime, player.behind]).toEqual([7, true]);
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
    expect(player.cue).toEqual({ signed: `cue-${NOW - 4_000}`, shown_ms: NOW - 4_000 });
    expect(player.shown_ms).toBe(NOW - 3_000);
  });
});
