import { afterEach, describe, expect, it, vi } from 'vitest';
import { ask_program, gain_words, type ProgramStatus, voices_of } from '../src/lib/program';

afterEach(() => vi.unstubAllGlobals());

describe('the program desk', () => {
  it('has one slider for each person, however many pictures they send', () => {
    const input = { slot: 0, who: 'a', name: 'Ann', state: 'live', gain_permille: 1000 } as const;
    const screen = { ...input, slot: 1, name: 'Ann (screen)' };
    const inputs = [input, screen, { ...input, slot: 2, who: 'b', name: 'Ben' }];
    const status = { encoder: { inputs } } as unknown as ProgramStatus;
    expect(voices_of(status).map(({ name }) => name)).toEqual(['Ann', 'Ben']);
    expect(voices_of({ encoder: null } as ProgramStatus)).toEqual([]);
  });
  it('says how loud in words', () => {
    expect([gain_words(0), gain_words(1000), gain_words(1550)]).toEqual([
      'silent',
      '100 %',
      '155 %',
    ]);
  });
  it('asks where each wish belongs', async () => {
    const asked: string[] = [];
    vi.stubGlobal('fetch', (url: string) => {
      asked.push(url);
      return Promise.resolve(new Response('{}', { status: 200 }));
    });
    await ask_program('', 'show', 't');
    await ask_program('', 'show', 't', 'restart');
    await ask_program('', 'show', 't', { layout: 'grid' });
    await ask_program('', 'show', 't', { who: 'a', gain_permille: 0 });
    expect(asked.map((url) => url.replace('/v1/episodes/show/program', ''))).toEqual([
      '',
      '/restart',
      '/layout',
      '/gain',
    ]);
  });
});
