// node join_time.mjs [JOINS]: how long a viewer in Chromium waits for the first decoded frame of a synthetic publisher on
// loopback, from before its offer is made, by nothing but WHEP and the browser's own API. One JSON object; for ./dev bench sfu.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { launch } from './lib/browser.mjs';
import { until } from './lib/harness.mjs';
import { ports } from './lib/ports.mjs';
import { RealNode, footlight_bin } from './lib/real_node.mjs';

const kEpisode = fileURLToPath(new URL('show.episode.yaml', import.meta.url));
const joins = Number(process.argv[2] ?? 20);

/** In the page: joins, waits for a frame, leaves; milliseconds. */
async function join(token) {
  const began = performance.now();
  const peer = new RTCPeerConnection();
  for (const kind of ['audio', 'video']) peer.addTransceiver(kind, { direction: 'recvonly' });
  const video = document.createElement('video');
  video.muted = true;
  video.autoplay = true;
  document.body.append(video);
  const shown = new Promise((resolve) =>
    video.requestVideoFrameCallback(() => resolve(performance.now())),
  );
  peer.ontrack = ({ track }) => {
    if (track.kind === 'video') video.srcObject = new MediaStream([track]);
  };
  await peer.setLocalDescription();
  const answer = await fetch('/v1/whep/show', {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/sdp' },
    body: peer.localDescription.sdp,
  });
  await peer.setRemoteDescription({ type: 'answer', sdp: await answer.text() });
  const took = (await shown) - began;
  peer.close();
  video.remove();
  await fetch(answer.headers.get('location'), { method: 'DELETE' });
  return took;
}

const node = await RealNode.start(ports.join, kEpisode, 'show');
const browser = await launch([
  '--allow-loopback-in-peer-connection',
  '--autoplay-policy=no-user-gesture-required',
]);
const words = ['load', 'media', '--url', node.address, '--episode-id', 'show', '--dev'];
const load = spawn(
  footlight_bin,
  [...words, '--publishers', '1', '--subscribers', '1', '--seconds', '600'],
  {
    stdio: 'ignore',
  },
);
try {
  const metrics = async () => (await fetch(`${node.address}/metrics`)).text();
  await until(
    async () => /^footlight_media_streams\{direction="transmit"\} 2$/m.test(await metrics()),
    'a publisher',
  );
  const page = await (await browser.newContext()).newPage();
  await page.goto(`${node.address}/healthz`);
  const link = await node.link('stage', 'vera', 'viewer', 'Vera');
  const token = new URLSearchParams(new URL(link).hash.slice(1)).get('token');
  const took = [];
  for (let i = 0; i <= joins; ++i) took.push(await page.evaluate(`(${join})('${token}')`));
  took.shift(); // the browser's own first time
  took.sort((a, b) => a - b);
  const at = (part) => Math.round(took[Math.floor(took.length * part)]);
  console.log(
    JSON.stringify({ p50_ms: at(0.5), p90_ms: at(0.9), most_ms: Math.round(took.at(-1)), joins }),
  );
} finally {
  load.kill('SIGINT');
  await browser.close();
  await node.remove();
}
