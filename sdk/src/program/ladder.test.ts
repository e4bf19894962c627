import { describe, expect, it } from 'vitest';
import { type Health, Ladder, type LadderInput, type LadderStep } from './ladder.ts';

class Viewer {
  readonly ladder = new Ladder();
  now_ms = 1_000_000;
  world: Omit<LadderInput, 'now_ms'> = {
    allowed: 'full',
    rtc: true,
    program: true,
    health: 'starting',
  };
  last: LadderStep = this.step();

  step(): LadderStep {
    return (this.last = this.ladder.step({ now_ms: this.now_ms, ...this.world }));
  }
  /** Lets time pass with this health, in quarters of a second. */
  for(ms: number, health: Health, trial: Health = 'starting'): LadderStep {
    for (const end = this.now_ms + ms; this.now_ms < end; ) {
      this.now_ms += 250;
      const before = this.last;
      this.world = { ...this.world, health, trial };
      this.step();
      if (this.last.mode !== before.mode) break;
    }
    return this.last;
  }
}

describe('Ladder', () => {
  it('begins with the best there is', () => {
    expect(new Viewer().last).toEqual({ mode: 'rtc', why: 'best', trying: null });
    const guest = new Ladder();
    const world = { now_ms: 0, allowed: 'full', rtc: false, program: true } as const;
    expect(guest.step({ ...world, health: 'starting' })).toMatchObject({
      mode: 'llhls',
      why: 'best',
    });
    const early = new Ladder();
    expect(early.step({ ...world, program: false, health: 'starting' })).toMatchObject({
      mode: 'none',
      why: 'nothing',
    });
  });

  it('leaves WebRTC for LL-HLS within a second of silence', () => {
    const viewer = new Viewer();
    viewer.for(10_000, 'good');
    const cut_ms = viewer.now_ms;
    expect(viewer.for(5_000, 'dead')).toMatchObject({ mode: 'llhls', why: 'stopped' });
    expect(viewer.now_ms - cut_ms).toBeLessThanOrEqual(1_000);
  });

  it('tries nothing better while the viewer is behind by choice, and goes down as ever', () => {
    const viewer = new Viewer();
    viewer.for(10_000, 'good');
    viewer.for(5_000, 'dead');
    viewer.world.behind = true;
    expect(viewer.for(120_000, 'good')).toMatchObject({ mode: 'llhls', trying: null });
    viewer.world.behind = false;
    expect(viewer.for(1_000, 'good').trying).toBe('rtc');
    viewer.world.behind = true;
    expect(viewer.for(250, 'good', 'good')).toMatchObject({ mode: 'llhls', trying: null });
    expect(viewer.for(10_000, 'dead').mode).toBe('hls');
  });

  it('does not leave for a hiccup', () => {
    const viewer = new Viewer();
    viewer.for(10_000, 'good');
    for (let i = 0; i < 5; ++i) {
      viewer.for(500, 'dead');
      viewer.for(1_000, 'good');
    }
    expect(viewer.for(5_500, 'poor').mode).toBe('rtc');
    expect(viewer.for(250, 'good').mode).toBe('rtc');
  });

  it('goes down one by one while it keeps stalling, and stays with the sound', () => {
    const viewer = new Viewer();
    viewer.world.rtc = false;
    viewer.step();
    viewer.for(10_000, 'good');
    expect(viewer.for(10_000, 'poor')).toMatchObject({ mode: 'hls', why: 'poor' });
    expect(viewer.for(10_000, 'poor')).toMatchObject({ mode: 'audio', why: 'poor' });
    expect(viewer.for(60_000, 'poor').mode).toBe('audio');
  });

  it('tries WebRTC beside HLS and changes only when that plays', () => {
    const viewer = new Viewer();
    viewer.for(5_000, 'good');
    viewer.for(5_000, 'dead');
    expect(viewer.last.mode).toBe('llhls');
    viewer.for(29_000, 'good');
    expect(viewer.last).toMatchObject({ mode: 'llhls', trying: null });
    viewer.for(2_000, 'good', 'starting');
    expect(viewer.last).toMatchObject({ mode: 'llhls', trying: 'rtc' });
    expect(viewer.for(1_000, 'good', 'good')).toEqual({ mode: 'rtc', why: 'best', trying: null });
  });

  it('waits longer after each attempt that fails, and forgets after a good minute', () => {
    const viewer = new Viewer();
    viewer.for(5_000, 'good');
    viewer.for(5_000, 'dead');
    const waits: number[] = [];
    for (let i = 0; i < 4; ++i) {
      const from_ms = viewer.now_ms;
      while (viewer.last.trying === null) viewer.for(250, 'good', 'starting');
      waits.push(viewer.now_ms - from_ms);
      while (viewer.last.trying !== null) viewer.for(250, 'good', 'starting');
    }
    expect(waits[0]).toBeGreaterThanOrEqual(29_000);
    expect(waits.every((wait, i) => i === 0 || wait > (waits[i - 1] ?? 0))).toBe(true);
    expect(Math.max(...waits)).toBeLessThanOrEqual(240_000);
  });

  it('does what the producer allows, at once and back', () => {
    const viewer = new Viewer();
    viewer.for(20_000, 'good');
    viewer.world.allowed = 'hls';
    expect(viewer.step()).toMatchObject({ mode: 'llhls', why: 'producer' });
    viewer.world.allowed = 'audio';
    expect(viewer.step()).toMatchObject({ mode: 'audio', why: 'producer' });
    viewer.world.allowed = 'votes';
    expect(viewer.step()).toMatchObject({ mode: 'none', why: 'producer' });
    viewer.world.allowed = 'full';
    viewer.for(500, 'starting');
    expect(viewer.last.trying).toBe('rtc');
    expect(viewer.for(1_000, 'starting', 'good')).toMatchObject({ mode: 'rtc', why: 'best' });
  });

  it('gives up a WebRTC that never shows anything', () => {
    const viewer = new Viewer();
    expect(viewer.for(6_000, 'starting')).toMatchObject({ mode: 'llhls', why: 'stopped' });
  });

  it('stays where it is while the program stands still, and holds it against no way', () => {
    const viewer = new Viewer();
    viewer.world.rtc = false;
    viewer.step();
    viewer.for(10_000, 'good');
    for (let i = 0; i < 10; ++i) {
      expect(viewer.for(1_000, 'dead').mode).toBe('llhls');
      expect(viewer.for(120_000, 'still')).toMatchObject({ mode: 'llhls', trying: null });
      expect(viewer.for(5_000, 'dead').mode).toBe('llhls');
      viewer.for(1_000, 'good');
    }
    // What is the line's fault afterwards is judged as on the first day.
    expect(viewer.for(7_000, 'dead')).toMatchObject({ mode: 'hls', why: 'stopped' });
    expect(viewer.for(35_000, 'good')).toMatchObject({ trying: 'llhls' });
  });

  it('waits as long for a player that was made anew as for the first', () => {
    const viewer = new Viewer();
    viewer.world.rtc = false;
    viewer.step();
    viewer.for(60_000, 'good');
    expect(viewer.for(11_000, 'starting').mode).toBe('llhls');
    expect(viewer.for(2_000, 'starting').mode).toBe('hls');
  });

  it('tries the call while the program stands still', () => {
    const viewer = new Viewer();
    viewer.for(10_000, 'good');
    viewer.for(2_000, 'dead');
    expect(viewer.last.mode).toBe('llhls');
    viewer.for(29_000, 'still');
    expect(viewer.last).toMatchObject({ mode: 'llhls', trying: null });
    expect(viewer.for(2_000, 'still')).toMatchObject({ mode: 'llhls', trying: 'rtc' });
    expect(viewer.for(1_000, 'still', 'good')).toMatchObject({ mode: 'rtc', why: 'best' });
  });

  it('begins again from above where the last way brings nothing', () => {
    const viewer = new Viewer();
    viewer.world.rtc = false;
    viewer.step();
    viewer.for(10_000, 'good');
    for (const mode of ['hls', 'audio', 'llhls', 'hls']) {
      expect(viewer.for(30_000, 'dead').mode).toBe(mode);
    }
  });
});
