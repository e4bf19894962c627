// After the end the audience page plays the recording with polls, dice and scenes on its time line, before and after a
// restart of the server; at phone and desk width, dark and light. The program is a clip that is fed, so that no
// compositor has to run.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { axe_findings, launch, open_page, overflow_px, shot } from '../lib/browser.mjs';
import { assert, equal, group, test as timed, until } from '../lib/harness.mjs';
import { has_feed, HlsFeed, run } from '../lib/hls_feed.mjs';
import { ports } from '../lib/ports.mjs';

const kPages = fileURLToPath(new URL('../../../web/dist', import.meta.url));
const test = (name, body) => timed(name, body, { timeout_ms: 60_000 });
let data;
let feed;
let browser;
let page;

async function links() {
  return (await (await fetch(`${feed.address}/v1/dev/links`)).json()).links;
}
async function link(page_name) {
  const found = (await links()).find(({ page: one }) => one === page_name);
  return new URL(found.url, feed.address).href;
}
async function command(kind, args) {
  const token = new URLSearchParams(new URL(await link('console')).hash.slice(1)).get('token');
  const answer = await fetch(`${feed.address}/v1/episodes/show/commands`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ k: kind, a: args }),
  });
  equal(answer.status, 200, `${kind}: ${await answer.text()}`);
}
const at_s = () => page.evaluate(() => document.querySelector('.screen > video').currentTime);
const seconds = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
async function marks() {
  return (await (await fetch(`${feed.program}/timeline.json`)).json()).marks;
}

if (!has_feed()) {
  console.log('skipped: suite vod, as tests/scenarios/hls_feed is not built');
} else {
  group('vod', {
    async before() {
      data = await mkdtemp(join(tmpdir(), 'footlight-vod-'));
      [browser, feed] = await Promise.all([
        launch(['--autoplay-policy=no-user-gesture-required']),
        HlsFeed.start(ports.vod, 40, { data, pages: kPages }),
      ]);
    },
    async after() {
      await browser?.close();
      await feed?.remove();
      if (data) await rm(data, { recursive: true, force: true });
    },
  });

  test('a show is played: scenes, a poll with votes, dice', async () => {
    const picture = async (name, width, colour) => {
      const file = join(feed.folder, name);
      await run(
        'ffmpeg',
        `-v error -y -f lavfi -i color=${colour}:size=${width}x${(width * 9) / 16} -frames:v 1 ${file}`.split(
          ' ',
        ),
      );
      return file;
    };
    const [poster, ...thumbs] = await Promise.all([
      picture('poster.jpg', 640, 'gray'),
      picture('t0.jpg', 192, 'red'),
      picture('t1.jpg', 192, 'green'),
      picture('t2.jpg', 192, 'blue'),
    ]);
    feed.say(`poster ${poster}`);
    feed.say(`thumb ${thumbs[0]}`);
    page = await open_page(browser, await link('audience'), { allow: /404/ });
    await command('episode.start', {});
    await command('poll.open', { poll: 'p' });
    const card = page.locator('article.poll', { hasText: 'P?' });
    await card.getByRole('button', { name: 'yes' }).click({ timeout: 20_000 });
    await card.getByText('Your vote is confirmed').waitFor({ timeout: 20_000 });
    feed.say(`thumb ${thumbs[1]}`);
    await command('dice.roll', { expr: '2d6+3', nonce: '00112233445566aa' });
    await seconds(2500);
    await command('poll.close', { poll: 'p' });
    await until(async () => (await marks()).some(({ kind }) => kind === 'result'), 'the result');
    await command('scene.go', { scene: 'b' });
    feed.say(`thumb ${thumbs[2]}`);
    await seconds(2500);
    await command('episode.end', {});
    await seconds(2500);
    feed.say('end');
    await until(async () => (await feed.get('index.m3u8')).includes('/vod.m3u8'), 'the recording');
  });

  test('who watched to the end is offered all of it', async () => {
    await page
      .getByRole('button', { name: 'Watch it from the beginning' })
      .click({ timeout: 30_000 });
    await page.locator('section.recording').waitFor({ timeout: 20_000 });
    await until(async () => (await at_s()) > 0.3, 'it to play', 20_000);
    assert((await at_s()) < 10, 'from the beginning');
  });

  const look = async () => {
    const strip = page.locator('section.recording');
    await strip.waitFor({ timeout: 20_000 });
    await strip.locator('summary').click();
    const list = strip.locator('.moments button');
    await until(async () => (await list.count()) >= 6, 'the moments', 20_000);
    const words = await list.allInnerTexts();
    for (const expected of [
      /The show begins/,
      /Scene: A/,
      /Poll opens: P\?/,
      /rolls 2d6\+3: \d+/,
      /Poll closes: “yes” with 1 of 1/,
      /Scene: B/,
    ]) {
      assert(
        words.some((one) => expected.test(one)),
        `${expected} in ${words.join(' | ')}`,
      );
    }
  };

  test('its moments are marks that a click or a key goes to, and the panels follow', async () => {
    await look();
    const strip = page.locator('section.recording');
    await strip.getByRole('button', { name: /Poll opens/ }).click();
    await until(
      async () => (await page.getByText('The audience was choosing').count()) === 1,
      'the poll, open',
    );
    await until(async () => (await page.locator('#story li').count()) === 1, 'the story then');
    const opened_s = await at_s();
    // By keyboard: on to the dice and to the result.
    await strip.getByRole('button', { name: /Poll closes/ }).focus();
    await page.keyboard.press('Enter');
    await page.getByText('The audience had chosen').waitFor();
    assert((await at_s()) > opened_s + 1, 'further on');
    await strip.getByRole('button', { name: /Scene: B/ }).click();
    await until(async () => (await page.locator('#story li').count()) === 2, 'the story goes on');
    await page.locator('#now').getByText('B', { exact: true }).waitFor();
    // The slider.
    const slider = page.getByRole('slider', { name: 'Where in the recording' });
    await slider.focus();
    await page.keyboard.press('Home');
    await until(async () => (await at_s()) < 3, 'the beginning');
    await page.keyboard.press('PageUp');
    await until(async () => (await at_s()) > 0.9, 'some way on');
    // A click on the strip, near its end.
    const box = await strip.locator('.lanes').boundingBox();
    await page.mouse.click(box.x + box.width * 0.9, box.y + box.height - 4);
    const length_s = await page.evaluate(() => document.querySelector('.screen > video').duration);
    await until(async () => Math.abs((await at_s()) - 0.9 * length_s) < 3, 'where it was clicked');
    const picture = strip.locator('.over img');
    await page.mouse.move(box.x + box.width * 0.3, box.y + 4);
    await picture.waitFor();
    equal(
      await picture.evaluate((img) => img.decode().then(() => img.naturalWidth)),
      192,
      'picture',
    );
    equal(page.faults, [], 'faults');
    await shot(page, 'vod-hover');
    await page.context().close();
  });

  test('it is all there after a restart of the server', async () => {
    await feed.down();
    await feed.up({ data, pages: kPages, feed: 'no' });
    equal(JSON.parse(await feed.get('status.json')), { there: true, live: false }, 'status');
    page = await open_page(browser, await link('audience'));
    await look();
    await until(async () => (await at_s()) > 0.3, 'it to play', 20_000);
    await page
      .locator('section.recording')
      .getByRole('button', { name: /Poll closes/ })
      .click();
    await page.getByText('The audience had chosen').waitFor();
    equal(page.faults, [], 'faults');
    await page.context().close();
  });

  for (const [width, height] of [
    [360, 780],
    [1400, 950],
  ]) {
    for (const scheme of ['dark', 'light']) {
      test(`the recording stands at ${width} px in the ${scheme}`, async () => {
        page = await open_page(browser, await link('audience'), { width, height, scheme });
        await look();
        await page
          .locator('section.recording')
          .getByRole('button', { name: /Poll closes/ })
          .click();
        await page.getByText('The audience had chosen').waitFor();
        equal(await overflow_px(page), 0, 'pixels of sideways scrolling');
        equal(await axe_findings(page), [], 'findings of axe');
        equal(page.faults, [], 'faults');
        await shot(page, `vod-${width}-${scheme}`, { fullPage: true });
        await page.context().close();
      });
    }
  }
}
