import { describe, expect, test, vi } from 'vitest';
import { Emitter, Family, Value } from './readable.ts';

describe('observables', () => {
  test('a subscriber is called at once, at each change, and not after it has ended', () => {
    const value = new Value(1);
    const seen: number[] = [];
    const end = value.subscribe((v) => seen.push(v));
    value.set(1);
    value.set(2);
    end();
    value.set(3);
    expect(seen).toEqual([1, 2]);
  });

  test('one that throws is reported and costs the others nothing', () => {
    const report = vi.spyOn(console, 'error').mockImplementation(() => {});
    const value = new Value(1);
    const seen: number[] = [];
    value.subscribe(() => {
      throw new Error('mine');
    });
    value.subscribe((v) => seen.push(v));
    value.set(2);
    expect(seen).toEqual([1, 2]);
    expect(report).toHaveBeenCalledTimes(2);
    const emitter = new Emitter<{ a: number }>();
    emitter.on('a', () => {
      throw new Error('mine');
    });
    emitter.on('a', (v) => seen.push(v));
    emitter.emit('a', 9);
    expect(seen).toEqual([1, 2, 9]);
    report.mockRestore();
  });

  test('one that ends another in its call is obeyed', () => {
    const value = new Value(0);
    const seen: string[] = [];
    let endSecond = (): void => {};
    value.subscribe((v) => {
      if (v === 1) endSecond();
      seen.push(`a${v}`);
    });
    endSecond = value.subscribe((v) => seen.push(`b${v}`));
    value.set(1);
    expect(seen).toEqual(['a0', 'b0', 'a1']);
  });

  test('a family keeps only what is watched', () => {
    const values = new Map([['x', 1]]);
    const family = new Family<string, number | undefined>((key) => values.get(key));
    const seen: (number | undefined)[] = [];
    const end = family.of('x').subscribe((v) => seen.push(v));
    values.set('x', 2);
    expect(family.of('x').get()).toBe(2);
    family.refresh('x');
    family.refresh('y');
    end();
    values.set('x', 3);
    family.refreshAll();
    expect(seen).toEqual([1, 2]);
    expect(family.of('x').get()).toBe(3);
  });
});
