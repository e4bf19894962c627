// Without UDP, as behind many firewalls: voice and video go to the node itself over TCP, on the port of its pages, and
// so does the session of the cast.
import { fileURLToPath } from 'node:url';
import { launch, open_page, without_udp } from '../lib/browser.mjs';
import { bundled } from '../lib/bundle.mjs';
import { assert, equal, group, test, until } from '../lib/harness.mjs';
import { ports } from '../lib/ports.mjs';
import { RealNode } from '../lib/real_node.mjs';

const kEpisode = fileURLToPath(new URL('../show.episode.yaml', import.meta.url));
const kFlags = [
  '--use-fake-device-for-media-stream',
  '--use-fake-ui-for-media-stream',
  '--allow-loopback-in-peer-connection',
  '--autoplay-policy=no-user-gesture-required',
];

let node;
let browser;
let page;
group('tcp', {
  async before() {
    browser = await launch(kFlags);
    node = await RealNode.start(ports.tcp, kEpisode, 'show');
    page = await open_page(browser, `${node.address}/healthz`, {
      allow: /404/,
      script: without_udp,
    });
    await page.evaluate(await bundled('relay_page.mjs'));
  },
  async after() {
    await browser?.close();
    await node?.remove();
  },
});

const call = (what, ...args) => page.evaluate(([name, it]) => window[name](...it), [what, args]);
const join = async (name, role) => {
  const link = await node.link('stage', name, role, name);
  const token = new URLSearchParams(new URL(link).hash.slice(1)).get('token');
  return call('join', name, token, {});
};
const metric = async (name) => {
  const text = await (await fetch(`${node.address}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
};

test('a browser without UDP publishes and is seen, over TCP at the port of the pages', async () => {
  await join('gale', 'gm');
  await join('ann', 'player');
  await call('watch', 'ann');
  await call('publish', 'gale');
  await until(async () => (await call('frames', 'ann')) > 15, 'frames', 30_000);
  // The local candidate of an active connection is known by its port: reflexive to the peer.
  for (const name of ['gale', 'ann']) {
    const way = await until(() => call('own_way', name), `the way of ${name}`);
    assert(/^(host|prflx) tcp$/.test(way), `the way of ${name}: ${way}`);
  }
  await until(async () => (await call('transport', 'ann')) === 'channel', 'the session, too');
  await until(
    async () => (await metric('footlight_media_tcp_connections')) >= 2,
    'both to be counted',
  );
  equal(await metric('footlight_media_tcp_drops_total'), 0, 'dropped');
});

test('who leaves takes the connection along', async () => {
  await call('end', 'gale');
  await call('end', 'ann');
  await until(
    async () => (await metric('footlight_media_tcp_connections')) === 0,
    'none to be left',
    20_000,
  );
  assert((await metric('footlight_media_tcp_strangers_total')) >= 0, 'counted');
});

test('the page had no fault', () => equal(page.faults, [], 'faults'));
