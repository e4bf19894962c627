import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { WebSocket } from 'ws';
import { memoryStorage } from '../src/platform.ts';
import type { ClientOptions, WebSocketConstructor } from '../src/types.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const binary = process.env['FOOTLIGHT_BIN'] ?? join(root, 'build/release/src/cli/footlight');

export const hasBinary = existsSync(binary);

/** Waits for a condition of another process, which no injected clock can hurry. */
export async function until(holds: () => boolean, what: string, limit_ms = 20_000): Promise<void> {
  for (let passed_ms = 0; !holds(); passed_ms += 5) {
    if (passed_ms > limit_ms) throw new Error(`Not within ${limit_ms} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** `footlight serve --dev` as a child process, with the tabletop example. */
export class RealNode {
  readonly url: string;
  readonly #port: number;
  readonly #data = mkdtempSync(join(tmpdir(), 'footlight-sdk-'));
  #process: ChildProcess | null = null;
  #output = '';

  constructor(port: number) {
    this.#port = port;
    this.url = `http://127.0.0.1:${port}`;
  }

  async up(): Promise<void> {
    const args = ['serve', '--dev', '--quiet', '--port', String(this.#port), '--data', this.#data];
    const child = spawn(binary, [...args, '--episode', `${root}/examples/tabletop.episode.yaml`]);
    this.#process = child;
    process.once('exit', () => child.kill('SIGKILL'));
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (text: Buffer) => (this.#output += text.toString()));
    }
    let ready = false;
    const ask = async (): Promise<void> => {
      while (!ready && child.exitCode === null) {
        ready = await fetch(`${this.url}/readyz`)
          .then((answer) => answer.ok)
          .catch(() => false);
        if (!ready) await new Promise((resolve) => setTimeout(resolve, 20));
      }
    };
    void ask();
    await until(() => ready || child.exitCode !== null, 'the node to be ready');
    if (!ready) throw new Error(`footlight ended: ${this.#output}`);
  }

  /** Ends the process with `signal`; the data stay. */
  async down(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = this.#process;
    child?.kill(signal);
    await until(
      () => child === null || child.exitCode !== null || child.signalCode !== null,
      'end',
    );
  }

  async remove(): Promise<void> {
    await this.down('SIGKILL');
    rmSync(this.#data, { recursive: true, force: true });
  }

  token(sub: string, role: string, char?: string): string {
    const claims = ['--episode-id', 'tabletop', '--sub', sub, '--role', role];
    const more = char === undefined ? [] : ['--char', char];
    return execFileSync(binary, ['token', '--dev', ...claims, ...more], {
      encoding: 'utf8',
    }).trim();
  }

  /** A token of the development key that lives `ms`; the command line's are hours long. */
  shortToken(sub: string, role: string, ms: number): string {
    const exp = Math.ceil((Date.now() + ms) / 1000);
    const part = (value: object): string =>
      Buffer.from(JSON.stringify(value)).toString('base64url');
    const head = part({ alg: 'HS256', typ: 'JWT', kid: 'dev' });
    const text = `${head}.${part({ sub, ep: 'tabletop', role, exp })}`;
    const secret = 'footlight-development-key-known-to-everyone';
    return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
  }

  options(sub: string, role: string, char?: string): ClientOptions {
    return {
      url: this.url,
      token: this.token(sub, role, char),
      storage: memoryStorage(),
      WebSocket: WebSocket as unknown as WebSocketConstructor,
    };
  }
}
