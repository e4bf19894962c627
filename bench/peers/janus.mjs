// janus.mjs PORT JANUS_URL PID: Janus' video room behind WHIP and WHEP, for the bench. A publisher's offer goes to Janus as
// it is. Who watches is offered by Janus: that offer is told as the answer to the client's, and the client's offer as the
// answer to it (Janus is lite, so that the client, which takes itself for the controlling side, is it).
import { listen, readSdp, writeSdp } from './whip.mjs';

const [port, janus, pid] = process.argv.slice(2);
const ROOM = 1;
const OPUS = 111;
const VP8 = 96;
const waiting = new Map(); // transaction: what to do with what comes
let number = 0;

async function post(path, body) {
  const transaction = `t${++number}`;
  const done = new Promise((resolve) => waiting.set(transaction, resolve));
  const response = await fetch(janus + path, {
    method: 'POST',
    body: JSON.stringify({ ...body, transaction }),
  });
  const answer = await response.json();
  if (answer.janus === 'error') throw new Error(`Janus: ${answer.error.reason}`);
  if (answer.janus !== 'ack') return answer;
  const event = await done;
  const problem = event.plugindata?.data?.error ?? event.error?.reason;
  if (problem) throw new Error(`Janus: ${problem}`);
  return event;
}

const session = (await post('', { janus: 'create' })).data.id;
const attach = async () =>
  (await post(`/${session}`, { janus: 'attach', plugin: 'janus.plugin.videoroom' })).data.id;
const say = (handle, body, jsep) => post(`/${session}/${handle}`, { janus: 'message', body, jsep });

async function poll() {
  for (;;) {
    const events = await (await fetch(`${janus}/${session}?maxev=50`)).json();
    for (const event of [events].flat()) {
      waiting.get(event.transaction)?.(event);
      waiting.delete(event.transaction);
    }
  }
}
poll().catch((error) => {
  console.error(error);
  process.exit(1);
});
await say(await attach(), {
  request: 'create',
  room: ROOM,
  publishers: 100,
  audiocodec: 'opus',
  videocodec: 'vp8',
  bitrate: 0,
  notify_joining: false,
});

const feeds = []; // { feed, kind, mid }
// What the client has to know of Janus' transport.
const transportOf = (sdp, setup) => ({
  ...sdp.transport,
  setup,
  candidates: sdp.media.flatMap((each) => each.candidates),
});

async function publish(text) {
  const handle = await attach();
  const joined = await say(handle, { request: 'join', ptype: 'publisher', room: ROOM });
  const event = await say(handle, { request: 'publish' }, { type: 'offer', sdp: text });
  const feed = joined.plugindata.data.id;
  for (const line of readSdp(text).media) feeds.push({ feed, kind: line.kind, mid: line.mid });
  return event.jsep.sdp;
}

async function watch(text) {
  const client = readSdp(text);
  const handle = await attach();
  const streams = [];
  for (const line of client.media) {
    const found = feeds.find((each) => each.kind === line.kind && !streams.includes(each));
    if (!found) throw new Error('nothing to watch');
    streams.push(found);
  }
  const joined = await say(handle, {
    request: 'join',
    ptype: 'subscriber',
    room: ROOM,
    streams: streams.map(({ feed, mid }) => ({ feed, mid })),
  });
  const offer = readSdp(joined.jsep.sdp);
  const typed = (line) => ({
    ...line,
    type: line.kind === 'audio' ? OPUS : VP8,
    rtxType: undefined,
  });
  const answer = writeSdp(
    { ...client.transport, setup: 'active', candidates: [] },
    offer.media.map((line) => ({
      ...typed(line),
      sends: false,
      ssrc: undefined,
      rtxSsrc: undefined,
    })),
    false,
  );
  await say(handle, { request: 'start' }, { type: 'answer', sdp: answer });
  return writeSdp(
    transportOf(offer, 'passive'),
    offer.media.map((line, i) => ({
      ...typed(line),
      mid: client.media[i].mid,
      rtxSsrc: undefined,
    })),
  );
}

listen(Number(port), { publish, watch, pid: () => pid });
