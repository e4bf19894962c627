import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { main } from '../src/cli.ts';
import { verify } from '../src/verifier.ts';
import { golden } from './files.ts';

let folder: string;
let good: string;
let bad: string;
let out: string[];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'verify-'));
  good = join(folder, 'good.jsonl');
  bad = join(folder, 'bad.jsonl');
  const bytes = golden('small.jsonl');
  writeFileSync(good, bytes);
  bytes[500]! ^= 1;
  writeFileSync(bad, bytes);
});
afterAll(() => rmSync(folder, { recursive: true }));
beforeEach(() => {
  out = [];
  vi.spyOn(console, 'log').mockImplementation((line: string) => void out.push(line));
  vi.spyOn(console, 'error').mockImplementation((line: string) => void out.push(line));
});

describe('footlight-verify', () => {
  test('says what holds and exits 0', async () => {
    expect(await main([good])).toBe(0);
    expect(out.join('\n')).toMatch(/\n[0-9]+ passed, 0 failed$/);
  });

  test('says what fails and exits 1', async () => {
    expect(await main([bad, '--quiet'])).toBe(1);
    expect(out.join('\n')).toMatch(/^FAILED .*\n[0-9]+ passed, [1-9][0-9]* failed$/s);
  });

  test('prints the whole report as JSON', async () => {
    expect(await main(['--json', good])).toBe(0);
    expect(JSON.parse(out.join(''))).toEqual(verify(golden('small.jsonl')));
  });

  test('finds what is asked for', async () => {
    const { chain, seq } = verify(golden('small.jsonl')).head;
    expect(await main([good, '--chain', `${seq}:${chain}`, '--chain', chain])).toBe(0);
    expect(await main([good, '--chain', `1:${chain}`])).toBe(1);
    expect(await main([good, '--receipt', 'a'.repeat(32)])).toBe(1);
    expect(await main([good, '--commit', 'a'.repeat(64)])).toBe(1);
  });

  test('exits 2 when it was called wrongly or the file cannot be read', async () => {
    for (const args of [
      [],
      [good, good],
      ['--nonsense', good],
      [good, '--receipt'],
      [good, '--receipt', 'zz'],
      [good, '--commit', `1:${'a'.repeat(64)}`],
      [join(folder, 'none.jsonl')],
    ]) {
      expect(await main(args), args.join(' ')).toBe(2);
    }
    expect(await main(['--help'])).toBe(0);
  });

  test('runs as a program once it is built', async () => {
    const program = new URL('../bin/footlight-verify.mjs', import.meta.url).pathname;
    const build = new URL('../scripts/build.mjs', import.meta.url).pathname;
    const run = (...args: string[]) =>
      new Promise<{ code: number; text: string }>((resolve) =>
        execFile(process.execPath, args, (error, stdout) =>
          resolve({ code: error ? Number(error.code) : 0, text: stdout }),
        ),
      );
    expect((await run(build)).code).toBe(0);
    const passed = await run(program, good);
    expect(passed.code).toBe(0);
    expect(passed.text).toMatch(/ passed, 0 failed\n$/);
    expect((await run(program, bad)).code).toBe(1);
  }, 60_000);
});
