import { describe, expect, it } from 'vitest';
import type { Cue } from '@footlight/client';
import { should_reload } from '../src/lib/build';
import { in_order, is_page_key, next_cue } from '../src/lib/cues';
import { add_die } from '../src/lib/dice_expression';
import { page_link, token_command } from '../src/lib/links';
import { plot_data } from '../src/lib/plot_data';
import { fresh_poll_id } from '../src/lib/poll_id';
import type { SloPoint } from '../src/lib/show.svelte';
import { dev_links_of, episodes_of } from '../src/landing/house';
import { kParts, overlay_options } from '../src/overlay/options';

describe('the cue list', () => {
  const cue = (n: number, done: boolean): Cue => ({
    n,
    label: `cue ${n}`,
    k: 'scene.go',
    a: {},
    done,
  });
  const list = (...done: boolean[]) =>
    in_order(new Map(done.map((it, index) => [String(index + 1), cue(index + 1, it)])));

  it('runs in the order of its numbers, not of arrival', () => {
    const cues = new Map([
      ['10', cue(10, false)],
      ['2', cue(2, false)],
    ]);
    expect(in_order(cues).map(([id]) => id)).toEqual(['2', '10']);
  });
  it('goes on after the last one done, leaving skipped cues skipped', () => {
    expect(next_cue(list(true, false, true, false))?.[0]).toBe('4');
    expect(next_cue(list(false, false))?.[0]).toBe('1');
    expect(next_cue(list(true, true))).toBeNull();
    expect(next_cue([])).toBeNull();
  });
  it('does not listen to keys that are typed into a field or combined', () => {
    const press = (target: HTMLElement | null, init: KeyboardEventInit = {}) => {
      let answer = false;
      const on = (event: KeyboardEvent) => (answer = is_page_key(event));
      (target ?? document.body).addEventListener('keydown', on, { once: true });
      (target ?? document.body).dispatchEvent(
        new KeyboardEvent('keydown', { key: 'n', bubbles: true, ...init }),
      );
      return answer;
    };
    expect(press(null)).toBe(true);
    expect(press(document.createElement('button'))).toBe(true);
    expect(press(document.createElement('input'))).toBe(false);
    expect(press(document.createElement('textarea'))).toBe(false);
    expect(press(null, { ctrlKey: true })).toBe(false);
  });
});

describe('a dice expression built by buttons', () => {
  it('counts up the kind that stands last and adds any other', () => {
    expect(add_die('', '1d6')).toBe('1d6');
    expect(add_die('1d6', '1d6')).toBe('2d6');
    expect(add_die('d6', '1d6')).toBe('2d6');
    expect(add_die('1d20+1d6', '1d6')).toBe('1d20+2d6');
    expect(add_die('1d20', '1d6')).toBe('1d20+1d6');
    expect(add_die('1d20+5', '1d20')).toBe('1d20+5+1d20');
    expect(add_die('1d6', '4d6kh3')).toBe('1d6+4d6kh3');
  });
});

describe('the id of an ad-hoc poll', () => {
  it('is readable, allowed by the server and not taken', () => {
    expect(fresh_poll_id('Wer öffnet die Tür?', new Set())).toBe('wer-o-ffnet-die-tu-r');
    expect(fresh_poll_id('???', new Set())).toBe('poll');
    expect(fresh_poll_id('Which door?', new Set(['which-door', 'which-door-2']))).toBe(
      'which-door-3',
    );
    for (const title of ['x'.repeat(300), '日本語', 'a b'.repeat(50)]) {
      expect(fresh_poll_id(title, new Set())).toMatch(/^[a-z0-9-]{1,64}$/);
    }
  });
});

describe('links', () => {
  it('carry everything in the fragment, where no server sees it', () => {
    const link = page_link('https://x.example', 'overlay', 'demo', 'a.b.c', { show: 'poll,dice' });
    expect(link).toBe('https://x.example/overlay/#ep=demo&token=a.b.c&show=poll,dice');
    expect(new URL(link).search).toBe('');
  });
  it('come with the command that makes their token', () => {
    expect(token_command('https://x.example', 'demo', 'viewer', 'overlay')).toContain(
      '--role viewer --sub overlay --page https://x.example/overlay/',
    );
  });
});

describe('the options of an overlay', () => {
  const of = (text: string) => overlay_options(new URLSearchParams(text));
  it('show every part unless some are named', () => {
    expect([...of('').parts]).toEqual([...kParts]);
    expect([...of('show=poll, dice,unknown').parts]).toEqual(['poll', 'dice']);
    expect([...of('show=unknown').parts]).toEqual([...kParts]);
  });
  it('keep the scale within bounds whatever is written', () => {
    expect(
      ['', 'scale=1.5', 'scale=99', 'scale=0', 'scale=-3', 'scale=x'].map((text) => of(text).scale),
    ).toEqual([1, 1.5, 4, 1, 1, 1]);
  });
  it('know two themes and two sides', () => {
    expect(of('theme=light&align=right')).toMatchObject({ theme: 'light', align: 'right' });
    expect(of('theme=pink&align=up')).toMatchObject({ theme: 'dark', align: 'left' });
  });
});

describe('a new build', () => {
  it('reloads a page once, and again only for another build', () => {
    const map = new Map<string, string>();
    const shelf = {
      getItem: (key: string) => map.get(key) ?? null,
      setItem: (key: string, value: string) => void map.set(key, value),
    };
    expect([
      should_reload('b2', shelf),
      should_reload('b2', shelf),
      should_reload('b3', shelf),
    ]).toEqual([true, false, true]);
  });
  it('never loops where nothing can be remembered', () => {
    const broken = {
      getItem: () => {
        throw new Error('denied');
      },
      setItem: () => undefined,
    };
    expect(should_reload('b2', broken)).toBe(false);
  });
});

describe('what a node tells without a token', () => {
  it('is taken only in the expected shape', () => {
    expect(
      episodes_of({
        episodes: [{ id: 'demo', title: 'Demo', state: 'live' }, { title: 'no id' }, 7],
      }),
    ).toEqual([{ id: 'demo', title: 'Demo', state: 'live' }]);
    for (const odd of [null, 7, 'x', {}, { episodes: 'x' }]) expect(episodes_of(odd)).toEqual([]);
  });
  it('never links to another origin', () => {
    const links = {
      links: [
        { page: 'stage', name: 'Ann', url: '/stage/#token=x' },
        { page: 'stage', name: 'Eve', url: 'https://evil.example/' },
        { page: 'stage', name: 'Js', url: 'javascript:alert(1)' },
      ],
    };
    expect(dev_links_of(links, 'http://127.0.0.1:8080')).toEqual([
      { page: 'stage', name: 'Ann', url: 'http://127.0.0.1:8080/stage/#token=x' },
    ]);
  });
});

describe('plots', () => {
  it('leave a gap where a second had no samples, and draw the budget through', () => {
    const points: SloPoint[] = [
      { at_s: 1, p50: { vote: 40 }, p99: { vote: 120 } },
      { at_s: 2, p50: {}, p99: {} },
    ];
    expect(plot_data(points, 'vote', 250)).toEqual([
      [1, 2],
      [120, null],
      [40, null],
      [250, 250],
    ]);
  });
});
