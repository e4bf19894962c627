// What the pages do, each alone with a fake node: states of a vote, of the connection and of the
// server, keyboard, themes, a new build. The show as a whole is tested in show.mjs.
import { launch, open_page } from '../lib/browser.mjs';
import { fake_token, FakeNode } from '../lib/fake_node.mjs';
import { ports } from '../lib/ports.mjs';
import { assert, equal, group, test, until } from '../lib/harness.mjs';

let node;
let browser;
group('pages', {
  async before() {
    node = await FakeNode.start(ports.pages);
    browser = await launch();
  },
  async after() {
    await browser?.close();
    await node?.stop();
  },
});

const audience = (account, options = {}) =>
  open_page(browser, node.link('audience', account, 'viewer', { name: account }), options);
const option = (page, text) => page.getByRole('button', { name: new RegExp(text) });
const step = (page) =>
  page.locator('[aria-label="State of your vote"] [aria-current=step]').innerText();

test('a vote is pending at once, then accepted, then confirmed with a receipt', async () => {
  node.answer = 'hold';
  const page = await audience('vera');
  await option(page, 'The right').click();
  equal((await step(page)).trim(), 'Sent', 'step while unanswered');
  equal(await option(page, 'The right').getAttribute('aria-pressed'), 'true', 'pressed');
  node.answer = 'accept';
  node.cut();
  await until(async () => (await step(page)).trim() === 'Accepted', 'the accepted step', 15_000);
  node.answer = 'confirm';
  node.cut();
  await until(async () => (await step(page)).trim() === 'Confirmed', 'the confirmed step', 15_000);
  await page.getByText('Receipt', { exact: false }).first().click();
  const hash = (await page.locator('.vote-state .hash').innerText()).trim();
  assert(/^[0-9a-f]{32}$/.test(hash), `not a receipt: ${hash}`);
  await page.getByRole('button', { name: 'Copy receipt' }).click();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  assert(copied.includes(hash) && copied.includes('poll fork'), `copied ${copied}`);
  equal(
    page.faults.filter((it) => !it.includes('WebSocket')),
    [],
    'faults',
  );
  await page.context().close();
});

test('the tally moves by the own vote', async () => {
  const page = await audience('toby');
  await page.getByText(/\d+ voters, provisional/).waitFor();
  const before = Number(
    (await page.locator('article.poll footer p').first().innerText()).replace(/\D/g, ''),
  );
  await option(page, 'Ring the bell').click();
  await until(
    async () =>
      Number(
        (await page.locator('article.poll footer p').first().innerText()).replace(/\D/g, ''),
      ) ===
      before + 1,
    'one voter more',
  );
  await page.context().close();
});

test('a poll can be answered by keyboard alone', async () => {
  const page = await audience('kim');
  await option(page, 'The left').waitFor();
  await page.keyboard.press('Tab');
  equal(
    await page.evaluate(() => document.activeElement.textContent),
    'Skip to the content',
    'first stop',
  );
  await page.keyboard.press('Enter');
  for (let i = 0; i < 12; i++) {
    await page.keyboard.press('Tab');
    if (await page.evaluate(() => document.activeElement.classList.contains('option'))) break;
  }
  const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  equal(outline, 'solid', 'outline of what has the focus');
  await page.keyboard.press('Enter');
  await until(async () => (await step(page)).trim() === 'Confirmed', 'the confirmed step');
  await page.context().close();
});

test('opening and closing of a poll are spoken', async () => {
  const page = await audience('sue');
  await option(page, 'The left').waitFor();
  const poll = {
    ...node.view.polls.fork,
    title: 'A second question?',
    opened_ms: Date.now(),
    deadline_ms: 0,
  };
  node.patch(['polls', 'second', poll]);
  const spoken = () => page.locator('[aria-live=polite].visually-hidden').last().innerText();
  await until(
    async () => (await spoken()).startsWith('Poll open: A second question?'),
    'the announcement',
  );
  const result = { counts: [1, 4, 2], voters: 7, winner: 1, why: 'votes', log: 1300, chain: '' };
  node.patch(['polls', 'second', { ...poll, state: 'closed', result }]);
  await until(async () => (await spoken()).includes('Result: The right'), 'the result');
  node.patch(['polls', 'second', null]);
  await page.context().close();
});

test('several choices are gathered, limited and sent together', async () => {
  const page = await audience('max');
  const times = { opened_ms: Date.now(), deadline_ms: Date.now() + 60_000 };
  node.patch(['polls', 'many', { ...node.view.polls.bell, state: 'open', ...times }]);
  await option(page, 'Their light').click();
  await option(page, 'A memory').click();
  await option(page, 'The map').click({ force: true });
  equal(await option(page, 'The map').getAttribute('aria-pressed'), 'false', 'a third of two');
  await page.getByText('The count stays hidden').waitFor();
  await page.getByRole('button', { name: 'Send my vote' }).click();
  await until(async () => (await step(page)).trim() === 'Confirmed', 'the confirmed step');
  node.patch(['polls', 'many', null]);
  await page.context().close();
});

test('a refusal is shown with its number and costs nothing else', async () => {
  const page = await audience('rob');
  await page.getByRole('textbox', { name: 'Message' }).fill('/refuse');
  await page.keyboard.press('Enter');
  await page.getByText('Your message was not sent: You are muted. (4500)').waitFor();
  await page.getByRole('textbox', { name: 'Message' }).fill('but this is heard');
  await page.keyboard.press('Enter');
  await page.locator('.line .text', { hasText: 'but this is heard' }).waitFor();
  await page.context().close();
});

test('each mode of the server has its banner', async () => {
  const page = await audience('moe');
  await option(page, 'The left').waitFor();
  node.set_mode('degraded');
  await page.getByText('The server is under load').waitFor();
  node.set_mode(
    'halted',
    4604,
    'The disk is full; free space and restart the episode. Reading goes on.',
  );
  await page.getByText('The disk is full').waitFor();
  equal(
    await option(page, 'The left').getAttribute('aria-disabled'),
    'true',
    'a vote while halted',
  );
  node.set_mode('live');
  await until(async () => (await page.locator('.banner').count()) === 0, 'the banner to go');
  await page.context().close();
});

test('a lost connection says so, keeps the picture and comes back by itself', async () => {
  const page = await audience('ned');
  await option(page, 'The left').waitFor();
  node.refuse = {
    code: 4900,
    message: 'The server is going down for maintenance.',
    reconnect: true,
    after_ms: [600, 900],
  };
  node.cut();
  await page.locator('.banner').waitFor();
  assert(await option(page, 'The left').isVisible(), 'the last view is gone');
  node.refuse = null;
  await page.getByText('Live', { exact: true }).waitFor({ timeout: 15_000 });
  await until(async () => (await page.locator('.banner').count()) === 0, 'the banner to go');
  await page.context().close();
});

test('a wrong token gets a page of its own, on every page', async () => {
  node.refuse = { code: 4101, message: "The token's signature is wrong; ask for a new one." };
  for (const name of ['audience', 'stage', 'console']) {
    const page = await open_page(browser, node.link(name, 'eve', 'viewer'), { allow: /WebSocket/ });
    await page.getByText('This link does not open the show').waitFor();
    await page.getByText('(4101)').waitFor();
    await page.context().close();
  }
  node.refuse = null;
  const page = await open_page(browser, `${node.address}/stage/`);
  await page.getByText('This page needs your link').waitFor();
  await page.context().close();
});

test('a viewer on the console is told that it is not for them', async () => {
  const page = await open_page(browser, node.link('console', 'vic', 'viewer'));
  await page.getByText('The console is for those who run the show').waitFor();
  await page.context().close();
});

test('the token leaves the address bar and survives a reload', async () => {
  const page = await audience('ivy');
  await option(page, 'The left').waitFor();
  assert(!page.url().includes('token'), page.url());
  await page.reload();
  await option(page, 'The left').waitFor();
  await page.context().close();
});

test('the theme can be chosen and is remembered', async () => {
  const page = await audience('lea', { scheme: 'dark' });
  const house = () =>
    page.evaluate(() =>
      getComputedStyle(document.documentElement).getPropertyValue('--house').trim(),
    );
  const dark = await house();
  await page.getByRole('button', { name: 'Switch to the light theme' }).click();
  const light = await house();
  assert(dark !== light, 'the theme did not change');
  await page.reload();
  await option(page, 'The left').waitFor();
  equal(await house(), light, 'background after a reload');
  await page.context().close();
});

test('an overlay reloads once for a new build of the server', async () => {
  const page = await open_page(
    browser,
    `${node.address}/overlay/#ep=demo&token=${fake_token('overlay', 'viewer')}`,
    { width: 1280, height: 720 },
  );
  await page.getByText('Which door do they open?').waitFor();
  await page.evaluate(() => (window.mark = 1));
  node.build = 'b2';
  node.cut();
  await until(
    async () => (await page.evaluate(() => window.mark)) === undefined,
    'the reload',
    15_000,
  );
  await page.getByText('Which door do they open?').waitFor();
  await page.evaluate(() => (window.mark = 2));
  node.cut();
  await page.waitForTimeout(2500);
  equal(await page.evaluate(() => window.mark), 2, 'mark after a reconnect to the same build');
  await page.context().close();
});

test('an overlay shows only the parts that were asked for', async () => {
  const page = await open_page(
    browser,
    node.link('overlay', 'overlay', 'viewer', {}, '&show=scene&theme=light&scale=1.5'),
    { width: 1280, height: 720 },
  );
  await page.getByText('The gate below the roots').waitFor();
  equal(await page.getByText('Which door do they open?').count(), 0, 'polls shown');
  const size = await page.evaluate(() => getComputedStyle(document.documentElement).fontSize);
  equal(size, '16px', 'size: 1.5 times 16 at 1080 lines, on 720');
  equal(await page.evaluate(() => document.documentElement.dataset.theme), 'light', 'theme');
  await page.context().close();
});

test('the next cue runs by one key, once, and not while typing', async () => {
  const page = await open_page(browser, node.link('console', 'paula', 'producer'));
  await page.getByRole('button', { name: /Light the candle/ }).waitFor();
  const fired = () => node.commands.filter(([kind]) => kind === 'timer.start').length;
  const before = fired();
  await page.getByLabel('Holding slate').focus();
  await page.keyboard.press('n');
  equal(await page.getByLabel('Holding slate').inputValue(), 'n', 'typed');
  // Held back, so that the second press meets a cue that is on its way.
  node.answer = 'accept';
  await page.locator('#main').focus();
  await page.keyboard.press('n');
  await page.keyboard.press('n');
  await until(() => fired() > before, 'the cue to be sent');
  await page.waitForTimeout(200);
  equal(fired(), before + 1, 'times it was sent');
  node.answer = 'confirm';
  node.patch(['cues', '4', { ...node.view.cues['4'], done: true }]);
  await until(
    async () => (await page.locator('button.next').innerText()).includes('What the bell costs'),
    'the next cue',
  );
  node.patch(['cues', '4', { ...node.view.cues['4'], done: false }]);
  await page.context().close();
});

test('a player changes their own character and reads the others', async () => {
  const page = await open_page(browser, node.link('stage', 'ann', 'player', { chars: ['aria'] }));
  const own = page.locator('article.sheet', { hasText: 'Aria Venn' });
  await own.getByRole('button', { name: 'Damage' }).click();
  await until(async () => (await own.innerText()).includes('16'), 'the damage');
  equal(
    await page.locator('article.sheet', { hasText: 'Brom' }).getByRole('button').count(),
    0,
    'buttons on another’s sheet',
  );
  await page.context().close();
});

test('emotes float, but not for those who asked for less motion', async () => {
  for (const reduced of [false, true]) {
    const page = await audience('pia', { reduced });
    await option(page, 'The left').waitFor();
    node.broadcast({ t: 'emotes', c: { heart: 9 } });
    if (!reduced) await page.locator('.sky .spark').first().waitFor({ state: 'attached' });
    else await page.waitForTimeout(400);
    equal((await page.locator('.sky .spark').count()) > 0, !reduced, 'floating');
    await page.context().close();
  }
});
