// The program stream as three readers that know nothing of ours see it: hls.js in Chromium, ffmpeg, and hls-parser in
// its strict mode. Live, over a restart of the encoder, with cues, and as a recording.
import HLS from 'hls-parser';
import { launch } from '../lib/browser.mjs';
import { bundled } from '../lib/bundle.mjs';
import { assert, equal, group, test, until } from '../lib/harness.mjs';
import { has_feed, HlsFeed, run } from '../lib/hls_feed.mjs';
import { ports } from '../lib/ports.mjs';

const kClipSeconds = 22;

let feed;
let browser;
let page;

const seen = () => page.evaluate(() => window.seen);
const time = () => page.evaluate(() => window.video.currentTime);
async function player(source, config) {
  const made = await (await browser.newContext()).newPage();
  await made.goto(`${feed.address}/healthz`);
  await made.addScriptTag({ content: await bundled('hls_page.mjs') });
  await made.evaluate(([from, how]) => window.play(from, how), [source, config]);
  return made;
}
async function live_address() {
  const index = await feed.get('index.m3u8');
  return index.split('\n').find((line) => line.endsWith('v360.m3u8'));
}
const quantile = (values, part) => values.sort((a, b) => a - b)[Math.floor(values.length * part)];

if (!has_feed()) {
  console.log('skipped: suite hls, as tests/scenarios/hls_feed is not built');
} else {
  group('hls', {
    async before() {
      [browser, feed] = await Promise.all([
        launch(['--autoplay-policy=no-user-gesture-required']),
        HlsFeed.start(ports.hls, kClipSeconds),
      ]);
    },
    async after() {
      await browser?.close();
      await feed?.remove();
    },
  });

  test('hls.js plays it live, and says how far behind', async () => {
    page = await player(`${feed.program}/index.m3u8`);
    await until(async () => (await time()) > 3, 'three seconds of it', 20_000);
    await page.evaluate(() => (window.seen.latencies.length = 0));
    await until(async () => (await seen()).latencies.length > 60, 'six seconds more', 20_000);
    const { fatal, latencies, part_target } = await seen();
    equal(fatal, [], 'fatal errors');
    assert(Math.abs(part_target - 0.53334) < 1e-6, `part target ${part_target}`);
    const p50 = quantile(latencies, 0.5);
    console.log(`        behind live: p50 ${p50} ms, p99 ${quantile(latencies, 0.99)} ms`);
    assert(p50 > 0, `p50 is ${p50} ms`); // its budget is held in ./dev bench hls
  });

  test('hls-parser in strict mode finds nothing to complain about', async () => {
    HLS.setOptions({ strictMode: true });
    const index = HLS.parse(await feed.get('index.m3u8'));
    equal(index.variants.length, 3, 'variants');
    equal(index.variants[0].audio.length, 1, 'audio of its own');
    const list = HLS.parse(await feed.get(await live_address()));
    assert(list.lowLatencyCompatibility.canBlockReload, 'blocking reload');
    assert(list.partTargetDuration > 0.5 && list.targetDuration === 3, 'targets');
    assert(list.segments.at(-1).parts.length > 0, 'parts at the end');
    assert(list.renditionReports.length === 2, 'reports of the others');
    assert(list.prefetchSegments !== undefined, 'read to the end');
  });

  test('ffmpeg reads and decodes it', async () => {
    const { stdout } = await run('ffprobe', [
      ...'-v error -show_entries stream=codec_name,width,height -of json'.split(' '),
      `${feed.program}/index.m3u8`,
    ]);
    const { streams } = JSON.parse(stdout);
    assert(
      streams.some((it) => it.codec_name === 'h264' && it.width === 640),
      stdout,
    );
    assert(
      streams.some((it) => it.codec_name === 'aac'),
      stdout,
    );
    const address = `${feed.program}/${await live_address()}`;
    const { stderr } = await run('ffmpeg', [
      ...'-v error -t 4 -i'.split(' '),
      address,
      ...'-f null -'.split(' '),
    ]);
    equal(stderr, '', 'complaints of the decoder');
  });

  test('a cue reaches the player with the picture and in the playlist', async () => {
    feed.say('cue c1 poll {"poll":"fork"}');
    await until(
      async () => (await seen()).tags.some((tag) => tag.includes('poll c1 -\n{"poll":"fork"}')),
      'the tag in the stream',
    );
    await until(async () => (await seen()).date_ranges?.includes('c1'), 'the date range');
    const text = await feed.get(await live_address());
    const [, data] = /X-FOOTLIGHT-DATA="([^"]+)"/.exec(text);
    equal(Buffer.from(data, 'base64url').toString(), '{"poll":"fork"}', 'what it carries');
  });

  test(
    'a restarted encoder is a break the player goes over',
    async () => {
      const kBreak = /#EXT-X-DISCONTINUITY\n#EXT-X-MAP:.*\n#EXT-X-PROGRAM-DATE-TIME:(\S+)/;
      const [, date] = await until(
        async () => kBreak.exec(await feed.get(await live_address())),
        'the restart',
        40_000,
      );
      HLS.parse(await feed.get(await live_address()));
      await until(
        async () =>
          (await page.evaluate(() => window.hls.playingDate?.getTime())) > Date.parse(date),
        'a picture of the new run',
        30_000,
      );
      const at = await time();
      await until(async () => (await time()) > at + 3, 'it to play on', 15_000);
      equal((await seen()).fatal, [], 'fatal errors');
      equal(feed.refused(), [], 'refused by the origin');
    },
    { timeout_ms: 90_000 },
  );

  test('an encoder that stalls for three seconds is waited for', async () => {
    feed.say('stall 3000');
    const begin = performance.now();
    const at = await time();
    await until(async () => (await time()) > at + 4, 'it to play on', 30_000);
    console.log(`        four seconds took ${Math.round(performance.now() - begin)} ms`);
    equal((await seen()).fatal, [], 'fatal errors');
  });

  test(
    'after the end the same address plays the recording from its beginning',
    async () => {
      feed.say('end');
      await until(async () => (await feed.get('index.m3u8')).includes('/vod.m3u8'), 'the end');
      const index = HLS.parse(await feed.get('index.m3u8'));
      const vod = HLS.parse(await feed.get(index.variants[0].uri));
      assert(vod.endlist && vod.playlistType === 'VOD', 'a recording');
      equal(vod.mediaSequenceBase, 0, 'from the first segment on');
      await page.context().close();
      page = await player(`${feed.program}/index.m3u8`, { lowLatencyMode: false });
      await until(async () => (await time()) > 1, 'it to play', 20_000);
      const length = await page.evaluate(() => window.video.duration);
      assert(length > kClipSeconds, `it lasts ${length} s`);
      await page.evaluate((to) => (window.video.currentTime = to), kClipSeconds + 3);
      await until(async () => (await time()) > kClipSeconds + 4, 'it to play past the break');
      equal((await seen()).fatal, [], 'fatal errors');
    },
    { timeout_ms: 60_000 },
  );
}
