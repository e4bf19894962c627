// node pictures.mjs: renews docs/images from the real node with the tabletop example and a synthetic
// audience, played by its cue list. Each picture at most 300 KB.
import { stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { launch, open_page } from './lib/browser.mjs';
import { gather } from './lib/crowd.mjs';
import { until } from './lib/harness.mjs';
import { ports } from './lib/ports.mjs';
import { RealNode } from './lib/real_node.mjs';

const kMostBytes = 300 * 1024;
const kAudience = 48;
const episode = fileURLToPath(new URL('../../examples/tabletop.episode.yaml', import.meta.url));
const folder = fileURLToPath(new URL('../../docs/images/', import.meta.url));

async function picture(page, name, options = {}) {
  const path = `${folder}${name}.png`;
  await page.screenshot({ path, ...options });
  const { size } = await stat(path);
  console.log(`${name}.png ${Math.round(size / 1024)} KiB`);
  if (size > kMostBytes) throw new Error(`${name}.png is over ${kMostBytes} bytes`);
}

const node = await RealNode.start(ports.pictures, episode, 'tabletop');
const browser = await launch();
const seat = async (width, height, ...who) =>
  open_page(browser, await node.link(...who), { width, height, scheme: 'dark', reduced: false });

async function roll(page, expr, reason) {
  const before = await page.locator('article.roll').count();
  await page.getByLabel('Expression').fill(expr);
  await page.getByLabel('For', { exact: true }).fill(reason);
  await page.getByRole('button', { name: 'Roll', exact: true }).click();
  await until(async () => (await page.locator('article.roll').count()) > before, 'the roll');
}

let send_home = () => undefined;
try {
  const producer = await seat(1360, 1120, 'console', 'paula', 'producer', 'Paula');
  const ann = await seat(1340, 980, 'stage', 'ann', 'player', 'Ann', ['aria']);
  const ben = await seat(1200, 900, 'stage', 'ben', 'player', 'Ben', ['borin']);
  const audience = await seat(1240, 980, 'audience', 'mira', 'viewer', 'Mira');
  const overlay = await seat(1280, 720, 'overlay', 'overlay', 'viewer', 'Overlay');
  const links = [];
  for (let n = 1; n <= kAudience; n++) {
    links.push(await node.link('audience', `viewer-${n}`, 'viewer', `Viewer ${n}`));
  }
  send_home = gather(node.address, links);

  const cue = (label) => producer.getByRole('button', { name: label }).first().click();
  await producer.getByRole('button', { name: 'Start the episode' }).click();
  await cue(/Out into the rain/);
  await cue(/Timer: the fifth stroke/);
  await roll(ben, '2d20kh1+3', 'Read the wet footprints');
  await roll(ben, '1d8+1d6', 'Shoulder the door');
  await ben.getByRole('button', { name: 'Damage' }).click();
  await roll(ann, '4d6kh3', 'Climb');
  await ann.getByRole('textbox', { name: 'Message' }).fill('I put one ear to the door.');
  await ann.keyboard.press('Enter');
  await cue(/Which way\?/);
  await audience.locator('article.poll.open .option').first().click();
  await audience.locator('.vote-state details').waitFor();
  await roll(ann, '1d20+7', 'Listen at the door');
  await until(
    async () =>
      Number(
        (await audience.locator('article.poll footer p').first().innerText()).replace(/\D/g, ''),
      ) >
      kAudience * 0.6,
    'most of the votes',
    20_000,
  );
  await audience.waitForTimeout(1200);
  // A picture behind the overlay, so that its transparency is seen.
  await overlay.evaluate(() => {
    document.documentElement.style.background =
      'radial-gradient(90% 120% at 70% 120%, #a36a35, #4a3a36 45%, #1a2329 80%)';
  });
  await picture(overlay, 'overlay');
  await picture(audience, 'audience');
  await picture(ann, 'stage');
  await producer
    .getByRole('button', { name: 'Dismiss' })
    .first()
    .click()
    .catch(() => undefined);
  // Its figures are those that the audience's clients measured, told every few seconds.
  await until(
    async () => /Vote → tally\s+n [1-9]\d/.test(await producer.locator('main').innerText()),
    'the latencies of the votes',
    20_000,
  );
  await picture(producer, 'console');
} catch (error) {
  for (const context of browser.contexts()) {
    const page = context.pages()[0];
    console.error(
      (await page.locator('article.poll').allInnerTexts()).join('\n---\n'),
      page.faults,
    );
  }
  throw error;
} finally {
  send_home();
  await browser.close();
  await node.remove();
}
