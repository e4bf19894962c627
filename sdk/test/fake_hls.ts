/** As much of hls.js and of a video element as the tests of the program need. */

import type { HlsJsClass } from '../src/program/hls_player.ts';

export const NOW = 1_764_000_000_000;

/** As much of a video element as is looked at. */
export class FakeVideo {
  currentTime = 0;
  readyState = 4;
  playbackRate = 1;
  paused = false;
  play = (): Promise<void> => {
    this.paused = false;
    return Promise.resolve();
  };
  pause(): void {
    this.paused = true;
  }
  tick(ms: number): void {
    if (!this.paused) this.currentTime += ms / 1000;
  }
}

export interface FakePiece {
  start: number;
  duration: number;
  gap?: boolean;
}
export interface FakeDetails {
  url?: string;
  live: boolean;
  partTarget?: number;
  type?: string;
  dateRanges: Record<string, unknown>;
  fragments?: ((FakePiece & { programDateTime: number | null }) | null)[];
  partList?: FakePiece[];
}

export class FakeHls {
  static all: FakeHls[] = [];
  static isSupported = (): boolean => true;
  source = '';
  destroyed = false;
  playingDate: Date | null = null;
  latency = 2;
  targetLatency: number | null = 1.6;
  liveSyncPosition = 1;
  levels = [{ height: 720, bitrate: 2_500_000 }];
  audioTracks: { url: string; details?: FakeDetails }[] = [{ url: 'sound.m3u8' }];
  autoLevelEnabled = true;
  nextLevel = -1;
  currentLevel = 0;
  audioTrack = 0;
  latestLevelDetails: FakeDetails | null = null;
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
  /** For good, unless it is helped. */
  fail(type: string, details: string): void {
    this.#heard.get('hlsError')?.('hlsError', { fatal: true, type, details });
  }
  startLoad(): void {}
  recovered = 0;
  recoverMediaError(): void {
    ++this.recovered;
  }
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
export const hls = FakeHls as unknown as HlsJsClass;
export const last = (): FakeHls => FakeHls.all.at(-1) as FakeHls;
