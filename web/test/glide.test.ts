import { describe, expect, it } from 'vitest';
import { Glide } from '../src/board/glide';

describe('Glide', () => {
  const run = (every_ms: number): number => {
    const glide = new Glide();
    let share = 0;
    for (let now_ms = 0, x = 0; now_ms < 10_000; now_ms += 16) {
      if (now_ms % every_ms < 16) x += 10;
      share = glide.share(7, { x, y: 0 }, now_ms);
    }
    return share;
  };
  it('goes most of the way before the next step comes, however long the steps are', () => {
    for (const every_ms of [32, 100, 250]) {
      const frames = every_ms / (1000 / 60);
      expect((1 - run(every_ms)) ** frames).toBeGreaterThan(0.15);
      expect((1 - run(every_ms)) ** frames).toBeLessThan(0.5);
    }
  });
  it('is slower for slower news', () => {
    expect(run(250)).toBeLessThan(run(100));
    expect(run(100)).toBeLessThan(run(32));
  });
});
