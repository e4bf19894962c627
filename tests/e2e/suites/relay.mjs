// Over a real coturn on loopback: who may use nothing but relays publishes and is seen; a relay that is dead is
// shown as dead and handed out to nobody.
import { writeFile } from 'node:fs/promises';
import { join as path_of } from 'node:path';
import { fileURLToPath } from 'node:url';
import { launch, open_page } from '../lib/browser.mjs';
import { bundled } from '../lib/bundle.mjs';
import { assert, equal, group, test, until } from '../lib/harness.mjs';
import { ports } from '../lib/ports.mjs';
import { RealNode, footlight } from '../lib/real_node.mjs';
import { Relay, has_coturn } from '../lib/relay.mjs';

const kEpisode = fileURLToPath(new URL('../show.episode.yaml', import.meta.url));
const kFlags = [
  '--use-fake-device-for-media-stream',
  '--use-fake-ui-for-media-stream',
  '--allow-loopback-in-peer-connection',
  '--autoplay-policy=no-user-gesture-required',
];

let relay;
let node;
let browser;
let page;
let config;
if (!has_coturn()) {
  console.log('skipped: suite relay, as there is no turnserver (Debian: coturn)');
} else {
  group('relay', {
    async before() {
      browser = await launch(kFlags);
      relay = await Relay.start(ports.turn);
      config = path_of(relay.folder, 'node.yaml');
      await writeFile(
        config,
        `media: { relay_check_s: 1, region: here }
relays:
  - { urls: ["${relay.url}", "${relay.tcp_url}"], secret_file: "${relay.secret_file}", region: here, priority: 5 }
  - { urls: ["turn:127.0.0.1:9"], secret_file: "${relay.secret_file}", region: here, priority: 9 }
`,
      );
      node = await RealNode.start(ports.relay, kEpisode, 'show', ['--config', config]);
      page = await open_page(browser, `${node.address}/healthz`, { allow: /404/ });
      await page.evaluate(await bundled('relay_page.mjs'));
    },
    async after() {
      await browser?.close();
      await node?.remove();
      await relay?.remove();
    },
  });

  const token_of = async (name, role) => {
    const link = await node.link('stage', name, role, name);
    return new URLSearchParams(new URL(link).hash.slice(1)).get('token');
  };
  const call = (what, ...args) => page.evaluate(([name, it]) => window[name](...it), [what, args]);
  const join = async (name, role, options = {}) =>
    call('join', name, await token_of(name, role), options);
  const known = async () => {
    const headers = { authorization: `Bearer ${await token_of('vera', 'viewer')}` };
    return (await (await fetch(`${node.address}/v1/relays/show`, { headers })).json()).relays;
  };

  /** A line is live when its offer is answered; which pair it goes by is known a moment later. */
  const goes = (name, way, what) =>
    until(async () => way.test(await call('own_way', name)), `${what} to be ${way}`);

  test('each relay is asked for an allocation; the dead one is shown as dead and handed out to nobody', async () => {
    const all = await until(
      async () => {
        const relays = await known();
        return relays.every((one) => one.asked) && relays;
      },
      'both to be asked',
      20_000,
    );
    equal(
      all.map((one) => one.works),
      [true, false],
      JSON.stringify(all),
    );
    assert(/does not answer/.test(all[1].why), all[1].why);
    equal((await fetch(`${node.address}/v1/relays/show`)).status, 401, 'for a stranger');
    const metrics = await (await fetch(`${node.address}/metrics`)).text();
    assert(/footlight_relays 2\n/.test(metrics), 'relays');
    assert(/footlight_relays_working 1\n/.test(metrics), 'working');
    await join('vera', 'viewer');
    const servers = await until(async () => {
      const told = await call('relays', 'vera');
      return told.length > 0 && told;
    }, 'the relays');
    equal(
      servers.map((one) => one.urls),
      [[`stun:127.0.0.1:${ports.turn}`], [relay.url, relay.tcp_url]],
      'handed out',
    );
  });

  test('WHIP and WHEP say them in Link headers, with credentials for who has a token', async () => {
    const authorization = `Bearer ${await token_of('bo', 'player')}`;
    const url = `${node.address}/v1/whep/show`;
    const told = await fetch(url, { method: 'OPTIONS', headers: { authorization } });
    const links = told.headers.get('link');
    assert(links.includes(`<${relay.url}>; rel="ice-server"; username="`), links);
    assert(/credential="[A-Za-z0-9+/=]{28}"; credential-type="password"/.test(links), links);
    equal((await fetch(url, { method: 'OPTIONS' })).headers.get('link'), null, 'for a stranger');
  });

  test('a browser that may use nothing but relays publishes and is seen', async () => {
    await join('gale', 'gm', { iceTransportPolicy: 'relay' });
    await join('ann', 'player');
    await call('watch', 'ann');
    await call('publish', 'gale');
    await until(async () => (await call('frames', 'ann')) > 15, 'frames', 30_000);
    // A relay is offered by UDP and by TCP, and which of two ways that both work it keeps is the browser's affair.
    await goes('gale', /^relay (udp|tcp)$/, 'the way of who publishes');
    const [, handed] = await call('relays', 'vera');
    const iceServers = [{ ...handed, urls: [relay.url] }];
    await join('bo', 'player', { iceTransportPolicy: 'relay', iceServers });
    await call('watch', 'bo');
    await until(async () => (await call('frames', 'bo')) > 15, 'frames over the relay', 30_000);
    await goes('bo', /^relay udp$/, 'the way of who watches');
    await until(
      async () => (await call('transport', 'bo')) === 'channel',
      'the session, too',
      10_000,
    );
  });

  test('where the relay is reached by TCP alone, it serves as well', async () => {
    const [, handed] = await call('relays', 'vera');
    const iceServers = [{ ...handed, urls: [relay.tcp_url] }];
    await join('eve', 'player', { iceTransportPolicy: 'relay', iceServers });
    await call('watch', 'eve');
    await until(async () => (await call('frames', 'eve')) > 15, 'frames over the relay', 30_000);
    await goes('eve', /^relay tcp$/, 'the way of who watches');
    await call('publish', 'eve');
    await call('end', 'gale');
    await until(async () => (await call('line_state', 'eve')) === 'live', 'to publish', 30_000);
    await goes('eve', /^relay tcp$/, 'the way of who publishes');
  });

  test('`footlight doctor` asks them, too, and says what to do', async () => {
    const { stdout } = await footlight_doctor();
    assert(/relay +turn:127\.0\.0\.1:9.*does not answer/.test(stdout), stdout);
    assert(new RegExp(`ok +relay +turn:127.0.0.1:${ports.turn}`).test(stdout), stdout);
  });
  const footlight_doctor = async () => {
    try {
      return { stdout: await footlight('doctor', '--config', config, '--data', node.data) };
    } catch (error) {
      return error;
    }
  };

  test('a relay that dies is shown as dead within seconds, and is back when it is back', async () => {
    await relay.down();
    await until(async () => !(await known())[0].works, 'it to be shown as dead', 15_000);
    await relay.up();
    await until(async () => (await known())[0].works, 'it to be back', 15_000);
  });

  test('the page had no fault', () => equal(page.faults, [], 'faults'));
}
