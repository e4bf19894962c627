// node delay_rtc.mjs [SECONDS]: from one page's camera and microphone to what another page shows and plays, by the
// time burnt into both: through the node, and for comparison without any server. One JSON object, for ./dev bench sfu.
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { launch } from './lib/browser.mjs';
import { until } from './lib/harness.mjs';
import { ports } from './lib/ports.mjs';
import { RealNode } from './lib/real_node.mjs';

const kEpisode = fileURLToPath(new URL('show.episode.yaml', import.meta.url));
/** A browser that had to wait for the processor while it began keeps a longer buffer for a while. */
const kSettleMs = 15_000;
const seconds = Number(process.argv[2] ?? 20);
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const scripts = await Promise.all(
  ['media_page.mjs', 'clock_page.mjs'].map((name) =>
    readFile(new URL(`lib/${name}`, import.meta.url), 'utf8'),
  ),
);

const node = await RealNode.start(ports.media, kEpisode, 'show');
let browser;
async function open(sub, role) {
  const page = await (await browser.newContext({ bypassCSP: true })).newPage();
  await page.goto(`${node.address}/healthz`);
  for (const script of scripts) await page.evaluate(`{${script}}`);
  const link = await node.link('stage', sub, role, sub);
  return { page, token: new URLSearchParams(new URL(link).hash.slice(1)).get('token') };
}
async function by_node(camera, viewer) {
  await camera.page.evaluate((token) => window.media.publish('/v1/whip/show', token), camera.token);
  await viewer.page.evaluate((token) => window.media.watch('/v1/whep/show', token), viewer.token);
}
async function by_nothing(camera, viewer) {
  const offer = await camera.page.evaluate(() => window.media.offer());
  const answer = await viewer.page.evaluate((sdp) => window.media.answer(sdp), offer);
  await camera.page.evaluate((sdp) => window.media.accept(sdp), answer);
}
async function measured(connect) {
  browser = await launch([
    '--allow-loopback-in-peer-connection',
    '--autoplay-policy=no-user-gesture-required',
    '--disable-features=WebRtcHideLocalIpsWithMdns',
  ]);
  try {
    const camera = await open('gale', 'gm');
    await camera.page.evaluate(() => window.clock.camera());
    const viewer = await open('vera', 'viewer');
    await connect(camera, viewer);
    await until(
      async () => (await viewer.page.evaluate(() => window.media.stats('watch'))).frames > 10,
      'a picture',
      20_000,
    );
    await viewer.page.evaluate(() => window.clock.read(document.querySelector('video'), true));
    await wait(kSettleMs);
    await viewer.page.evaluate(() => window.clock.begin());
    await wait(1_000 * seconds);
    return await viewer.page.evaluate(() => window.clock.result());
  } finally {
    await browser.close();
  }
}
try {
  const node_ms = await measured(by_node);
  console.log(JSON.stringify({ node: node_ms, bare: await measured(by_nothing) }));
} finally {
  await node.remove();
}
