// A whole episode on the real node in real browsers: a producer, a game master, two players, three
// viewers and an overlay; the node is killed in mid-poll and restored. The tests follow each other,
// as scenes do.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { axe_findings, launch, open_page, output_folder, shot } from '../lib/browser.mjs';
import { assert, equal, group, test, until } from '../lib/harness.mjs';
import { ports } from '../lib/ports.mjs';
import { footlight, RealNode } from '../lib/real_node.mjs';

const kEpisode = fileURLToPath(new URL('../show.episode.yaml', import.meta.url));
// What a browser says by itself while the node is away.
const kExpected = /WebSocket|ERR_|Failed to load resource/;

let node;
let browser;
const people = {};
const receipts = new Map();

async function enter(key, page, sub, role, name, chars = [], options = {}) {
  people[key] = await open_page(browser, await node.link(page, sub, role, name, chars), {
    allow: kExpected,
    ...options,
  });
}
const everyone = () => Object.entries(people);
const option = (page, text) =>
  page.locator('article.poll').getByRole('button', { name: new RegExp(text) });
const step = async (page) =>
  (await page.locator('[aria-label="State of your vote"] [aria-current=step]').innerText()).trim();
const confirmed = (page, ms = 10_000) =>
  until(async () => (await step(page)) === 'Confirmed', 'the vote to be confirmed', ms);
const live = (page, ms) => page.locator('summary.good').waitFor({ timeout: ms });
async function receipt(page) {
  const details = page.locator('.vote-state details').first();
  if (!(await details.getAttribute('open').then((it) => it !== null)))
    await details.locator('summary').click();
  return (await details.locator('.hash').innerText()).trim();
}
const share = async (page, text) =>
  (await option(page, text).locator('.share .fine').innerText()).trim();

group('show', {
  async before() {
    browser = await launch();
    node = await RealNode.start(ports.show, kEpisode, 'show');
  },
  async after() {
    for (const [name, page] of everyone())
      await shot(page, `show-${name}-last`).catch(() => undefined);
    await browser?.close();
    await node?.remove();
  },
});

test('everyone takes a seat before it begins', async () => {
  await enter('producer', 'console', 'paula', 'producer', 'Paula');
  await enter('gm', 'console', 'gale', 'gm', 'Gale');
  await enter('ann', 'stage', 'ann', 'player', 'Ann', ['aria']);
  await enter('bo', 'stage', 'bo', 'player', 'Bo', ['brom']);
  await enter('vera', 'audience', 'vera', 'viewer', 'Vera');
  await enter('viktor', 'audience', 'viktor', 'viewer', 'Viktor', [], { width: 360, height: 780 });
  await enter('vito', 'audience', 'vito', 'viewer', 'Vito', [], { scheme: 'light' });
  await enter('overlay', 'overlay', 'overlay', 'viewer', 'Overlay', [], {
    width: 1280,
    height: 720,
  });
  for (const [name, page] of everyone()) if (name !== 'overlay') await live(page, 10_000);
  await people.vera.getByText('The house is open').waitFor();
});

test('the producer starts the episode and every page shows the first scene', async () => {
  await people.producer.getByRole('button', { name: 'Start the episode' }).click();
  for (const [, page] of everyone())
    await page.getByText('The gate below the roots').first().waitFor();
});

test('what is said is heard by all, with name and role', async () => {
  await people.gm.getByRole('textbox', { name: 'Message' }).fill('Listen to the bell.');
  await people.gm.keyboard.press('Enter');
  await people.viktor.getByRole('textbox', { name: 'Message' }).fill('We hear it.');
  await people.viktor.keyboard.press('Enter');
  for (const name of ['gm', 'ann', 'vera', 'vito']) {
    await people[name].locator('.line', { hasText: 'Listen to the bell.' }).waitFor();
    await people[name].locator('.line', { hasText: 'We hear it.' }).waitFor();
  }
});

test('a roll shows each die to everyone, with its proof', async () => {
  const ann = people.ann;
  await ann.getByLabel('Expression').fill('2d20kh1+5');
  await ann.getByLabel('For', { exact: true }).fill('Stealth');
  await ann.getByRole('button', { name: 'Roll', exact: true }).click();
  const own = ann.locator('article.roll').first();
  await own.waitFor();
  equal(await own.locator('svg[role=img]').count(), 2, 'dice');
  const total = (await own.locator('.total').innerText()).trim();
  for (const name of ['bo', 'vera', 'vito']) {
    const seen = people[name].locator('article.roll').first();
    await seen.waitFor();
    equal((await seen.locator('.total').innerText()).trim(), total, `total on ${name}'s page`);
  }
  await people.overlay.getByText(total, { exact: true }).first().waitFor();
  await own.locator('details summary').click();
  assert(/[0-9a-f]{64}/.test(await own.locator('dl').innerText()), 'no hash in the proof');
});

test('hit points change for all who see the character', async () => {
  const sheet = (name) => people[name].locator('article.sheet', { hasText: 'Aria Venn' });
  await sheet('ann').getByLabel('By how much').fill('7');
  await sheet('ann').getByRole('button', { name: 'Damage' }).click();
  for (const name of ['ann', 'bo'])
    await until(
      async () => /17\s*\/ 24/.test(await sheet(name).innerText()),
      `17 of 24 on ${name}'s page`,
    );
  equal(
    await people.bo
      .locator('article.sheet', { hasText: 'Aria Venn' })
      .getByRole('button', { name: 'Damage' })
      .count(),
    0,
    'controls on a foreign sheet',
  );
});

test('a reaction floats on the overlay', async () => {
  const lively = await open_page(
    browser,
    await node.link('overlay', 'overlay2', 'viewer', 'Overlay'),
    { allow: kExpected, reduced: false, width: 1280, height: 720 },
  );
  await lively.getByText('The gate below the roots').waitFor();
  await until(
    async () => {
      await people.vito.getByRole('button', { name: 'Heart' }).click();
      return (await lively.locator('.sky .spark').count()) > 0;
    },
    'a floating heart',
    10_000,
    300,
  );
  await lively.context().close();
});

test('the next cue opens the poll for everyone', async () => {
  await people.gm.locator('#main').focus();
  await people.gm.keyboard.press('n');
  for (const name of ['vera', 'viktor', 'vito', 'ann', 'bo'])
    await option(people[name], 'The left door').waitFor();
  await people.overlay.getByText('Which door do they open?').waitFor();
  await until(
    async () => (await people.producer.locator('button.next').innerText()).includes('The candle'),
    'the cue to be done',
  );
});

test('votes are confirmed with receipts and counted on every page', async () => {
  await option(people.vera, 'The left door').click();
  await option(people.viktor, 'The right door').click();
  await option(people.ann, 'The right door').click();
  for (const name of ['vera', 'viktor', 'ann']) {
    await confirmed(people[name]);
    const hash = await receipt(people[name]);
    assert(/^[0-9a-f]{32}$/.test(hash), `not a receipt: ${hash}`);
    receipts.set(name, hash);
  }
  for (const name of ['vera', 'viktor', 'vito', 'bo']) {
    await until(
      async () => (await share(people[name], 'The right door')) === '2',
      `2 votes on ${name}'s page`,
    );
    equal(await share(people[name], 'The left door'), '1', `left on ${name}'s page`);
  }
});

test('killed in mid-poll: pages say so, keep the picture and keep the vote', async () => {
  await node.kill();
  await people.vito.locator('.banner').waitFor({ timeout: 15_000 });
  await option(people.vito, 'The right door').click();
  equal(await step(people.vito), 'Sent', 'step of a vote without a node');
  assert(await option(people.vera, 'The left door').isVisible(), 'the poll is gone');
  await shot(people.vito, 'show-killed');
});

test(
  'restored: all come back by themselves and nothing acknowledged is lost',
  async () => {
    await node.up();
    const begin = performance.now();
    for (const [name, page] of everyone()) if (name !== 'overlay') await live(page, 40_000);
    console.log(
      `        all pages live again ${Math.round(performance.now() - begin)} ms after the node was ready`,
    );
    await confirmed(people.vito, 20_000);
    receipts.set('vito', await receipt(people.vito));
    for (const name of ['vera', 'viktor', 'ann'])
      equal(await receipt(people[name]), receipts.get(name), `receipt of ${name}`);
    for (const name of ['vera', 'viktor', 'vito', 'bo']) {
      await until(
        async () => (await share(people[name], 'The right door')) === '3',
        `3 votes on ${name}'s page`,
        15_000,
      );
      equal(await share(people[name], 'The left door'), '1', `left on ${name}'s page`);
    }
    equal(await people.bo.locator('article.roll').count(), 1, 'rolls after the restart');
    assert(
      /17\s*\/ 24/.test(
        await people.bo.locator('article.sheet', { hasText: 'Aria Venn' }).innerText(),
      ),
      'hit points lost',
    );
  },
  { timeout_ms: 90_000 },
);

test('a vote can be changed, and counts once', async () => {
  await option(people.vera, 'The right door').click();
  await until(async () => (await share(people.vito, 'The right door')) === '4', '4 votes');
  equal(await share(people.vito, 'The left door'), '0', 'left');
  await confirmed(people.vera);
  receipts.set('vera', await receipt(people.vera));
});

test('closing decides: the winner is shown and the story moves', async () => {
  await people.gm.getByRole('button', { name: 'Close now' }).click();
  for (const name of ['vera', 'ann', 'producer', 'overlay'])
    await people[name].getByText('The dry well').first().waitFor({ timeout: 15_000 });
  await people.vera.getByText('Winner').waitFor();
  await people.vera.getByText('The audience chose “The right door”').waitFor();
  await people.overlay.getByText('The audience decided').waitFor();
});

test('the holding slate covers pages and overlay, and goes', async () => {
  const producer = people.producer;
  await producer.getByLabel('Holding slate').fill('Back in five');
  await producer.getByRole('button', { name: 'Hold' }).click();
  for (const name of ['vera', 'overlay']) await people[name].getByText('Back in five').waitFor();
  await producer.getByRole('button', { name: 'Take it down' }).click();
  for (const name of ['vera', 'overlay'])
    await people[name].getByText('Back in five').waitFor({ state: 'hidden' });
});

test('a muted viewer is told and cannot write', async () => {
  await people.gm.getByRole('button', { name: 'Mute Viktor for five minutes' }).first().click();
  await people.gm.getByText('Viktor is muted.').waitFor();
  const box = people.viktor.getByRole('textbox', { name: 'Message' });
  if (await box.isEnabled()) {
    await box.fill('But I');
    await people.viktor.keyboard.press('Enter');
    await people.viktor.getByText('(4500)').waitFor();
  }
  await people.viktor.reload();
  await people.viktor.getByText('You are muted for').waitFor();
});

test('the console measures votes and commands against their budgets', async () => {
  await people.producer.locator('.uplot').first().waitFor();
  await people.producer.getByText('holds').first().waitFor();
  equal(await axe_findings(people.producer), [], 'findings of axe');
});

test('without WebSocket a page goes on over HTTPS', async () => {
  const context = await browser.newContext();
  await context.addInitScript(() => {
    window.WebSocket = class {
      constructor() {
        setTimeout(() => this.onclose?.({ code: 1006, reason: '' }), 5);
      }
      send() {}
      close() {}
    };
  });
  const page = await context.newPage();
  await page.goto(await node.link('audience', 'hattie', 'viewer', 'Hattie'));
  await page.getByText('Live over HTTPS').waitFor({ timeout: 20_000 });
  await page.getByText('The dry well').first().waitFor();
  await page.getByRole('textbox', { name: 'Message' }).fill('By the slow road.');
  await page.keyboard.press('Enter');
  await people.vera.locator('.line', { hasText: 'By the slow road.' }).waitFor();
  await context.close();
});

test('a forged token gets a clear page', async () => {
  const link = await node.link('audience', 'eve', 'viewer', 'Eve');
  const page = await open_page(browser, `${link.slice(0, -6)}AAAAAA`, { allow: kExpected });
  await page.getByText('This link does not open the show').waitFor();
  await page.getByText('(4101)').waitFor();
  await page.context().close();
});

test('the end reveals the seed, and the rolls are verified on the page', async () => {
  await people.producer.getByRole('button', { name: 'End…' }).click();
  await people.producer.getByRole('button', { name: 'End for good' }).click();
  const ann = people.ann;
  await ann.locator('details.fairness summary').click();
  await ann.getByRole('button', { name: 'Verify the rolls here' }).click();
  await ann.getByText('The seed hashes to the commitment.').waitFor();
  await ann.getByText('1 of 1 rolls follow from it.').waitFor();
  await ann.getByText('Recomputed here: fair').waitFor();
});

test('no page saw an error, a foreign request or a violation of its policy', async () => {
  for (const [name, page] of everyone()) equal(page.faults, [], `faults of ${name}`);
});

test('SIGTERM drains and exits 0', async () => {
  equal(await node.down(), 0, 'exit code');
});

test('every receipt stands in the exported log, which verifies', async () => {
  const text = await footlight('export', node.log_file());
  await writeFile(join(output_folder, 'show.export.jsonl'), text);
  for (const [name, hash] of receipts)
    assert(text.includes(`"receipt":"${hash}"`), `the receipt of ${name} is not in the export`);
  await footlight('verify', node.log_file());
});
