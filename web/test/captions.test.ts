import { describe, expect, it } from 'vitest';
import { caption_language, language_name } from '../src/watch/caption_language';

describe('the language of captions', () => {
  it('is the wanted one, else one like it, else the first', () => {
    const there = ['en', 'de-AT', 'pt-BR'];
    expect(caption_language(there, ['PT-br', 'en'])).toBe('pt-BR');
    expect(caption_language(there, ['fr', 'de-DE', 'en'])).toBe('de-AT');
    expect(caption_language(there, ['', 'fr'])).toBe('en');
    expect(caption_language([], ['en'])).toBe('');
  });
  it('is called by its own name, and by its tag when it has none', () => {
    expect(language_name('de')).toBe('Deutsch');
    expect(language_name('x1')).toBe('x1');
  });
});
