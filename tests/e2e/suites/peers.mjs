// Voice and video with a WebRTC stack that is neither ours nor a browser's (werift, from npm; skipped where it is
// absent): its ICE, DTLS, SRTP and RTP at both ends, and beside our own synthetic people.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { assert, equal, group, test, until } from '../lib/harness.mjs';
import { ports } from '../lib/ports.mjs';
import { RealNode, footlight_bin } from '../lib/real_node.mjs';
import { WeriftPeer, load_werift } from '../lib/werift_peer.mjs';

const kEpisode = fileURLToPath(new URL('../show.episode.yaml', import.meta.url));
const werift = await load_werift();
if (!werift) console.log('skipped: suite peers, as werift is not installed');

let node;
async function peer(name, role) {
  const link = await node.link('stage', name, role, name);
  const token = new URLSearchParams(new URL(link).hash.slice(1)).get('token');
  return new WeriftPeer(werift, node.address, token);
}
const watches = (one, audio, video, what) =>
  until(() => one.got.audio.length >= audio && one.got.video.length >= video, what, 20_000);

if (werift) {
  group('peers', {
    async before() {
      node = await RealNode.start(ports.peers, kEpisode, 'show');
    },
    async after() {
      await node?.remove();
    },
  });

  test('what werift publishes reaches werift, whole and in order', async () => {
    const gale = await peer('gale', 'gm');
    const vera = await peer('vera', 'viewer');
    await gale.publish('/v1/whip/show');
    await vera.watch('/v1/whep/show');
    await watches(vera, 100, 100, 'a hundred packets of each');
    const numbers = vera.got.audio.map(({ payload }) => payload.readUInt32BE(0));
    assert(
      numbers.every((n, k) => k === 0 || n > numbers[k - 1]),
      'voices in the order they were said',
    );
    assert(
      vera.got.audio.every(({ payload }) => payload.length === 60 && payload[59] === 7),
      'payloads as they were sent',
    );
    const runs = vera.got.video.map(({ sequence }) => sequence);
    const steps = runs.slice(1).map((n, k) => (n - runs[k]) & 0xffff);
    assert(
      steps.every((step) => step === 1),
      `one stream without gaps: ${steps.filter((step) => step !== 1)}`,
    );
    equal(await vera.close(), 200, 'the end of watching');
    equal(await gale.close(), 200, 'the end of publishing');
  });

  test('our synthetic people are heard and seen by werift', async () => {
    const words = ['load', 'media', '--url', node.address, '--episode-id', 'show', '--dev'];
    words.push('--publishers', '1', '--subscribers', '0', '--seconds', '60');
    const load = spawn(footlight_bin, words, { stdio: 'ignore' });
    const ended = new Promise((resolve) => load.once('exit', resolve));
    try {
      const vera = await peer('vera', 'viewer');
      await vera.watch('/v1/whep/show');
      await watches(vera, 100, 50, 'voice and picture');
      // The descriptor of VP8 with S set, extended; then the frame's head, whose lowest bit says key frame.
      const key = vera.got.video.some(
        ({ payload }) =>
          (payload[0] & 0x10) !== 0 && payload.includes(Buffer.from([0x9d, 1, 0x2a])),
      );
      assert(key, 'a key frame came');
      await vera.close();
    } finally {
      load.kill('SIGTERM');
      await ended;
    }
  });
}
