// coturn on loopback, by the start command that operators use.
import { spawn, spawnSync } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createSocket } from 'node:dgram';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { until } from './harness.mjs';

const command = fileURLToPath(new URL('../../../deploy/coturn/start.sh', import.meta.url));

export const has_coturn = () => spawnSync('sh', ['-c', 'command -v turnserver']).status === 0;

export class Relay {
  static async start(port, secret = 'a secret of two dozen') {
    const relay = new Relay();
    relay.folder = await mkdtemp(join(tmpdir(), 'footlight-relay-'));
    relay.port = port;
    relay.url = `turn:127.0.0.1:${port}?transport=udp`;
    relay.tcp_url = `turn:127.0.0.1:${port}?transport=tcp`;
    relay.secret_file = join(relay.folder, 'secret');
    await writeFile(relay.secret_file, `${secret}\n`);
    await chmod(relay.secret_file, 0o600);
    await relay.up();
    return relay;
  }
  async up() {
    const env = {
      ...process.env,
      TURN_SECRET_FILE: this.secret_file,
      TURN_REALM: 'footlight.test',
      TURN_LISTEN: '127.0.0.1',
    };
    const more = ['--allow-loopback-peers', '--min-port=42000', '--max-port=42999'];
    this.process = spawn(command, [`--listening-port=${this.port}`, ...more], {
      env,
      stdio: 'ignore',
    });
    this.ended = new Promise((resolve) => this.process.once('exit', resolve));
    await until(() => this.answers(), 'the relay to answer', 10_000);
  }
  /** Whether a binding request is answered. */
  answers() {
    return new Promise((resolve) => {
      const socket = createSocket('udp4');
      const done = (answer) => {
        clearTimeout(timer);
        socket.close();
        resolve(answer);
      };
      const timer = setTimeout(() => done(false), 200);
      socket.once('message', () => done(true));
      socket.on('error', () => done(false));
      const request = Buffer.from('000100002112a442', 'hex');
      socket.send(Buffer.concat([request, Buffer.from('footlight123')]), this.port, '127.0.0.1');
    });
  }
  async down() {
    this.process.kill('SIGTERM');
    await this.ended;
    await until(async () => !(await this.answers()), 'the relay to be gone');
  }
  async remove() {
    if (this.process.exitCode === null && this.process.signalCode === null) await this.down();
    await rm(this.folder, { recursive: true, force: true });
  }
}
