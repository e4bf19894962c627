// Bundled by suites/channel.mjs: two people of a cast with nothing but the SDK. What they do goes over the
// data channel of their call, or over WebSocket; the page tells how long it took.
import { createClient } from '@footlight/client';
import { createMedia } from '@footlight/client/media';
import { yjsProvider } from '@footlight/client/yjs';

const channels = [];
const make = RTCPeerConnection.prototype.createDataChannel;
RTCPeerConnection.prototype.createDataChannel = function (...args) {
  const channel = make.apply(this, args);
  channels.push(channel);
  return channel;
};

function person(token, channel) {
  const client = createClient({ url: location.origin, token, storage: 'memory' });
  const states = [];
  client.state.subscribe((state) =>
    states.push(state.name === 'live' ? state.transport : state.name),
  );
  const seen = [];
  client.on('delta', ({ off, changed }) => {
    for (const [collection, id] of changed) if (collection === 'rolls') seen.push(id);
  });
  const media = createMedia(client, { channel });
  client.connect();
  media.watch({ audio: 1, video: 1 });
  return { client, media, states, seen, board: null };
}

const people = {};
window.people = people;
window.join = (name, token, channel = true) => {
  people[name] = person(token, channel);
};
window.transport = (name) => {
  const state = people[name].client.state.get();
  return state.name === 'live' ? state.transport : state.name;
};
window.states = (name) => people[name].states;
/** Rolls one after another; milliseconds from each call to its confirmation. */
window.rolls = async (name, count) => {
  const took = [];
  for (let i = 0; i < count; ++i) {
    const began = performance.now();
    await people[name].client.roll('1d20').confirmed;
    took.push(performance.now() - began);
  }
  return took;
};
window.vote = async (name, poll, choice) => {
  const began = performance.now();
  await people[name].client.vote(poll, [choice]).confirmed;
  return performance.now() - began;
};
window.open_poll = (name, poll) => people[name].client.poll.open(poll).confirmed.then(() => true);
window.start = (name) => people[name].client.start().confirmed.then(() => true);
window.tally = (name, poll) => people[name].client.tally(poll).get()?.counts ?? null;
/** How often each roll was told, and how many there are in the view. */
window.rolls_seen = (name) => {
  const { seen, client } = people[name];
  return {
    told: seen.length,
    distinct: new Set(seen).size,
    shown: client.view.collection('rolls').get().size,
  };
};
window.open_board = (name) => {
  people[name].board = yjsProvider(people[name].client, 'table');
  return new Promise((resolve) => people[name].board.doc.subscribe((doc) => doc && resolve(true)));
};
window.put = (name, key, value) => {
  people[name].board.doc.get().getMap('notes').set(key, value);
};
window.got = (name, key) => people[name].board.doc.get().getMap('notes').get(key) ?? null;
window.pending = (name) => people[name].board.pending.get();
/** As a browser does when a channel breaks: the page is told by the event alone. */
window.cut_channels = () => channels.forEach((channel) => channel.close());
window.end_watching = (name) => people[name].media.watching.get()?.end();
