// Every page at phone, tablet and desk width, dark and light: it stands, nobody scrolls sideways, axe
// finds nothing serious, the content policy is not violated, nothing is fetched from elsewhere.
// Leaves a picture of each in test-results/.
import { axe_findings, launch, open_page, overflow_px, shot } from '../lib/browser.mjs';
import { FakeNode } from '../lib/fake_node.mjs';
import { ports } from '../lib/ports.mjs';
import { equal, group, test } from '../lib/harness.mjs';

const kWidths = [
  [360, 780],
  [800, 1000],
  [1400, 950],
];
const kPages = [
  { name: 'audience', account: 'mira', role: 'viewer', ready: 'article.poll' },
  { name: 'stage', account: 'ann', role: 'player', chars: ['aria'], ready: '.map .token' },
  { name: 'console', account: 'paula', role: 'producer', ready: '.uplot' },
];

let node;
let browser;
group('screens', {
  async before() {
    node = await FakeNode.start(ports.screens, {
      '/v1/episodes': {
        episodes: [{ id: 'demo', title: 'The Bell Under the Hill', state: 'live' }],
      },
    });
    browser = await launch();
  },
  async after() {
    await browser?.close();
    await node?.stop();
  },
});

for (const { name, account, role, chars, ready } of kPages) {
  for (const [width, height] of kWidths) {
    for (const scheme of ['dark', 'light']) {
      test(`${name} stands at ${width} px in the ${scheme}`, async () => {
        const page = await open_page(
          browser,
          node.link(name, account, role, {
            chars,
            name: account === 'mira' ? 'Mira' : account === 'ann' ? 'Ann' : 'Paula',
          }),
          { width, height, scheme },
        );
        await page.waitForSelector(ready, { timeout: 10_000 });
        if (name === 'console') await page.waitForTimeout(1500);
        equal(await overflow_px(page), 0, 'pixels of sideways scrolling');
        equal(await axe_findings(page), [], 'findings of axe');
        equal(page.faults, [], 'faults');
        await shot(page, `${name}-${width}-${scheme}`, { fullPage: true });
        await page.context().close();
      });
    }
  }
}

for (const scheme of ['dark', 'light']) {
  test(`the landing page stands in the ${scheme}`, async () => {
    for (const [width, height] of kWidths) {
      const page = await open_page(browser, `${node.address}/`, {
        width,
        height,
        scheme,
        allow: /404/,
      });
      await page.getByText('The Bell Under the Hill').waitFor();
      equal(await overflow_px(page), 0, 'pixels of sideways scrolling');
      equal(await axe_findings(page), [], 'findings of axe');
      equal(page.faults, [], 'faults');
      await shot(page, `landing-${width}-${scheme}`, { fullPage: true });
      await page.context().close();
    }
  });
}

test('the overlay is transparent and stands', async () => {
  const page = await open_page(browser, node.link('overlay', 'overlay', 'viewer'), {
    width: 1920,
    height: 1080,
    reduced: false,
  });
  await page.getByText('Which door do they open?').waitFor();
  node.patch(['rolls', '15', { ...node.view.rolls[14], n: 15, at_ms: Date.now() }]);
  for (let i = 0; i < 6; i++) {
    node.broadcast({ t: 'emotes', c: { heart: 3, clap: 2, fire: 1 } });
    await page.waitForTimeout(250);
  }
  const background = await page.evaluate(() =>
    [document.documentElement, document.body].map((it) => getComputedStyle(it).backgroundColor),
  );
  equal(background, ['rgba(0, 0, 0, 0)', 'rgba(0, 0, 0, 0)'], 'background');
  equal(page.faults, [], 'faults');
  await shot(page, 'overlay-1920', { omitBackground: true });
  node.patch([
    'episode',
    'state',
    { ...node.view.episode.state, slate: { on: true, text: 'Back at a quarter past' } },
  ]);
  await page.getByText('Back at a quarter past').waitFor();
  await shot(page, 'overlay-slate', { omitBackground: true });
  node.patch(['episode', 'state', { ...node.view.episode.state, slate: { on: false, text: '' } }]);
  await page.context().close();
});

test('an overlay without a token says nothing inside OBS', async () => {
  const context = await browser.newContext();
  await context.addInitScript(() => void (window.obsstudio = {}));
  const page = await context.newPage();
  await page.goto(`${node.address}/overlay/`);
  await page.waitForTimeout(300);
  equal(
    (await page.evaluate(() => document.getElementById('app').innerText)).trim(),
    '',
    'text on air',
  );
  await context.close();
});
