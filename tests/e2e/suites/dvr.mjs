// Going back in a program that is live, on the audience page: by key, by pointer and by mark; who chose to be behind
// stays there, sees polls with their picture and is told when one is over; and back to live. The program is a clip that
// is fed, so that no compositor has to run.
import { fileURLToPath } from 'node:url';
import { axe_findings, launch, open_page, overflow_px, shot } from '../lib/browser.mjs';
import { assert, equal, group, test as timed, until } from '../lib/harness.mjs';
import { has_feed, HlsFeed } from '../lib/hls_feed.mjs';
import { ports } from '../lib/ports.mjs';

const kPages = fileURLToPath(new URL('../../../web/dist', import.meta.url));
const test = (name, body) => timed(name, body, { timeout_ms: 90_000 });
let feed;
let browser;
let page;

async function link(page_name) {
  const { links } = await (await fetch(`${feed.address}/v1/dev/links`)).json();
  return new URL(links.find(({ page: one }) => one === page_name).url, feed.address).href;
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
const bar = () => page.getByRole('region', { name: 'Earlier in the show' });
const slider = () => page.getByRole('slider', { name: 'Where in the show' });
const says = () => slider().getAttribute('aria-valuetext');
/** How far the slider says to be behind; 0: live. */
const behind_s = async () => {
  const words = await says();
  if (words === 'Live') return 0;
  const [, minutes = 0, seconds = 0] =
    /^(?:(\d+) minutes? ?)?(?:(\d+) seconds?)? behind live/.exec(words) ?? [];
  return 60 * minutes + Number(seconds);
};
const video = (of) => page.evaluate(of);
const place = () =>
  video(() => {
    const { currentTime, paused, playbackRate } = document.querySelector('.screen > video');
    return { at_s: currentTime, paused, playbackRate };
  });
const plays_on = async (what) => {
  const { at_s } = await place();
  await until(async () => (await place()).at_s > at_s + 0.5, what, 20_000);
};
const card = (title) => page.locator('article.poll', { hasText: title });
const seconds = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

if (!has_feed()) {
  console.log('skipped: suite dvr, as tests/scenarios/hls_feed is not built');
} else {
  group('dvr', {
    async before() {
      [browser, feed] = await Promise.all([
        launch(['--autoplay-policy=no-user-gesture-required']),
        HlsFeed.start(ports.dvr, 40, { pages: kPages, window: 120 }),
      ]);
      await command('episode.start', {});
    },
    async after() {
      await browser?.close();
      await feed?.remove();
    },
  });

  test('under a live program is a bar over what is kept; it says that one is live', async () => {
    page = await open_page(browser, await link('audience'), { allow: /404/ });
    await slider().waitFor({ timeout: 40_000 });
    equal(await says(), 'Live', 'value');
    equal(await bar().getByRole('button', { name: 'Live' }).getAttribute('aria-pressed'), 'true');
    await until(async () => Number(await slider().getAttribute('min')) <= -26, 'a window', 40_000);
    equal(await slider().getAttribute('max'), '0', 'its end');
    equal(await says(), 'Live', 'value, still');
  });

  test('arrow keys go back, and who went back by choice stays behind', async () => {
    await slider().focus();
    for (let i = 0; i < 4; ++i) await page.keyboard.press('ArrowLeft');
    await until(
      async () => Math.abs((await behind_s()) - 20) <= 2,
      () => 'twenty seconds behind',
    );
    await plays_on('the picture of then');
    equal(await page.getByTestId('mode').innerText(), 'Earlier', 'what is on');
    for (let i = 0; i < 16; ++i) {
      await seconds(500);
      const now_s = await behind_s();
      assert(Math.abs(now_s - 20) <= 3, `${now_s} s behind after ${i / 2} s`);
      equal((await place()).playbackRate, 1, 'rate');
    }
    await page.keyboard.press('ArrowRight');
    await until(async () => Math.abs((await behind_s()) - 15) <= 3, 'five seconds on');
    await plays_on('the picture there');
  });

  test('a poll opens for who is behind with its picture, and its vote counts while the poll is open', async () => {
    await command('poll.create', {
      poll: 'long',
      title: 'Do we wait?',
      options: ['yes', 'no'],
      seconds: 600,
    });
    const began = Date.now();
    const late_s = await behind_s();
    await command('poll.open', { poll: 'long' });
    await seconds(1000);
    await command('dice.roll', { expr: '2d6+3', nonce: '00112233445566aa' });
    await card('Do we wait?').waitFor({ timeout: 40_000 });
    const took_s = (Date.now() - began) / 1000;
    assert(took_s > late_s - 3, `it opened after ${took_s} s, ${late_s} s behind`);
    await card('Do we wait?').getByRole('button', { name: 'yes' }).click();
    await card('Do we wait?').getByText('Your vote is confirmed').waitFor({ timeout: 20_000 });
    assert((await behind_s()) > 10, 'still behind');
  });

  test('who is further behind than a poll waits is told that it is over, and not how it went', async () => {
    await command('poll.open', { poll: 'p' });
    await seconds(2500);
    await command('poll.close', { poll: 'p' });
    await card('P?').getByText('This poll is over').waitFor({ timeout: 40_000 });
    await shot(page, 'dvr-over', { fullPage: true });
    const text = await card('P?').innerText();
    assert(!/%|voter/.test(text), `no count in ${text}`);
    equal(
      await card('P?').getByRole('button', { name: 'yes' }).getAttribute('aria-disabled'),
      'true',
      'the option',
    );
    await card('P?').getByText('Final').waitFor({ timeout: 20_000 });
    assert((await behind_s()) > 10, 'still behind');
  });

  test('what happened is marked, and a mark leads there', async () => {
    await bar().locator('summary').click();
    const moments = bar().locator('.moments button');
    await until(async () => (await moments.count()) >= 5, 'the moments', 20_000);
    const words = (await moments.allInnerTexts()).join(' | ');
    for (const expected of [
      /Scene: A/,
      /opens: Do we wait/,
      /rolls 2d6/,
      /opens: P\?/,
      /closes: P\?/,
    ]) {
      assert(expected.test(words), `${expected} in ${words}`);
    }
    await moments.filter({ hasText: 'opens: Do we wait' }).click();
    await until(async () => /after Poll opens: Do we wait/.test(await says()), 'its place');
    await plays_on('its picture');
  });

  test('it can be stopped and goes on from there', async () => {
    await bar().getByRole('button', { name: 'Pause' }).click();
    const { at_s } = await place();
    const before_s = await behind_s();
    await until(async () => (await behind_s()) >= before_s + 4, 'time to pass', 20_000);
    equal(await place(), { at_s, paused: true, playbackRate: 1 }, 'the picture');
    equal(
      await page.locator('.screen').getByRole('button', { name: 'Play' }).count(),
      0,
      'buttons',
    );
    await bar().getByRole('button', { name: 'Play' }).click();
    await plays_on('the picture');
    assert((await place()).at_s < at_s + 4, 'from where it was');
    assert((await behind_s()) >= before_s + 3, 'further behind');
  });

  test('the slider is dragged, to live as well, and a button goes there', async () => {
    const drag = async (from, to) => {
      const box = await slider().boundingBox();
      const y = box.y + box.height / 2;
      await page.mouse.move(box.x + from * box.width, y);
      await page.mouse.down();
      await page.mouse.move(box.x + ((from + to) / 2) * box.width, y, { steps: 4 });
      await page.mouse.move(box.x + to * box.width, y, { steps: 4 });
      await page.mouse.up();
    };
    const length_s = -Number(await slider().getAttribute('min'));
    await drag(0.9, 0.5);
    await until(
      async () => Math.abs((await behind_s()) - length_s / 2) < 0.1 * length_s,
      () => `half way back of ${length_s} s`,
    );
    await plays_on('the picture there');
    await drag(0.5, 1);
    await until(async () => (await says()) === 'Live', 'live');
    await page.keyboard.press('Home');
    await until(async () => (await behind_s()) > 0.8 * length_s, 'the beginning');
    await plays_on('the beginning');
    await bar().getByRole('button', { name: 'Go to live' }).click();
    await until(async () => (await says()) === 'Live', 'live');
    let text = '';
    await until(
      async () => {
        text = await page.locator('.watch').innerText();
        const [, late_s] = /(\d+\.\d) s behind/.exec(text) ?? [];
        return Number(late_s) < 4;
      },
      () => `the picture of now: ${text}`,
      20_000,
    );
    await plays_on('what is live');
    equal(page.faults, [], 'faults');
    await page.context().close();
  });

  for (const [width, height] of [
    [360, 780],
    [1400, 950],
  ]) {
    test(`it stands at ${width} px, live and earlier`, async () => {
      page = await open_page(browser, await link('audience'), { width, height, allow: /404/ });
      await slider().waitFor({ timeout: 40_000 });
      await shot(page, `dvr-${width}-live`, { fullPage: true });
      await slider().focus();
      await page.keyboard.press('PageDown');
      await until(async () => (await behind_s()) > 25, 'half a minute behind');
      await plays_on('the picture');
      equal(await overflow_px(page), 0, 'pixels of sideways scrolling');
      equal(await axe_findings(page), [], 'findings of axe');
      equal(page.faults, [], 'faults');
      await shot(page, `dvr-${width}`, { fullPage: true });
      await page.context().close();
    });
  }

  test('who is behind at the end of the show sees it to its end, and is offered all of it', async () => {
    page = await open_page(browser, await link('audience'), { allow: /404/ });
    await slider().waitFor({ timeout: 40_000 });
    await slider().focus();
    await page.keyboard.press('Home');
    await until(async () => (await behind_s()) > 7, 'the beginning');
    await plays_on('the picture there');
    await command('episode.end', {});
    feed.say('end');
    await page.getByText('The show is over.').waitFor({ timeout: 20_000 });
    await plays_on('what is left of it');
    await page.getByRole('button', { name: 'Watch it from the beginning' }).click();
    await page.getByRole('region', { name: 'The recording' }).waitFor({ timeout: 20_000 });
    await until(async () => (await place()).at_s > 0.3, 'it to play', 20_000);
    equal(page.faults, [], 'faults');
  });
}
