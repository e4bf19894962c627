import { describe, expect, test } from 'vitest';
import { ViewStore } from './view_store.ts';
import type { Patch } from './wire.ts';

const delta = (off: number, p: Patch[]) => ({ t: 'delta', off, at: 0, p }) as const;

function store(): ViewStore {
  const view = new ViewStore();
  view.reset(1, 10, {
    timers: { a: { label: 'A' }, b: { label: 'B' } },
    chat: { '1': { text: 'hi' } },
  });
  return view;
}

describe('a delta', () => {
  test('replaces, adds and removes entities, and tells what changed', () => {
    const view = store();
    const changed = view.apply(
      delta(11, [
        ['timers', 'a', { label: 'A2' }],
        ['timers', 'b', null],
        ['timers', 'gone', null],
        ['rolls', '1', { total: 7 }],
      ]),
    );
    expect(changed).toEqual([
      ['timers', 'a'],
      ['timers', 'b'],
      ['rolls', '1'],
    ]);
    expect(view.offset).toBe(11);
    expect([...view.collection('timers').get()]).toEqual([['a', { label: 'A2' }]]);
    expect(view.get('rolls', '1')).toEqual({ total: 7 });
  });

  test('tells each watcher once, and only those it concerns', () => {
    const view = store();
    const calls: string[] = [];
    view.entity('timers', 'a').subscribe(() => calls.push('a'));
    view.entity('timers', 'b').subscribe(() => calls.push('b'));
    view.collection('timers').subscribe(() => calls.push('timers'));
    view.collection('chat').subscribe(() => calls.push('chat'));
    view.episode.subscribe(() => calls.push('episode'));
    calls.length = 0;
    view.apply(
      delta(11, [
        ['timers', 'a', { label: 'x' }],
        ['timers', 'a', { label: 'y' }],
        ['timers', 'c', { label: 'z' }],
      ]),
    );
    expect(calls).toEqual(['a', 'timers']);
  });

  test('leaves a collection someone holds as it was', () => {
    const view = store();
    const before = view.collection('timers').get();
    view.apply(delta(11, [['timers', 'a', null]]));
    expect(before.size).toBe(2);
    expect(view.collection('timers').get().size).toBe(1);
  });

  test('that is old, or comes before a view, is not taken in', () => {
    const view = store();
    expect(view.apply(delta(10, [['timers', 'a', null]]))).toBeNull();
    expect(view.apply(delta(3, [['timers', 'a', null]]))).toBeNull();
    expect(view.get('timers', 'a')).toEqual({ label: 'A' });
    const empty = new ViewStore();
    expect(empty.apply(delta(1, [['timers', 'a', {}]]))).toBeNull();
    expect(empty.resume).toBeNull();
  });

  test('cannot name its way out of the view', () => {
    const view = store();
    view.apply(
      delta(11, [
        ['__proto__', 'polluted', { yes: 1 }],
        ['constructor', 'prototype', { yes: 1 }],
        ['timers', '__proto__', { label: 'odd' }],
      ]),
    );
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    expect(view.get('timers', '__proto__')).toEqual({ label: 'odd' });
    expect(view.get('__proto__' as never, 'polluted')).toEqual({ yes: 1 });
  });

  test('beyond what a view may hold is not taken in', () => {
    const view = new ViewStore();
    view.reset(1, 1, {});
    const many = Array.from({ length: 10_010 }, (_, k): Patch => ['chat', String(k), { k }]);
    expect(view.apply(delta(2, many))).toHaveLength(10_000);
    const names = Array.from({ length: 100 }, (_, k): Patch => [`c${k}`, 'x', {}]);
    expect(view.apply(delta(3, names))).toHaveLength(63);
  });
});

describe('a whole view', () => {
  test('that says the same tells nobody', () => {
    const view = store();
    const calls: string[] = [];
    view.entity('timers', 'a').subscribe(() => calls.push('a'));
    view.collection('timers').subscribe(() => calls.push('timers'));
    view.collection('chat').subscribe(() => calls.push('chat'));
    calls.length = 0;
    const before = view.get('timers', 'a');
    view.reset(2, 5, {
      timers: { a: { label: 'A' }, b: { label: 'B' } },
      chat: { '1': { text: 'edited' } },
    });
    expect(calls).toEqual(['chat']);
    expect(view.get('timers', 'a')).toBe(before);
    expect(view.resume).toEqual({ epoch: 2, off: 5 });
  });

  test('takes away what it does not have', () => {
    const view = store();
    const seen: unknown[] = [];
    view.entity('timers', 'a').subscribe((timer) => seen.push(timer));
    view.reset(1, 20, { chat: {} });
    expect(seen).toEqual([{ label: 'A' }, undefined]);
    expect(view.collection('timers').get().size).toBe(0);
  });

  test('with nonsense in it keeps the rest', () => {
    const view = new ViewStore();
    view.reset(1, 1, { timers: { a: 5, b: { label: 'B' } }, chat: null, rolls: 'x' } as never);
    expect([...view.collection('timers').get().keys()]).toEqual(['b']);
  });

  test('in doubt is shown, but not resumed from', () => {
    const view = store();
    view.doubt();
    expect(view.resume).toBeNull();
    expect(view.get('timers', 'a')).toEqual({ label: 'A' });
    expect(view.apply(delta(11, [['timers', 'a', null]]))).toBeNull();
  });
});
