// The program pushed to a folder and to a bucket, as a CDN would take it: signatures checked by another
// implementation, the right order, played from there; a bucket that refuses, is full, slow or talks nonsense costs the
// stream nothing.
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import HLS from 'hls-parser';
import { launch } from '../lib/browser.mjs';
import { Bucket } from '../lib/bucket.mjs';
import { bundled } from '../lib/bundle.mjs';
import { assert, equal, group, test as timed, until } from '../lib/harness.mjs';
import { has_feed, HlsFeed, run } from '../lib/hls_feed.mjs';
import { ports } from '../lib/ports.mjs';

const kSecret = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY';
const test = (name, body) => timed(name, body, { timeout_ms: 60_000 });
let bucket;
let feed;
let browser;
let folder;

const index = 'live/show/index.m3u8';
const list = () => [...bucket.objects.keys()].find((key) => key.endsWith('/v360.m3u8'));
const text_of = (key) => bucket.objects.get(key).body.toString();
async function producer() {
  const { links } = await (await fetch(`${feed.address}/v1/dev/links`)).json();
  const console_link = links.find(({ page }) => page === 'console');
  return new URLSearchParams(console_link.url.split('#')[1]).get('token');
}
async function places() {
  const answer = await fetch(`${feed.address}/v1/episodes/show/program/push`, {
    headers: { authorization: `Bearer ${await producer()}` },
  });
  equal(answer.status, 200, 'status');
  const { places: all } = await answer.json();
  return { folder: all[0], bucket: all[1], text: JSON.stringify(all) };
}
/** The newest segment that the live playlist of the node names. */
async function newest() {
  const lines = (await feed.get('index.m3u8')).split('\n');
  const live = await feed.get(lines.find((line) => line.endsWith('v360.m3u8')));
  return Number(/s(\d+)\.m4s\n(?!.*\n?.*s\d+\.m4s\n)/s.exec(live)?.[1] ?? -1);
}

if (!has_feed()) {
  console.log('skipped: suite push, as tests/scenarios/hls_feed is not built');
} else {
  group('push', {
    async before() {
      folder = await mkdtemp(join(tmpdir(), 'footlight-push-'));
      bucket = await Bucket.start(ports.bucket, kSecret);
      [browser, feed] = await Promise.all([
        launch(['--autoplay-policy=no-user-gesture-required']),
        HlsFeed.start(
          ports.push,
          30,
          { push: folder, bucket: bucket.address },
          { FEED_SECRET: kSecret },
        ),
      ]);
    },
    async after() {
      await browser?.close();
      await feed?.remove();
      await bucket?.stop();
      if (folder) await rm(folder, { recursive: true, force: true });
    },
  });

  test('every object is signed as AWS asks, and no playlist is early', async () => {
    await until(async () => bucket.objects.has(index), 'the multivariant playlist', 30_000);
    await until(async () => text_of(list()).includes('s2.m4s'), 'three segments', 30_000);
    equal(bucket.faults, [], 'faults');
    const segment = bucket.objects.get(list().replace('.m3u8', '/s1.m4s'));
    equal(
      [segment.type, segment.cache],
      ['video/mp4', 'public, max-age=31536000, immutable'],
      'of a segment',
    );
    equal(
      [bucket.objects.get(index).type, bucket.objects.get(index).cache],
      ['application/vnd.apple.mpegurl', 'public, max-age=1'],
      'of a playlist',
    );
    assert(bucket.objects.has('live/show/manifest.mpd'), 'the DASH manifest');
  });

  test('what lies there is what a strict reader, ffmpeg and hls.js expect', async () => {
    HLS.setOptions({ strictMode: true });
    const parsed = HLS.parse(text_of(list()));
    assert(!parsed.lowLatencyCompatibility?.canBlockReload, 'no promise that files cannot keep');
    const { stderr } = await run('ffmpeg', [
      ...'-v error -t 2 -i'.split(' '),
      bucket.url(list()),
      ...'-f null -'.split(' '),
    ]);
    equal(stderr, '', 'complaints of the decoder');
    const page = await (await browser.newContext()).newPage();
    await page.goto(`${feed.address}/healthz`);
    await page.addScriptTag({ content: await bundled('hls_page.mjs') });
    await page.evaluate((url) => window.play(url, {}), bucket.url(index));
    await until(
      async () => (await page.evaluate(() => window.video.currentTime)) > 2,
      'it to play',
    );
    equal((await page.evaluate(() => window.seen)).fatal, [], 'fatal errors');
    await page.context().close();
  });

  test('the folder has the same, and never half a file', async () => {
    const epoch = list().split('/')[2];
    const names = await readdir(join(folder, 'show', epoch, 'v360'));
    assert(names.includes('s1.m4s') && names.includes('init-0.mp4'), names.join(' '));
    assert(!names.some((name) => name.endsWith('.part')), names.join(' '));
    const there = await readFile(join(folder, 'show', epoch, 'v360', 's1.m4s'));
    assert(there.equals(bucket.objects.get(list().replace('.m3u8', '/s1.m4s')).body), 'bytes');
    const listed = HLS.parse(await readFile(join(folder, 'show', epoch, 'v360.m3u8'), 'utf8'));
    for (const { uri } of listed.segments) {
      assert(existsSync(join(folder, 'show', epoch, uri)), `${uri} is listed`);
    }
  });

  for (const [mood, code, words] of [
    ['refuse', 4796, 'AccessDenied: check the key and its rights'],
    ['full', 4797, 'XMinioStorageFull'],
    ['garbage', 4796, '4796'],
    ['hang_up', 4796, '4796'],
  ]) {
    test(`a bucket that does ${mood} is told of by its code, and the live stream goes on`, async () => {
      const before = await newest();
      bucket.mood = mood;
      const now = await until(
        async () => {
          const { bucket: it } = await places();
          return it.state === 'failing' && it.error.code === code && it;
        },
        'the trouble to be told',
        20_000,
        100,
      );
      assert(now.error.message.includes(words), now.error.message);
      await until(async () => (await newest()) > before + 1, 'the live stream to go on', 20_000);
      equal((await places()).folder.state === 'failing', false, 'the folder has no part in it');
      const metrics = await (await fetch(`${feed.address}/metrics`)).text();
      assert(
        /footlight_program_push_failing\{place="[^"]*shows[^"]*"\} 1/.test(metrics),
        'metrics',
      );
      bucket.mood = 'ok';
      await until(
        async () => {
          const { bucket: it } = await places();
          return it.state !== 'failing' && it.waiting === 0;
        },
        'it to catch up',
        40_000,
        100,
      );
      equal(bucket.faults, [], 'faults');
    });
  }

  test('a slow bucket is waited for without holding anything up', async () => {
    bucket.mood = 'slow';
    const before = await newest();
    await until(async () => (await newest()) > before + 2, 'the live stream to go on', 20_000);
    bucket.mood = 'ok';
    await until(async () => (await places()).bucket.waiting === 0, 'it to catch up', 30_000, 100);
    equal(bucket.faults, [], 'faults');
  });

  test('the secret is shown nowhere', async () => {
    const metrics = await (await fetch(`${feed.address}/metrics`)).text();
    for (const text of [(await places()).text, metrics, feed.said]) {
      assert(!text.includes(kSecret), 'the secret');
    }
    assert(/log push of show to \S+shows\S*: 479\d/.test(feed.said), 'the log tells of trouble');
  });

  test('after the end the bucket has the recording and its time line', async () => {
    feed.say('end');
    await until(async () => text_of(index).includes('/vod.m3u8'), 'the recording', 30_000);
    const vod = HLS.parse(text_of(list().replace('v360.m3u8', 'v360/vod.m3u8')));
    equal(vod.mediaSequenceBase, 0, 'from the beginning');
    await until(async () => bucket.objects.has('live/show/timeline.json'), 'the time line');
    equal(JSON.parse(text_of('live/show/timeline.json')).episode, 'show', 'whose');
    equal(bucket.faults, [], 'faults');
  });
}
