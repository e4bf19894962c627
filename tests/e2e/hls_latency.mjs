// node hls_latency.mjs: how far behind the packager's clock hls.js plays a stream of the node's origin in Chromium, as
// one JSON object. For ./dev bench hls; skipped there when tests/scenarios/hls_feed is not built.
import { launch } from './lib/browser.mjs';
import { bundled } from './lib/bundle.mjs';
import { HlsFeed } from './lib/hls_feed.mjs';
import { ports } from './lib/ports.mjs';

const kSettleMs = 8_000;
const kMeasureMs = 15_000;
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const feed = await HlsFeed.start(ports.hls, 60);
const browser = await launch(['--autoplay-policy=no-user-gesture-required']);
try {
  const page = await (await browser.newContext()).newPage();
  await page.goto(`${feed.address}/healthz`);
  await page.addScriptTag({ content: await bundled('hls_page.mjs') });
  await page.evaluate((from) => window.play(from), `${feed.program}/index.m3u8`);
  await wait(kSettleMs);
  await page.evaluate(() => (window.seen.latencies.length = 0));
  await wait(kMeasureMs);
  const { latencies } = await page.evaluate(() => window.seen);
  latencies.sort((a, b) => a - b);
  const at = (part) => latencies[Math.floor(latencies.length * part)];
  console.log(JSON.stringify({ p50_ms: at(0.5), p99_ms: at(0.99), looks: latencies.length }));
} finally {
  await browser.close();
  await feed.remove();
}
