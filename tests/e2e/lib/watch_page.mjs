// A script, not a module: pages run its text. What a viewer of the program has on the screen and when: the panel below
// the pictures, in which a poll is drawn; the card of the poll on the page; the cue of it in the player; votes.
const kPanel = { x: 0.03, y: 0.81, w: 0.6, h: 0.15 }; // of the layout "table", as parts of the picture
const wall_ms = (at) => Date.now() + (at - performance.now());
const soon = () => new Promise((resolve) => requestAnimationFrame(resolve));

/** Tells the first picture whose panel is another than at the call: {at_ms, media_s}. */
function panel_changes(video) {
  const canvas = document.createElement('canvas');
  Object.assign(canvas, { width: 96, height: 32 });
  const ink = canvas.getContext('2d', { willReadFrequently: true });
  const look = () => {
    const { videoWidth: w, videoHeight: h } = video;
    ink.drawImage(video, kPanel.x * w, kPanel.y * h, kPanel.w * w, kPanel.h * h, 0, 0, 96, 32);
    return ink.getImageData(0, 0, 96, 32).data;
  };
  let before = null;
  return new Promise((resolve) => {
    const frame = (_, { expectedDisplayTime, mediaTime }) => {
      const now = look();
      before ??= now;
      let changed = 0;
      for (let i = 1; i < now.length; i += 4) changed += Math.abs(now[i] - before[i]) > 24 ? 1 : 0;
      if (changed > 60) resolve({ at_ms: wall_ms(expectedDisplayTime), media_s: mediaTime });
      else video.requestVideoFrameCallback(frame);
    };
    video.requestVideoFrameCallback(frame);
  });
}
function card_comes(title) {
  return new Promise((resolve) => {
    const look = () => {
      const all = [...document.querySelectorAll('article.poll.open')];
      if (!all.some((one) => one.textContent.includes(title))) return;
      observer.disconnect();
      resolve(Date.now());
    };
    const observer = new MutationObserver(look);
    observer.observe(document.body, { childList: true, subtree: true, attributes: true });
    look();
  });
}
/** The first cue that tells of the poll, by the text track that hls.js fills: {at_ms, media_s}. */
function cue_comes(video, poll) {
  const tells = (cue) => {
    const { data } = cue.value ?? {};
    const text = data instanceof ArrayBuffer ? new TextDecoder().decode(data) : String(data ?? '');
    return text.includes(`"id":"${poll}"`) ? text : null;
  };
  return new Promise((resolve) => {
    const attach = (track) => {
      if (track.kind !== 'metadata') return;
      track.mode = 'hidden';
      track.addEventListener('cuechange', () => {
        const cue = [...(track.activeCues ?? [])].find(tells);
        if (cue) resolve({ at_ms: Date.now(), media_s: cue.startTime });
      });
    };
    for (const track of video.textTracks) attach(track);
    video.textTracks.addEventListener('addtrack', ({ track }) => attach(track));
  });
}
const within = (promise, what) =>
  Promise.race([
    promise,
    new Promise((_, reject) => setTimeout(() => reject(new Error(`no ${what}`)), 20_000)),
  ]);

let panel;
let card;
let cue;
window.watched = {
  begin(video, title, poll) {
    panel = panel_changes(video);
    if (title) card = card_comes(title);
    if (poll) cue = cue_comes(video, poll);
  },
  async both() {
    const picture = await within(panel, 'poll in the picture');
    return { picture_ms: picture.at_ms, card_ms: await within(card, 'poll on the page') };
  },
  async cue() {
    const picture = await within(panel, 'poll in the picture');
    const told = await within(cue, 'cue');
    return {
      packager_ms: Math.abs(told.media_s - picture.media_s) * 1000,
      player_ms: Math.abs(told.at_ms - picture.at_ms),
    };
  },
  /** Votes for one option after the other; how long each took to be confirmed. */
  async votes(title, options, count, pause_ms) {
    const article = [...document.querySelectorAll('article.poll')].find((one) =>
      one.textContent.includes(title),
    );
    const took = [];
    for (let i = 0; i < count; ++i) {
      const button = [...article.querySelectorAll('button.option')].find((one) =>
        one.textContent.includes(options[i % options.length]),
      );
      const began = performance.now();
      button.click();
      const is_there = () =>
        button.getAttribute('aria-pressed') === 'true' &&
        article.textContent.includes('Your vote is confirmed');
      while (!is_there() && performance.now() - began < 10_000) await soon();
      if (is_there()) took.push(performance.now() - began);
      await new Promise((resolve) => setTimeout(resolve, pause_ms));
    }
    return took;
  },
  first_frame(selector) {
    const video = document.querySelector(selector);
    return new Promise((resolve) => {
      video.requestVideoFrameCallback((_, { expectedDisplayTime }) =>
        resolve(wall_ms(expectedDisplayTime)),
      );
    });
  },
};
