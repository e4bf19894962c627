// GStreamer as a publisher by WHIP: lib/whip_gst.py in a network of its own, since its ICE leaves loopback out. The
// way between is a pair of virtual interfaces, at whose near end a cable leads to the node. Needs root.
import { execFile, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { UdpCable } from './udp_cable.mjs';

const run = promisify(execFile);
const script = fileURLToPath(new URL('whip_gst.py', import.meta.url));
const ip = (words) => run('ip', words.split(' '));

/** A network namespace with a link to this one; throws when there may be none. */
export class Elsewhere {
  static async make(port, to_port) {
    const made = new Elsewhere();
    made.name = `fl${port}`;
    made.port = port;
    const net = `10.203.${port % 256}`;
    made.address = `${net}.1`;
    await made.remove();
    await ip(`netns add ${made.name}`);
    try {
      await ip(`link add ${made.name}a type veth peer name ${made.name}b`);
      await ip(`link set ${made.name}b netns ${made.name}`);
      await ip(`addr add ${net}.1/30 dev ${made.name}a`);
      await ip(`link set ${made.name}a up`);
      await ip(`-n ${made.name} addr add ${net}.2/30 dev ${made.name}b`);
      await ip(`-n ${made.name} link set ${made.name}b up`);
      made.cable = await UdpCable.lay(port, to_port, made.address);
    } catch (error) {
      await made.remove();
      throw error;
    }
    return made;
  }
  async remove() {
    this.cable?.remove();
    await ip(`netns del ${this.name}`).catch(() => {}); // its interfaces go with it
  }
}

/** Publishes at `url`; {end()}, or a text: why it cannot. */
export async function gst_publishes(elsewhere, url, token, codec) {
  const words = ['netns', 'exec', elsewhere.name, '/usr/bin/python3', script, codec];
  const child = spawn('ip', words, { stdio: ['pipe', 'pipe', 'ignore'] });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  let offer = '';
  for (;;) {
    const { value, done } = await lines.next();
    if (done) {
      return (await ended) === 77 ? offer.trim() : `it ended: ${offer}`;
    }
    if (value === '.') break;
    if (value !== '') offer += `${value}\r\n`;
  }
  const answer = await fetch(url, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/sdp' },
    body: offer,
  });
  const sdp = await answer.text();
  if (answer.status !== 201) {
    child.kill();
    throw new Error(`${codec}: ${answer.status} ${sdp}`);
  }
  const near = sdp
    .split('\r\n')
    .filter((line) => !/^a=candidate:.* tcp /i.test(line))
    .join('\r\n')
    .replace(
      /(a=candidate:\S+ \d+ udp \d+) \S+ \d+/gi,
      `$1 ${elsewhere.address} ${elsewhere.port}`,
    );
  child.stdin.write(`${near}.\n`);
  return {
    async end() {
      await fetch(new URL(answer.headers.get('location'), url), { method: 'DELETE' });
      child.stdin.end();
      await ended;
    },
  };
}
