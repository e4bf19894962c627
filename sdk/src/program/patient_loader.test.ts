import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  type Loader,
  type LoaderCallbacks,
  type LoaderContext,
  patientLoader,
  STALE_WAIT_MS,
} from './patient_loader.ts';

/** Answers at once with what is in the cache. */
let cache: string;
let asked: string[];
class AtOnce implements Loader {
  load(context: LoaderContext, _: unknown, callbacks: LoaderCallbacks): void {
    asked.push(context.url);
    callbacks.onSuccess({ data: cache });
  }
  abort(): void {}
  destroy(): void {}
}
const ask = (Class: ReturnType<typeof patientLoader>, url: string): Loader => {
  const loader = new Class({} as never);
  loader.load({ url }, {}, { onSuccess: () => undefined });
  return loader;
};

describe('a patient loader', () => {
  beforeEach(() => {
    vi.useFakeTimers();
    asked = [];
    cache = 'one';
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('asks at once as long as each answer brings something new', () => {
    const Class = patientLoader(AtOnce, () => Date.now());
    for (let part = 0; part < 5; ++part) {
      cache = `part ${part}`;
      ask(Class, `v.m3u8?_HLS_part=${part}`);
    }
    expect(asked).toHaveLength(5);
  });

  it('waits after an answer that was known, however the request was put', () => {
    const Class = patientLoader(AtOnce, () => Date.now());
    ask(Class, 'v.m3u8?_HLS_part=1');
    ask(Class, 'v.m3u8?_HLS_part=2');
    ask(Class, 'v.m3u8?_HLS_part=2&_HLS_skip=YES');
    expect(asked).toHaveLength(2);
    vi.advanceTimersByTime(STALE_WAIT_MS);
    expect(asked).toHaveLength(3);
  });

  it('makes no other playlist wait', () => {
    const Class = patientLoader(AtOnce, () => Date.now());
    ask(Class, 'v.m3u8');
    ask(Class, 'v.m3u8');
    ask(Class, 'a.m3u8');
    expect(asked).toEqual(['v.m3u8', 'v.m3u8', 'a.m3u8']);
  });

  it('is at once again when something new came', () => {
    const Class = patientLoader(AtOnce, () => Date.now());
    ask(Class, 'v.m3u8');
    ask(Class, 'v.m3u8');
    cache = 'two';
    ask(Class, 'v.m3u8');
    vi.advanceTimersByTime(STALE_WAIT_MS);
    cache = 'three';
    ask(Class, 'v.m3u8');
    expect(asked).toHaveLength(4);
  });

  it('knows a stale answer from one to a request that need not bring anything new', () => {
    const Class = patientLoader(AtOnce, () => Date.now());
    const then = (url: string): boolean => {
      vi.advanceTimersByTime(STALE_WAIT_MS);
      ask(Class, url);
      return Class.stale;
    };
    expect([then('v.m3u8'), then('v.m3u8')]).toEqual([false, false]);
    expect([then('v.m3u8?_HLS_msn=3'), then('v.m3u8')]).toEqual([true, true]);
    cache = 'two';
    expect([then('v.m3u8'), then('v.m3u8')]).toEqual([false, false]);
  });

  it('asks nothing after it was aborted or destroyed', () => {
    const Class = patientLoader(AtOnce, () => Date.now());
    ask(Class, 'v.m3u8');
    ask(Class, 'v.m3u8');
    ask(Class, 'v.m3u8').abort();
    ask(Class, 'v.m3u8').destroy();
    vi.advanceTimersByTime(10 * STALE_WAIT_MS);
    expect(asked).toHaveLength(2);
  });
});
