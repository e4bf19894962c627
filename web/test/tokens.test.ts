// The colours of both themes: every text colour on every ground it may stand on has the contrast that WCAG 2.2
// asks for (success criterion 1.4.3), also in states that a picture of a page seldom shows.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

const css = readFileSync('src/styles/tokens.css', 'utf8');

function theme(selector: string): Record<string, string> {
  const from = css.indexOf(selector);
  expect(from, selector).toBeGreaterThanOrEqual(0);
  const block = css.slice(css.indexOf('{', from), css.indexOf('}', from));
  const found = [...block.matchAll(/--([\w-]+):\s*(#[0-9a-f]{6});/g)];
  return Object.fromEntries(found.map((each) => [each[1]!, each[2]!]));
}

function luminance(color: string): number {
  const part = (at: number) => {
    const c = parseInt(color.slice(at, at + 2), 16) / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5);
}

function contrast(a: string, b: string): number {
  const [dark, light] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (light! + 0.05) / (dark! + 0.05);
}

const grounds = ['house', 'surface', 'raised', 'sunken'];
const texts: Record<string, string[]> = {
  ink: [...grounds, 'lamp-soft'],
  'ink-soft': [...grounds, 'lamp-soft'],
  'ink-faint': grounds,
  'lamp-text': [...grounds, 'lamp-soft'],
  'lamp-ink': ['lamp'],
  curtain: [...grounds, 'lamp-soft', 'curtain-soft'],
  good: [...grounds, 'good-soft'],
  warn: [...grounds, 'warn-soft'],
  cool: [...grounds, 'cool-soft'],
};

describe.each([":root[data-theme='dark'] {", ":root[data-theme='light'] {"])('%s', (selector) => {
  const colors = theme(selector);
  test.each(Object.entries(texts))('%s can be read on all its grounds', (text, on) => {
    for (const ground of on)
      expect(contrast(colors[text]!, colors[ground]!), `on ${ground}`).toBeGreaterThanOrEqual(4.5);
  });
});

test('who asked the system for a light page gets the light theme', () => {
  expect(theme(":root:not([data-theme='dark']) {")).toEqual(theme(":root[data-theme='light'] {"));
});
