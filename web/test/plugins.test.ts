// @vitest-environment node
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { policy } from '../plugins/content_policy';
import { precompress_folder } from '../plugins/precompress';

describe('precompression', () => {
  let folder = '';
  beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'precompress-'))));
  afterEach(() => rm(folder, { recursive: true }));

  it('writes copies that decompress to the same bytes', async () => {
    const text = 'Two doors, one bell. '.repeat(200);
    await writeFile(join(folder, 'a.js'), text);
    expect(await precompress_folder(folder)).toBe(2);
    expect(brotliDecompressSync(await readFile(join(folder, 'a.js.br'))).toString()).toBe(text);
    expect(gunzipSync(await readFile(join(folder, 'a.js.gz'))).toString()).toBe(text);
  });
  it('leaves alone what is compressed already or too small to gain', async () => {
    await writeFile(join(folder, 'font.woff2'), Buffer.alloc(4096));
    await writeFile(join(folder, 'tiny.css'), 'a{}');
    expect(await precompress_folder(folder)).toBe(0);
    await expect(stat(join(folder, 'font.woff2.br'))).rejects.toThrow();
  });
});

describe('the content security policy', () => {
  it('allows no inline code, no evaluation and no other host', () => {
    const text = policy('');
    expect(text).not.toContain('unsafe');
    expect(text).toContain("default-src 'none'");
    expect(text).toContain("connect-src 'self';");
  });
  it('opens only the connections that are named', () => {
    expect(policy('wss://edge.example')).toContain("connect-src 'self' wss://edge.example;");
  });
});
