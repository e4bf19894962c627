// The table of the stage page, on a fake node: map, tokens, fog, drawing, notes, undo, presence. What the server
// has to promise (rights, durability, authority) is tested in boards.mjs.
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { axe_findings, launch, open_page, overflow_px, shot } from '../lib/browser.mjs';
import { FakeNode } from '../lib/fake_node.mjs';
import { assert, equal, group, test, until } from '../lib/harness.mjs';
import { ports } from '../lib/ports.mjs';

const kMap = fileURLToPath(new URL('../../../web/test/crypt.dd2vtt', import.meta.url));

let node;
let browser;
let gm;
let ann;

const token_of = (page, name) =>
  page.locator('.map').getByRole('button', { name: new RegExp(`^${name}`) });
const label = async (page, name) =>
  (await token_of(page, name).getAttribute('aria-label')).replace(', on its way', '');
const same = (name) =>
  until(async () => (await label(gm, name)) === (await label(ann, name)), `${name} at one place`);
const note_text = (page) =>
  page.locator('.note-text').evaluate((text) => {
    const copy = text.cloneNode(true);
    for (const caret of copy.querySelectorAll('.note-caret')) caret.remove();
    return copy.textContent.replaceAll('\u2060', '');
  });
const stage = (account, role, name, chars, options = {}) =>
  open_page(browser, node.link('stage', account, role, { name, chars }), options);

group('table', {
  async before() {
    node = await FakeNode.start(ports.table);
    browser = await launch();
    gm = await stage('gale', 'gm', 'Gale', []);
    ann = await stage('ann', 'player', 'Ann', ['aria']);
    for (const page of [gm, ann]) await token_of(page, 'Ogre').waitFor({ timeout: 30_000 });
  },
  async after() {
    await browser?.close();
    await node?.stop();
  },
});

test('tokens tell name, hit points and square to who cannot see them', async () => {
  equal(await label(ann, 'Ogre'), 'Ogre, 31 of 59 hit points, column 17, row 7', 'label');
  await ann.getByText('Gale', { exact: true }).first().waitFor();
});

test('a drag is seen on its way and ends on a square; a key moves by one', async () => {
  const before = await label(gm, 'Aria Venn');
  const box = await token_of(ann, 'Aria Venn').boundingBox();
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  await ann.mouse.move(x, y);
  await ann.mouse.down();
  await ann.mouse.move(x + box.width * 2.2, y, { steps: 12 });
  await until(async () => (await label(gm, 'Aria Venn')).endsWith('held by Ann'), 'the hand');
  await ann.mouse.up();
  await until(async () => !(await label(gm, 'Aria Venn')).includes('held'), 'the token let go');
  await same('Aria Venn');
  assert((await label(gm, 'Aria Venn')) !== before, 'it did not move');
  const dropped = await label(gm, 'Aria Venn');
  await token_of(ann, 'Aria Venn').focus();
  await ann.keyboard.press('ArrowDown');
  await until(async () => (await label(gm, 'Aria Venn')) !== dropped, 'the step');
  const undo = ann.getByRole('button', { name: 'Undo', exact: true });
  await undo.click();
  await until(async () => (await label(gm, 'Aria Venn')) === dropped, 'the step undone');
  await undo.click();
  await until(async () => (await label(gm, 'Aria Venn')) === before, 'the whole drag undone');
});

test('hit points of a character follow the server, not the board', async () => {
  node.patch(['characters', 'aria', { ...node.view.characters.aria, hp: 3 }]);
  await until(async () => (await label(ann, 'Aria Venn')).includes('3 of 24'), 'the ring');
});

test('a Universal VTT map comes in and goes out as it was', async () => {
  await gm.locator('summary', { hasText: 'Map and fog' }).click();
  await gm.locator('input[type=file]').setInputFiles(kMap);
  await gm.getByText('3 walls, 1 doors').waitFor({ timeout: 20_000 });
  await ann.getByRole('heading', { name: 'crypt' }).waitFor();
  const [file] = await Promise.all([
    gm.waitForEvent('download'),
    gm.getByRole('button', { name: 'Save as Universal VTT' }).click(),
  ]);
  const [out, before] = await Promise.all(
    [await file.path(), kMap].map(async (path) => JSON.parse(await readFile(path, 'utf8'))),
  );
  equal(out, { ...out, ...before }, 'the map');
});

test('a file that is no map is refused with a sentence', async () => {
  const buffer = Buffer.from('{"resolution":{"map_size":{"x":1}}}');
  const file = { name: 'broken.uvtt', mimeType: 'application/json', buffer };
  await gm.locator('input[type=file]').setInputFiles(file);
  await gm.getByText('resolution.map_size.y is not a number.').waitFor();
  await ann.getByRole('heading', { name: 'crypt' }).waitFor();
});

test('fog hides what is not revealed from players, and only from them', async () => {
  await gm.getByLabel('Fog of war').check();
  await until(async () => (await ann.locator('.map .token').count()) === 1, 'the own token alone');
  equal(await gm.locator('.map .token').count(), 4, 'tokens the game master sees');
  await gm.getByRole('button', { name: 'Reveal all' }).click();
  await until(async () => (await ann.locator('.map .token').count()) >= 3, 'the tokens');
  await gm.getByLabel('Fog of war').uncheck();
});

test('a stroke is drawn for all, and erased', async () => {
  const strokes = () => node.boards.doc('table').getMap('drawing').size;
  const before = strokes();
  const map = await ann.locator('.map').boundingBox();
  const at = (x, y) => [map.x + map.width * x, map.y + map.height * y];
  const stroke = async () => {
    await ann.mouse.move(...at(0.45, 0.2));
    await ann.mouse.down();
    await ann.mouse.move(...at(0.55, 0.25), { steps: 8 });
    await ann.mouse.up();
  };
  await ann.getByRole('button', { name: 'Draw', exact: true }).click();
  await stroke();
  await until(() => strokes() === before + 1, 'the stroke');
  await ann.getByRole('button', { name: 'Erase drawing' }).click();
  await stroke();
  await until(() => strokes() === before, 'the stroke to be gone');
  await ann.getByRole('button', { name: 'Move tokens and the map' }).click();
});

test('a note is written by two at once', async () => {
  await gm.getByRole('button', { name: 'Note', exact: true }).click();
  await gm.locator('.note-text').click({ timeout: 20_000 });
  await gm.keyboard.press('Control+b');
  await gm.keyboard.type('Listen');
  await gm.keyboard.press('Control+b');
  await gm.keyboard.type(' to the bell.');
  await ann.getByRole('button', { name: 'A note' }).click();
  await until(async () => (await note_text(ann)) === 'Listen to the bell.', 'the note');
  equal(await ann.locator('.note-text strong').innerText(), 'Listen', 'bold text');
  await ann.locator('.note-text').click();
  await ann.keyboard.press('Control+End');
  await ann.keyboard.type(' We do.');
  await until(async () => (await note_text(gm)) === 'Listen to the bell. We do.', 'the answer');
  await gm.locator('.note-caret', { hasText: 'Ann' }).waitFor();
});

test('turns go round', async () => {
  await gm.getByRole('button', { name: 'Next turn' }).click();
  await ann.locator('li.now', { hasText: 'Borin' }).waitFor();
});

test('edits made while the connection is away are kept and merge', async () => {
  node.cut();
  await token_of(gm, 'Grey wolf').focus();
  await gm.keyboard.press('ArrowUp');
  await token_of(ann, 'Aria Venn').focus();
  await ann.keyboard.press('ArrowUp');
  for (const page of [gm, ann])
    await page.locator('.board .chip', { hasText: 'Saved' }).waitFor({ timeout: 30_000 });
  for (const name of ['Grey wolf', 'Aria Venn']) await same(name);
});

/** Frames that `page` paints in three seconds, as their lengths in milliseconds, shortest first. */
const frames_of = (page) =>
  page.evaluate(async () => {
    const times = [];
    await new Promise((resolve) => {
      const step = (now) => {
        times.push(now);
        if (now - times[0] > 3000) resolve();
        else requestAnimationFrame(step);
      };
      requestAnimationFrame(step);
    });
    return times
      .slice(1)
      .map((time, k) => time - times[k])
      .sort((a, b) => a - b);
  });

test('stays smooth while eight people drag', async () => {
  const ids = [...node.boards.doc('table').getMap('tokens').keys()];
  let clock = 0;
  let hands = 1;
  const timer = setInterval(() => {
    clock++;
    for (let k = 0; k < hands; k++) {
      const [x, y] = [5 + 4 * Math.sin(clock / 20 + k), 4 + 3 * Math.cos(clock / 20 + k)];
      const user = { name: `Player ${k}`, color: '#4f9bd8', hue: k };
      const drag = { id: ids[k % ids.length], x, y };
      node.boards.presence('table', 9000 + k, clock, { user, at: [x, y], drag });
    }
  }, 33);
  const one = await frames_of(gm);
  hands = 8;
  const eight = await frames_of(gm);
  // All eight hands are on the page while they move.
  for (let k = 0; k < 8; k++)
    await gm.locator('.board-cursor', { hasText: `Player ${k}` }).waitFor({ state: 'attached' });
  clearInterval(timer);
  const p = (frames, share) => frames[Math.floor(frames.length * share)].toFixed(1);
  console.log(
    `        frames: p50 ${p(eight, 0.5)} ms, p95 ${p(eight, 0.95)} ms; one person p50 ${p(one, 0.5)} ms`,
  );
  // The browser paints in software here, beside the server and the others on the same cores: the figure is
  // printed, and what is held is that the page goes on painting and shows all eight.
  assert(eight.length > 3, `${eight.length} frames in three seconds`);
});

test('holds on a phone in both lights, and axe finds nothing serious', async () => {
  for (const scheme of ['dark', 'light']) {
    const page = await stage('ann', 'player', 'Ann', ['aria'], { width: 390, height: 844, scheme });
    await token_of(page, 'Aria Venn').waitFor();
    await page.getByRole('button', { name: 'What the sexton said' }).click();
    await page.locator('.note-text').waitFor();
    equal(await overflow_px(page), 0, 'pixels of sideways scrolling');
    equal(await axe_findings(page), [], 'findings of axe');
    equal(page.faults, [], 'faults');
    await shot(page, `table-390-${scheme}`, { fullPage: true });
    await page.context().close();
  }
  equal(
    [...gm.faults, ...ann.faults].filter((it) => !it.includes('WebSocket')),
    [],
    'faults',
  );
});
