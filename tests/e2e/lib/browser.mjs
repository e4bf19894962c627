// Debian's Chromium, driven by playwright-core. Each page records what must not happen: uncaught
// errors, console errors, requests to other hosts, violations of the content security policy.
import { mkdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const kFlags = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
const axe_path = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
export const output_folder = fileURLToPath(new URL('../test-results/', import.meta.url));

/** `more`: flags of the suite. */
export async function launch(more = []) {
  await mkdir(output_folder, { recursive: true });
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [...kFlags, ...more],
  });
}

/** A script of a page: what many firewalls do, the way to the node's UDP port leads nowhere. Relays are not touched. */
export function without_udp() {
  const set = RTCPeerConnection.prototype.setRemoteDescription;
  RTCPeerConnection.prototype.setRemoteDescription = function (description) {
    const { iceTransportPolicy } = this.getConfiguration();
    if (iceTransportPolicy === 'relay') return set.call(this, description);
    const sdp = description.sdp.replace(/( udp \d+ \S+) \d+ typ/gi, '$1 9 typ');
    return set.call(this, { ...description, sdp });
  };
}

/** The same of a strict firewall: neither UDP nor TCP of media gets to the node. */
export function without_media() {
  const set = RTCPeerConnection.prototype.setRemoteDescription;
  RTCPeerConnection.prototype.setRemoteDescription = function (description) {
    const { iceTransportPolicy } = this.getConfiguration();
    if (iceTransportPolicy === 'relay') return set.call(this, description);
    const sdp = description.sdp.replace(/( (?:udp|tcp) \d+ \S+) \d+ typ/gi, '$1 9 typ');
    return set.call(this, { ...description, sdp });
  };
}

/**
 * A page in a context of its own (its own storage, like another person's browser).
 * `page.faults` collects what went wrong in it; `allow` is a pattern of console errors to expect.
 */
export async function open_page(
  browser,
  url,
  { width = 1400, height = 900, scheme = 'dark', allow = null, reduced = true, script = null } = {},
) {
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: scheme,
    reducedMotion: reduced ? 'reduce' : 'no-preference',
    bypassCSP: false,
    permissions: ['clipboard-read', 'clipboard-write'],
  });
  for (const each of [script ?? []].flat()) await context.addInitScript(each);
  const page = await context.newPage();
  page.faults = [];
  const host = new URL(url).host;
  page.on('pageerror', (error) => page.faults.push(`uncaught: ${error.message}`));
  page.on('console', (message) => {
    if (message.type() === 'error' && !allow?.test(message.text()))
      page.faults.push(`console: ${message.text()}`);
  });
  page.on('request', (request) => {
    const to = new URL(request.url());
    if (/^https?:$/.test(to.protocol) && to.host !== host)
      page.faults.push(`request to ${to.host}`);
  });
  await page.goto(url, { waitUntil: 'load' });
  return page;
}

/** Serious and critical findings of axe, as lines. */
export async function axe_findings(page) {
  // Injected by the debugging protocol, so that the page's own policy stays in force.
  const { readFile } = await import('node:fs/promises');
  await page.evaluate(await readFile(axe_path, 'utf8'));
  const result = await page.evaluate(() =>
    window.axe.run(document, { resultTypes: ['violations'] }),
  );
  return result.violations
    .filter((it) => it.impact === 'serious' || it.impact === 'critical')
    .flatMap((it) =>
      it.nodes.map(
        (node) =>
          `${it.id}: ${node.target.join(' ')} – ${node.failureSummary?.split('\n')[1]?.trim()}`,
      ),
    );
}

/** How far the content is wider than the window: 0 when nobody has to scroll sideways. */
export async function overflow_px(page) {
  return page.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  );
}

export async function shot(page, name, options = {}) {
  await page.screenshot({ path: `${output_folder}${name}.png`, ...options });
}

/** The elements that stick out to the right, outermost last: for the message of a failed test. */
export async function sticking_out(page) {
  return page.evaluate(() => {
    const edge = document.documentElement.clientWidth;
    const path = (it) =>
      `${it.tagName.toLowerCase()}${it.id ? `#${it.id}` : ''}.${String(it.className?.baseVal ?? it.className).split(' ')[0]}`;
    return [...document.querySelectorAll('main *')]
      .filter((it) => it.getBoundingClientRect().right > edge + 1)
      .slice(0, 12)
      .map(
        (it) =>
          `${path(it.parentElement)} > ${path(it)} ${Math.round(it.getBoundingClientRect().right)}`,
      );
  });
}
