import { describe, expect, it } from 'vitest';
import { Claim } from './claim.ts';

describe('Claim', () => {
  it('is nothing before a cue, counts no longer back than it has been claimed, and is forgotten', () => {
    const claim = new Claim();
    expect(claim.allowance_ms(1_000)).toBe(0);
    claim.report(98_000, 100_000);
    expect(claim.allowance_ms(100_500)).toBe(500);
    expect(claim.allowance_ms(104_000)).toBe(2_000);
    expect(claim.allowance_ms(130_001)).toBe(0);
  });
  it('rises by a fifth of the time, falls at once, and is thirty seconds at the most', () => {
    const claim = new Claim();
    claim.report(100_000, 100_000);
    claim.report(85_000, 105_000);
    expect(claim.allowance_ms(110_000)).toBe(1_000);
    claim.report(90_000, 110_000);
    expect(claim.allowance_ms(115_000)).toBe(2_000);
    claim.report(114_500, 115_000);
    expect(claim.allowance_ms(116_000)).toBe(500);
    const late = new Claim();
    late.report(0, 100_000);
    expect(late.allowance_ms(129_000)).toBe(29_000);
    late.report(0, 130_000);
    expect(late.allowance_ms(159_999)).toBe(30_000);
  });
});
