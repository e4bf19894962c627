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

  const cc = () => page.getByRole('button', { name: 'CC, captions' });
  const captions = () => page.getByTestId('captions').locator('p');
  const caption = (text, lang, more = {}) => command('caption.say', { text, lang, ...more });

  test('a caption typed in the console is shown with the picture of its words, to who wants captions', async () => {
    page = await open_page(browser, await link('audience'), { allow: /404/ });
    await until(async () => (await at_s()) > 0.3, 'the program', 30_000);
    equal(await cc().count(), 0, 'buttons without captions');
    await caption('The first.', 'en');
    await cc().waitFor({ timeout: 10_000 });
    equal(await cc().getAttribute('aria-pressed'), 'false', 'pressed');
    await cc().focus();
    await page.keyboard.press('Enter');
    equal(await cc().getAttribute('aria-pressed'), 'true', 'pressed');

    const desk = await open_page(browser, await link('console'), { allow: /404/ });
    await desk.getByLabel('Language', { exact: true }).fill('en');
    await desk.getByLabel('Caption', { exact: true }).fill('Do we ring the bell?');
    const said_ms = Date.now();
    await desk.keyboard.press('Enter');
    const line = captions().filter({ hasText: 'Do we ring the bell?' });
    await line.waitFor({ timeout: 20_000 });
    const shown_ms = Date.now();
    const [, behind_s] = /(\d+\.\d) s behind/.exec(await page.locator('.watch').innerText());
    // The page says tenths, four times a second.
    assert(behind_s > 0.8, `${behind_s} s behind`);
    assert(
      shown_ms - 1000 * behind_s > said_ms - 400,
      `shown after ${shown_ms - said_ms} ms, ${behind_s} s behind`,
    );
    equal(await line.getAttribute('lang'), 'en', 'language');
    await line.waitFor({ state: 'detached', timeout: 20_000 });
    await desk.reload();
    equal(await desk.getByLabel('Language', { exact: true }).inputValue(), 'en', 'kept');
    // One that should not have been said goes from the screen long before its time.
    await caption('Nonsense.', 'en', { for_ms: 20_000 });
    const nonsense = captions().filter({ hasText: 'Nonsense.' });
    await nonsense.waitFor({ timeout: 20_000 });
    await desk.getByRole('button', { name: 'Take back' }).click();
    await nonsense.waitFor({ state: 'detached', timeout: 8_000 });
    await desk.getByText('en: Do we ring the bell?', { exact: true }).waitFor();
    equal(desk.faults, [], 'faults');
    await desk.context().close();
  });

  test('captions of several languages are chosen from, and the choice is kept', async () => {
    const both = () =>
      Promise.all([
        caption('Yes, all of us.', 'en', { for_ms: 9000 }),
        caption('Ja, wir alle.', 'de', { for_ms: 9000 }),
      ]);
    await both();
    const choice = page.getByLabel('Language of the captions');
    await choice.selectOption({ label: 'Deutsch' });
    await captions().filter({ hasText: 'Ja, wir alle.' }).waitFor({ timeout: 20_000 });
    equal(await captions().count(), 1, 'captions');
    await page.reload();
    await both();
    await captions().filter({ hasText: 'Ja, wir alle.' }).first().waitFor({ timeout: 30_000 });
    equal(await choice.inputValue(), 'de', 'language');
    await cc().click();
    equal(await captions().count(), 0, 'captions, switched off');
    equal(page.faults, [], 'faults');
    await page.context().close();
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
    await caption('We roll for it,\nand the hill hears us.', 'en', { for_ms: 20_000 });
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

  // Where in the recording the picture of that moment is, by its playlist.
  const place_of = async (at_ms) => {
    const index = await feed.get('index.m3u8');
    const list = await feed.get(/^\S+\/v360\/vod\.m3u8$/m.exec(index)[0]);
    let place_s = 0;
    let date_ms = 0;
    for (const line of list.split('\n')) {
      const [, date] = /^#EXT-X-PROGRAM-DATE-TIME:(.*)/.exec(line) ?? [];
      if (date) date_ms = Date.parse(date);
      const [, length_s] = /^#EXTINF:([\d.]+)/.exec(line) ?? [];
      if (!length_s) continue;
      if (at_ms < date_ms + 1000 * length_s) return place_s + (at_ms - date_ms) / 1000;
      place_s += Number(length_s);
      date_ms += 1000 * length_s;
    }
    throw new Error(`${at_ms} is not in the recording`);
  };

  test('captions of the recording come and go with its moments, also when one goes back', async () => {
    page = await open_page(browser, await link('audience'), { allow: /404/ });
    await until(async () => (await at_s()) > 0.3, 'it to play', 20_000);
    const { captions: said } = JSON.parse(await feed.get('timeline.json'));
    assert(!said.some((one) => /Nonsense/.test(one.text)), 'what was taken back is not in it');
    const { text, at_ms } = said.find((one) => one.text.startsWith('Do we ring'));
    const place_s = await place_of(at_ms);
    await cc().click();
    await page.getByLabel('Language of the captions').selectOption('en');
    const at = (to_s) =>
      page.evaluate((s) => {
        const video = document.querySelector('.screen > video');
        video.pause();
        video.currentTime = s;
      }, to_s);
    const shown = async () => (await captions().allInnerTexts()).includes(text);
    for (const [after_s, expected] of [
      [-0.4, false],
      [0.3, true],
      [4, false],
      [0.6, true],
    ]) {
      await at(place_s + after_s);
      await until(
        async () => (await shown()) === expected,
        `the caption ${expected ? 'on' : 'off'} the screen ${after_s} s after its words`,
      );
    }
    await at(place_s - 0.4);
    await until(async () => !(await shown()), 'nothing before its words');
    equal(page.faults, [], 'faults');
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
        await cc().click();
        await page.getByLabel('Language of the captions').selectOption('en');
        const line = captions().filter({ hasText: 'the hill hears us' });
        await line.waitFor();
        const [screen, over] = await Promise.all([
          page.locator('.screen').boundingBox(),
          line.boundingBox(),
        ]);
        assert(
          over.y >= screen.y && over.y + over.height <= screen.y + screen.height,
          'the caption is within the picture',
        );
        equal(await overflow_px(page), 0, 'pixels of sideways scrolling');
        equal(await axe_findings(page), [], 'findings of axe');
        equal(page.faults, [], 'faults');
        await shot(page, `vod-${width}-${scheme}`, { fullPage: true });
        await page.context().close();
      });
    }
  }
}
