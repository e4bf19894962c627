// WHIP and WHEP as RFC 9725 and its draft have them, without a browser: what each request is answered with, and a publisher
// of OBS' shape.
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { assert, equal, group, test, until } from '../lib/harness.mjs';
import { load_stack } from '../lib/independent_peer.mjs';
import { ObsPeer, ObsViewer } from '../lib/obs_peer.mjs';
import { ports } from '../lib/ports.mjs';
import { RealNode, footlight } from '../lib/real_node.mjs';

const kEpisode = fileURLToPath(new URL('../show.episode.yaml', import.meta.url));
const sdp_of = (name) =>
  readFile(new URL(`../../../src/rtc/testdata/${name}.sdp`, import.meta.url), 'utf8');
const offer = await sdp_of('chromium_publish_simulcast');
const stack = await load_stack();

let node;
group('whip', {
  async before() {
    node = await RealNode.start(ports.whip, kEpisode, 'show');
  },
  async after() {
    await node?.remove();
  },
});

const token_of = async (sub, role, ...more) =>
  (
    await footlight('token', '--dev', '--episode-id', 'show', '--sub', sub, '--role', role, ...more)
  ).trim();
const ask = async (path, method, headers = {}, body = undefined) => {
  const answer = await fetch(node.address + path, { method, headers, body });
  return { status: answer.status, headers: answer.headers, text: await answer.text() };
};
const kSdp = { 'content-type': 'application/sdp' };
const kFragment = { 'content-type': 'application/trickle-ice-sdpfrag' };
const bearer = (token) => ({ authorization: `Bearer ${token}` });
const post = (use, token, body) =>
  ask(`/v1/${use}/show`, 'POST', { ...kSdp, ...bearer(token) }, body);
const credentials = (n) =>
  `a=ice-ufrag:${n}${n}${n}${n}\r\na=ice-pwd:${`${n}`.repeat(24)}\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n`;

test('a session is trickled to, restarted and ended by its address', async () => {
  const opened = await post('whip', await token_of('gale', 'gm'), offer);
  equal(opened.status, 201, 'publishing');
  equal(opened.headers.get('content-type'), 'application/sdp', 'the type of the answer');
  const at = opened.headers.get('location');
  const etag = opened.headers.get('etag');
  assert(at.startsWith('/v1/whip/show/'), `where it is: ${at}`);
  assert(/^"[^"]+"$/.test(etag), `a strong entity tag: ${etag}`);
  const patch = (headers, body) => ask(at, 'PATCH', { ...kFragment, ...headers }, body);
  const candidates = 'm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\na=end-of-candidates\r\n';
  equal((await patch({ 'if-match': etag }, candidates)).status, 204, 'candidates');
  equal((await patch({}, candidates)).status, 428, 'of no generation');
  equal((await patch({ 'if-match': '"older"' }, candidates)).status, 412, 'of another generation');
  equal((await patch({ 'if-match': '*' }, 'hello')).status, 422, 'no fragment');
  const restarted = await patch({ 'if-match': '*' }, credentials(1));
  equal(restarted.status, 200, 'a restart');
  assert(restarted.headers.get('etag') !== etag, 'another generation');
  assert(/a=ice-lite\r\na=ice-ufrag:/.test(restarted.text), restarted.text);
  equal((await patch({ 'if-match': etag }, candidates)).status, 412, 'of the generation before');
  equal((await ask(at, 'PATCH', { ...kSdp, 'if-match': '*' }, offer)).status, 415, 'another type');
  equal((await ask(at, 'GET')).status, 405, 'another method');
  equal(
    (await ask(at, 'DELETE', { 'if-match': '"older"' })).status,
    200,
    'the end, whatever its tag',
  );
  equal((await patch({ 'if-match': '*' }, candidates)).status, 404, 'after the end');
});

test('who may not publish is told by status and number', async () => {
  const refused = async (token, body, status, code, what) => {
    const answer = await post('whip', token, body);
    equal(answer.status, status, what);
    equal(JSON.parse(answer.text).code, code, what);
    return answer;
  };
  const nobody = await refused('none', offer, 401, 4100, 'no token');
  equal(nobody.headers.get('www-authenticate'), 'Bearer', 'how to say who one is');
  const ended = await token_of('gale', 'gm', '--hours', '-1');
  await refused(ended, offer, 401, 4102, 'an expired token');
  await refused(await token_of('vera', 'viewer'), offer, 403, 4108, 'a viewer');
  await refused(
    await token_of('pia', 'player', '--publish', 'no'),
    offer,
    403,
    4754,
    'beyond the grant',
  );
  const voice = await token_of('pia', 'player', '--tracks', 'audio');
  await refused(voice, offer, 403, 4756, 'a picture where a voice is granted');
  const blind = await token_of('wim', 'viewer', '--subscribe', 'no');
  equal((await post('whep', blind, await sdp_of('chromium_watch'))).status, 403, 'watching');
});

test('an offer that is too large or makes no sense is refused, and the next is taken', async () => {
  const token = await token_of('gale', 'gm');
  equal((await post('whip', token, `${offer}a=x:${'y'.repeat(1 << 20)}\r\n`)).status, 413, '1 MB');
  const lines = 'm=audio 9 UDP/TLS/RTP/SAVPF 0\r\n'.repeat(1000);
  equal((await post('whip', token, offer + lines)).status, 413, '1,000 m-lines');
  equal((await post('whip', token, 'hello')).status, 422, 'no description');
  const taken = await post('whip', token, offer);
  equal(taken.status, 201, 'the next one');
  equal((await ask(taken.headers.get('location'), 'DELETE')).status, 200, 'the end');
});

if (!stack) {
  console.log('skipped: OBS in suite whip, as node-datachannel is not installed');
} else {
  test("OBS' largest encoding is known for what it is, though it comes first", async () => {
    const obs = await ObsPeer.publish(
      stack,
      `${node.address}/v1/whip/show`,
      await token_of('gale', 'gm'),
    );
    equal(obs.status, 201, 'publishing');
    // OBS counts the semicolons to know how many encodings were taken.
    assert(obs.answer.includes('a=simulcast:recv 0;1;2\r\n'), obs.answer);
    const viewer = await ObsViewer.watch(
      stack,
      `${node.address}/v1/whep/show`,
      await token_of('vera', 'viewer'),
    );
    equal(viewer.status, 201, 'watching');
    try {
      const producer = bearer(await token_of('pam', 'producer'));
      const figures = async () =>
        JSON.parse((await ask('/v1/episodes/show/media', 'GET', producer)).text);
      const rids = (all) =>
        all.sessions
          .flatMap((one) => one.tracks ?? [])
          .flatMap((one) => one.encodings.map((it) => it.rid));
      await until(
        async () => rids(await figures()).join() === '2,1,0',
        'the order by quality',
        15_000,
      );
      // There is room for the largest on loopback.
      await until(
        () => viewer.sizes.slice(-5).every((size) => size > 1000),
        'the best picture',
        20_000,
      );
      equal((await ask(obs.location, 'DELETE')).status, 200, 'the end, as OBS says it');
    } finally {
      viewer.close();
      obs.close();
    }
  });
}
