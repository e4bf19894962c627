// A page that plays a program stream with hls.js, and keeps what a test wants to know.
import Hls from 'hls.js';

/** Plays `source`; what is seen of it is in window.seen. */
window.play = (source, config = {}) => {
  const video = document.createElement('video');
  video.muted = true;
  video.autoplay = true;
  document.body.replaceChildren(video);
  const seen = { errors: [], fatal: [], stalls: 0, tags: [], latencies: [], discontinuities: 0 };
  const hls = new Hls({ lowLatencyMode: true, maxLiveSyncPlaybackRate: 1.3, ...config });
  hls.on(Hls.Events.ERROR, (_, data) => {
    if (data.details === 'bufferStalledError') seen.stalls++;
    (data.fatal ? seen.fatal : seen.errors).push(`${data.details} ${data.error?.message ?? ''}`);
  });
  hls.on(Hls.Events.FRAG_PARSING_METADATA, (_, data) => {
    for (const sample of data.samples) seen.tags.push(new TextDecoder().decode(sample.data));
  });
  hls.on(Hls.Events.LEVEL_UPDATED, (_, { details }) => {
    seen.date_ranges = Object.keys(details.dateRanges);
    seen.part_target = details.partTarget;
    seen.delta = seen.delta || details.skippedSegments > 0;
  });
  setInterval(() => {
    if (hls.playingDate) seen.latencies.push(Date.now() - hls.playingDate.getTime());
  }, 100);
  hls.loadSource(source);
  hls.attachMedia(video);
  Object.assign(window, { hls, video, seen });
};
