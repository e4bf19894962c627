import { beforeEach, describe, expect, it } from 'vitest';
import { claims, forget_address, read_address, type Shelf } from '../src/lib/address';

class MemoryShelf implements Shelf {
  map = new Map<string, string>();
  getItem = (key: string) => this.map.get(key) ?? null;
  setItem = (key: string, value: string) => void this.map.set(key, value);
  removeItem = (key: string) => void this.map.delete(key);
}
const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
const token = `${part({ alg: 'HS256' })}.${part({ sub: 'ann', ep: 'demo', name: 'Zoë' })}.sig`;

describe('the address of a page', () => {
  let shelf: MemoryShelf;
  beforeEach(() => void (shelf = new MemoryShelf()));

  it('comes from the fragment', () => {
    const address = read_address('audience', `#token=${token}&ep=demo&show=poll`, shelf);
    expect(address).toMatchObject({ token, episode: 'demo', server: '' });
    expect(address?.options.get('show')).toBe('poll');
  });
  it('survives a reload without the fragment', () => {
    read_address('audience', `#token=${token}&ep=demo`, shelf);
    expect(read_address('audience', '', shelf)?.token).toBe(token);
  });
  it('is not shared between pages', () => {
    read_address('audience', `#token=${token}`, shelf);
    expect(read_address('console', '', shelf)).toBeNull();
  });
  it('takes a new token over the remembered one', () => {
    read_address('stage', `#token=${token}`, shelf);
    read_address('stage', '#token=a.b.c', shelf);
    expect(read_address('stage', '', shelf)?.token).toBe('a.b.c');
  });
  it('keeps options that stand beside the remembered token', () => {
    read_address('overlay', `#token=${token}&scale=2`, shelf);
    expect(read_address('overlay', '#scale=1', shelf)?.options.get('scale')).toBe('1');
  });
  it('is forgotten on request', () => {
    read_address('stage', `#token=${token}`, shelf);
    forget_address('stage', shelf);
    expect(read_address('stage', '', shelf)).toBeNull();
  });
  it('takes the episode from the token when the fragment names none', () => {
    expect(read_address('stage', `#token=${token}`, shelf)?.episode).toBe('demo');
  });
  it('accepts only an http origin as server', () => {
    const server = (text: string) =>
      read_address('stage', `#token=${token}&server=${encodeURIComponent(text)}`, null)?.server;
    expect(server('https://edge.example:8443/path')).toBe('https://edge.example:8443');
    expect(server('javascript:alert(1)')).toBe('');
    expect(server('nonsense')).toBe('');
  });
  it('does without storage', () => {
    const broken: Shelf = {
      getItem: () => {
        throw new Error('denied');
      },
      setItem: () => {
        throw new Error('denied');
      },
      removeItem: () => {
        throw new Error('denied');
      },
    };
    expect(read_address('stage', `#token=${token}`, broken)?.token).toBe(token);
    expect(read_address('stage', '', broken)).toBeNull();
    expect(read_address('stage', '', null)).toBeNull();
  });
});

describe('claims', () => {
  it('reads UTF-8 names', () => expect(claims(token)?.['name']).toBe('Zoë'));
  it('is null for what is no token', () => {
    for (const text of ['', 'a', 'a.b', 'a.!!!.c', `a.${part([1])}.c`, `a.${part(7)}.c`])
      expect(claims(text)).toBeNull();
  });
});
