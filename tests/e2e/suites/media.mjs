// Voice and video through the real node: pages publish a made-up camera by WHIP and watch by WHEP. What is
// checked is what the browser decoded.
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { launch, open_page } from '../lib/browser.mjs';
import { assert, equal, group, test, until } from '../lib/harness.mjs';
import { ports } from '../lib/ports.mjs';
import { RealNode } from '../lib/real_node.mjs';

const kEpisode = fileURLToPath(new URL('../show.episode.yaml', import.meta.url));
const install_media = await readFile(new URL('../lib/media_page.mjs', import.meta.url), 'utf8');
const kFlags = [
  '--use-fake-device-for-media-stream',
  '--use-fake-ui-for-media-stream',
  '--allow-loopback-in-peer-connection',
  '--autoplay-policy=no-user-gesture-required',
];

let node;
let browser;
group('media', {
  async before() {
    browser = await launch(kFlags);
    // Viewers are on another thread than who publishes, where there is one.
    const spread = ['--set', 'media.spread_after=0'];
    node = await RealNode.start(ports.media, kEpisode, 'show', spread);
  },
  async after() {
    await browser?.close();
    await node?.remove();
  },
});

async function token_of(sub, role) {
  const link = await node.link('stage', sub, role, sub);
  return new URLSearchParams(new URL(link).hash.slice(1)).get('token');
}
/** A page of the node's own origin, with the functions of media_page.mjs. */
async function open(options = {}) {
  const page = await open_page(browser, `${node.address}/healthz`, options);
  await page.evaluate(install_media);
  return page;
}
async function publish(page, sub, role, simulcast = false) {
  const token = await token_of(sub, role);
  return page.evaluate(
    ([url, it, both]) => window.media.publish(url, it, both),
    ['/v1/whip/show', token, simulcast],
  );
}
async function watch(page, sub) {
  const token = await token_of(sub, 'viewer');
  return page.evaluate(([url, it]) => window.media.watch(url, it), ['/v1/whep/show', token]);
}
const stats = (page, name) => page.evaluate((it) => window.media.stats(it), name);
/** Until so many more frames were decoded than now; the stats. */
async function more_frames(page, count, what, timeout_ms = 15_000) {
  const before = (await stats(page, 'watch')).frames ?? 0;
  return until(
    async () => {
      const now = await stats(page, 'watch');
      return now.frames >= before + count ? now : null;
    },
    what,
    timeout_ms,
  );
}

let camera;
let viewer;

test('a camera published by WHIP is seen and heard by WHEP', async () => {
  camera = await open();
  equal((await publish(camera, 'gale', 'gm')).status, 201, 'publishing');
  await until(
    async () => (await stats(camera, 'publish')).state === 'connected',
    'the publisher to be connected',
  );
  viewer = await open();
  equal((await watch(viewer, 'vera')).status, 201, 'watching');
  const seen = await more_frames(viewer, 60, '60 decoded frames');
  await until(async () => (await stats(viewer, 'watch')).energy > 0, 'sound');
  assert(seen.width > 0 && seen.first_frame_ms !== null, 'a frame was shown');
  console.log(`        first frame after ${Math.round(seen.first_frame_ms)} ms`);
});

test('an ICE restart by a fragment leaves the picture running', async () => {
  equal(await viewer.evaluate(() => window.media.restart_ice('watch')), 200, 'the restart');
  await more_frames(viewer, 30, '30 frames after the restart');
  equal((await stats(viewer, 'watch')).state, 'connected', 'state');
});

test('a publisher who reloads is seen again without a new offer of the viewer', async () => {
  await camera.reload();
  await camera.evaluate(install_media);
  equal((await publish(camera, 'gale', 'gm', true)).status, 201, 'publishing with simulcast');
  await more_frames(viewer, 60, '60 frames of the new session');
});

test('who came before the publisher sees the publisher, and the end is the end', async () => {
  equal(await camera.evaluate(() => window.media.end('publish')), 200, 'the end');
  equal(await camera.evaluate(() => window.media.end('publish')), 404, 'it is over');
  const early = await open({ allow: /404/ });
  equal((await watch(early, 'early')).status, 201, 'watching nobody');
  const player = await open();
  equal((await publish(player, 'ann', 'player')).status, 201, 'publishing');
  await more_frames(early, 30, '30 frames for who was early');
  await more_frames(viewer, 30, '30 frames for who stayed');
  equal(await player.evaluate(() => window.media.end('publish')), 200, 'the end');
});

test('viewers may not publish, strangers may do nothing, and metrics count', async () => {
  const page = await open({ allow: /40[134]/ });
  equal((await publish(page, 'vera', 'viewer')).status, 403, 'a viewer who publishes');
  const stranger = await fetch(`${node.address}/v1/whep/show`, {
    method: 'POST',
    headers: { 'content-type': 'application/sdp' },
    body: 'v=0',
  });
  equal(stranger.status, 401, 'without a token');
  const wrong = await fetch(`${node.address}/v1/whip/show`, { method: 'GET' });
  equal([wrong.status, wrong.headers.get('allow')], [405, 'OPTIONS, POST'], 'GET');
  const gone = await fetch(`${node.address}/v1/whep/show/0123`, { method: 'DELETE' });
  equal(gone.status, 404, 'no such session');
  const foreign = await fetch(`${node.address}/v1/whip/show`, {
    method: 'OPTIONS',
    headers: { origin: 'https://elsewhere.example' },
  });
  equal(foreign.status, 403, 'a foreign page');
  const metrics = await (await fetch(`${node.address}/metrics`)).text();
  const out = Number(metrics.match(/^footlight_media_packets_out_total (\d+)/m)[1]);
  assert(out > 100, `${out} packets went out`);
});
