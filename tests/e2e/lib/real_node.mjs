// The real `footlight serve --dev` as a child process.
import { execFile, spawn } from 'node:child_process';
import { createWriteStream, existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { output_folder } from './browser.mjs';
import { until } from './harness.mjs';

const root = fileURLToPath(new URL('../../../', import.meta.url));
export const footlight_bin =
  process.env.FOOTLIGHT_BIN ?? join(root, 'build/release/src/cli/footlight');
export const has_binary = () => existsSync(footlight_bin);
const run = promisify(execFile);

export async function footlight(...args) {
  const { stdout } = await run(footlight_bin, args, { maxBuffer: 64 * 1024 * 1024 });
  return stdout;
}

export class RealNode {
  /** `args`: more of the command line. */
  static async start(port, episode_file, episode_id, args = []) {
    const node = new RealNode();
    node.data = await mkdtemp(join(tmpdir(), 'footlight-e2e-'));
    node.port = port;
    node.address = `http://127.0.0.1:${port}`;
    node.episode_file = episode_file;
    node.episode_id = episode_id;
    node.args = args;
    await node.up();
    return node;
  }
  /** Starts the process on the same data and port; answers when it is ready. */
  async up() {
    await mkdir(output_folder, { recursive: true });
    const log = createWriteStream(join(output_folder, `node-${this.port}.log`), { flags: 'a' });
    const args = [
      'serve',
      '--dev',
      '--episode',
      this.episode_file,
      '--data',
      this.data,
      '--port',
      String(this.port),
      '--static',
      join(root, 'web/dist'),
      ...this.args,
    ];
    this.process = spawn(footlight_bin, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.process.stdout.pipe(log);
    this.process.stderr.pipe(log);
    this.ended = new Promise((resolve) =>
      this.process.once('exit', (code, signal) => resolve(code ?? signal)),
    );
    let ended = null;
    void this.ended.then((how) => (ended = how));
    await until(
      async () => {
        if (ended !== null)
          throw new Error(`footlight ended with ${ended}; see test-results/node-${this.port}.log`);
        return (await fetch(`${this.address}/readyz`)).ok;
      },
      'the node to be ready',
      10_000,
    );
  }
  async kill() {
    this.process.kill('SIGKILL');
    await this.ended;
  }
  /** SIGTERM; what it exited with. */
  async down() {
    this.process.kill('SIGTERM');
    return this.ended;
  }
  async remove() {
    if (this.process.exitCode === null && this.process.signalCode === null) await this.kill();
    await rm(this.data, { recursive: true, force: true });
  }
  log_file() {
    return join(this.data, `${this.episode_id}.episode`);
  }
  async link(page, sub, role, name, chars = []) {
    const args = [
      'token',
      '--dev',
      '--episode-id',
      this.episode_id,
      '--sub',
      sub,
      '--role',
      role,
      '--name',
      name,
      '--page',
      `${this.address}/${page}/`,
    ];
    for (const id of chars) args.push('--char', id);
    return (await footlight(...args)).trim();
  }
}
