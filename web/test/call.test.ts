import { describe, expect, it } from 'vitest';
import { call_problem, initials, link_words } from '../src/call/words';

describe('the words of a call', () => {
  it('makes at most two letters of a name, whatever its script', () => {
    expect(initials('Gale Marlowe')).toBe('GM');
    expect(initials('ann')).toBe('A');
    expect(initials('  Bo  van der Berg ')).toBe('BB');
    expect(initials('🎲 Änn')).toBe('🎲Ä');
    expect(initials('')).toBe('?');
  });

  it('says how a line is, without colour', () => {
    expect(link_words('Ann', { rttMs: 24, lossPm: 0 })).toBe(
      'Connection of Ann: good, 24 ms there and back, nothing lost',
    );
    expect(link_words('', { rttMs: 300, lossPm: 52 })).toBe(
      'Your connection: poor, 300 ms there and back, 5.2 % lost',
    );
    expect(link_words('Ann', null)).toBe('Connection of Ann: not known yet');
  });

  it('tells a problem with its number', () => {
    expect(call_problem({ code: 12, message: 'Not allowed.' })).toBe('Not allowed. (12)');
    expect(call_problem({ code: 4902, message: 'x' })).toContain('another tab');
    expect(call_problem(undefined)).toBe('That did not work.');
  });
});
