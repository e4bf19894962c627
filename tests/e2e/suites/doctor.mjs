// The doctor's page: what it finds from a browser whose ways are open, and from one whose network blocks some.
import { writeFile } from 'node:fs/promises';
import { join as path_of } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  axe_findings,
  launch,
  open_page,
  overflow_px,
  shot,
  without_media,
  without_udp,
} from '../lib/browser.mjs';
import { assert, equal, group, test as timed, until } from '../lib/harness.mjs';
import { ports } from '../lib/ports.mjs';
import { RealNode } from '../lib/real_node.mjs';
import { Relay, has_coturn } from '../lib/relay.mjs';

const kEpisode = fileURLToPath(new URL('../show.episode.yaml', import.meta.url));
const kFlags = ['--allow-loopback-in-peer-connection'];
const test = (name, run) => timed(name, run, { timeout_ms: 120_000 });

let relay;
let node;
let browser;
/** A script of a page: every WebSocket fails. */
function without_websocket() {
  window.WebSocket = class {
    constructor() {
      setTimeout(() => this.onclose?.({ code: 1006, reason: '' }));
    }
    close() {}
    send() {}
  };
}

if (!has_coturn()) {
  console.log('skipped: suite doctor, as there is no turnserver (Debian: coturn)');
} else {
  group('doctor', {
    async before() {
      browser = await launch(kFlags);
      relay = await Relay.start(ports.doctor_turn);
      const config = path_of(relay.folder, 'node.yaml');
      await writeFile(
        config,
        `media: { relay_check_s: 1 }
relays:
  - { urls: ["${relay.url}"], secret_file: "${relay.secret_file}", priority: 5 }
  - { urls: ["turn:127.0.0.1:9"], secret_file: "${relay.secret_file}" }
`,
      );
      node = await RealNode.start(ports.doctor, kEpisode, 'show', ['--config', config]);
      await relays_known(1);
    },
    async after() {
      await browser?.close();
      await node?.remove();
      await relay?.remove();
    },
  });

  const relays_known = (working) =>
    until(
      async () => {
        const metrics = await (await fetch(`${node.address}/metrics`)).text();
        return metrics.includes(`footlight_relays_working ${working}\n`);
      },
      `${working} working relays`,
      20_000,
    );
  const open = async (role, options = {}) =>
    open_page(browser, await node.link('doctor', 'ann', role, 'Ann'), {
      allow: /WebSocket|404/,
      ...options,
    });
  const verdict = async (page) => {
    const button = page.getByRole('button', { name: 'Try again' });
    await until(() => button.isEnabled(), 'the examination to end', 90_000);
    return page.getByRole('status').first().textContent();
  };
  const state = (page, id) => page.locator(`[data-check="${id}"]`).getAttribute('class');
  const text = (page, id) => page.locator(`[data-check="${id}"]`).textContent();
  const health = async (page, id) =>
    (await state(page, id)).split(' ').find((it) => /^(good|warn|bad|skipped)$/.test(it));

  test('a player whose ways are open is told so, and which relay is out of order', async () => {
    const page = await open('player');
    const said = await verdict(page);
    for (const id of ['server', 'websocket', 'https', 'udp', 'tcp', relay.url]) {
      equal(await health(page, id), 'good', `${id}: ${await text(page, id)}`);
    }
    assert(/session goes over it/.test(await text(page, 'udp')), await text(page, 'udp'));
    equal(await health(page, 'turn:127.0.0.1:9'), 'warn', 'the dead relay');
    assert(/Out of order/.test(await text(page, 'turn:127.0.0.1:9')), 'in words');
    assert(/Everything works/.test(said), said);
    equal(await axe_findings(page), [], 'axe');
    await shot(page, 'doctor');
    equal(page.faults, [], 'faults');
    await page.context().close();
  });

  test('on a phone, in the light, for a viewer, it reads as well', async () => {
    const page = await open('viewer', { width: 360, height: 740, scheme: 'light' });
    await verdict(page);
    equal(await health(page, 'udp'), 'good', await text(page, 'udp'));
    equal(await overflow_px(page), 0, 'sideways');
    equal(await axe_findings(page), [], 'axe');
    await shot(page, 'doctor-phone', { fullPage: true });
    await page.context().close();
  });

  test('where the network blocks UDP alone, it says that TCP serves', async () => {
    const page = await open('player', { script: without_udp });
    const said = await verdict(page);
    equal(await health(page, 'udp'), 'warn', await text(page, 'udp'));
    equal(await health(page, 'tcp'), 'good', await text(page, 'tcp'));
    assert(/go over TCP/.test(said), said);
    await page.context().close();
  });

  test('where the network blocks media and WebSocket, it says what goes on and what to do', async () => {
    const page = await open('player', { script: [without_media, without_websocket] });
    const said = await verdict(page);
    equal(await health(page, 'websocket'), 'warn', await text(page, 'websocket'));
    assert(/proxy/.test(await text(page, 'websocket')), 'what it may be');
    equal(await health(page, 'udp'), 'warn', await text(page, 'udp'));
    equal(await health(page, relay.url), 'good', await text(page, relay.url));
    assert(/by a relay/.test(said), said);
    await shot(page, 'doctor-blocked');
    await relay.down();
    await relays_known(0);
    await page.getByRole('button', { name: 'Try again' }).click();
    const later = await verdict(page);
    equal(await health(page, relay.url), 'bad', await text(page, relay.url));
    assert(/do not get through/.test(later), later);
    equal(await axe_findings(page), [], 'axe');
    await page.context().close();
  });

  test('from a page that has a link it takes that one', async () => {
    const stage = await open_page(browser, await node.link('stage', 'bo', 'player', 'Bo'));
    await stage.locator('summary').first().click();
    const opened = stage.context().waitForEvent('page');
    await stage.getByRole('link', { name: 'Test this connection' }).click();
    const page = await opened;
    await until(
      async () => (await health(page, 'server')) === 'good',
      'the server to be found',
      20_000,
    );
    await stage.context().close();
  });

  test('without a link it asks for one, and a stale link is named', async () => {
    const page = await open_page(browser, `${node.address}/doctor/`);
    await page.getByText('This page needs your link').waitFor();
    await page.context().close();
    const stale = await open_page(browser, `${node.address}/doctor/#ep=show&token=nonsense`, {
      allow: /401/,
    });
    await verdict(stale);
    equal(await health(stale, 'server'), 'bad', await text(stale, 'server'));
    equal(await health(stale, 'udp'), 'skipped', 'nothing else is tried');
    await stale.context().close();
  });
}
