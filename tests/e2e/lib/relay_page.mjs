// Bundled by suites/relay.mjs and suites/tcp.mjs: people who publish and watch with nothing but the SDK, over relays
// or without.
import { createClient } from '@footlight/client';
import { createMedia, openCamera } from '@footlight/client/media';

const people = {};
window.join = (name, token, options) => {
  const client = createClient({ url: location.origin, token, storage: 'memory' });
  const media = createMedia(client, options);
  client.connect();
  people[name] = { client, media };
};
window.publish = async (name) => {
  const tracks = await openCamera();
  people[name].own = people[name].media.publish(tracks);
};
window.watch = (name) => {
  const { media } = people[name];
  const video = document.createElement('video');
  video.autoplay = video.muted = true;
  document.body.append(video);
  people[name].video = video;
  media.places.subscribe((places) => {
    const track = places.find((one) => one.kind === 'video')?.track;
    if (track) video.srcObject = new MediaStream([track]);
  });
  media.watch({ audio: 1, video: 1 });
};
window.frames = (name) => people[name].video.getVideoPlaybackQuality().totalVideoFrames;
window.line_state = (name) => (people[name].own ?? people[name].media.watching.get())?.state.get();
window.transport = (name) => people[name].client.state.get().transport;
window.relays = (name) => people[name].media.relays();
/** Of the pair of candidates that is used, what kind the own one is, and by which protocol it goes. */
window.own_way = async (name) => {
  const { own, media } = people[name];
  const stats = await (own ?? media.watching.get()).line.peer.getStats();
  const all = [...stats.values()];
  // Several pairs may have been nominated, one after another; the transport says which is used.
  const transport = all.find((one) => one.type === 'transport');
  const pair = stats.get(transport?.selectedCandidatePairId);
  const used = all.find((one) => one.id === pair?.localCandidateId);
  return used ? `${used.candidateType} ${used.relayProtocol ?? used.protocol}` : null;
};
window.end = (name) => people[name].client.close();
