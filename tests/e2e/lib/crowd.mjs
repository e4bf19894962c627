// A synthetic audience through the published SDK: votes when a poll opens, reacts, and says a line now
// and then.
import { createClient } from '@footlight/client';
import WebSocket from 'ws';

const kLines = [
  'do not touch the rope',
  'I counted five. Did anyone else count five?',
  'Aria knows. Look at her face.',
  'give them the lantern, it is the middle of the night',
  'wax! the wax!',
  'my name is still Tomas, for the record',
  'Natural twenty when?',
];

/** `links`: addresses of the audience page. Returns what sends them home. */
export function gather(url, links) {
  let said = 0;
  const clients = links.map((link, index) => {
    const token = new URLSearchParams(new URL(link).hash.slice(1)).get('token');
    const client = createClient({ url, token, WebSocket, storage: 'memory', client: 'crowd/1' });
    const voted = new Set();
    client.view.collection('polls').subscribe((polls) => {
      for (const [id, poll] of polls) {
        if (poll.state !== 'open' || voted.has(id)) continue;
        voted.add(id);
        // Leaning to the first options, each voter after a moment of their own.
        const pick = Math.min(poll.options.length - 1, Math.floor(((index * 7) % 10) / 3.4));
        setTimeout(
          () => client.vote(id, [pick]).confirmed.catch(() => undefined),
          300 + ((index * 131) % 3000),
        );
      }
    });
    client.connect();
    return client;
  });
  const timer = setInterval(() => {
    const client = clients[Math.floor(Math.random() * clients.length)];
    const emotes = client.view.episode.get()?.emotes ?? [];
    if (emotes.length > 0) client.emote(emotes[Math.floor(Math.random() * emotes.length)]);
    if (said < kLines.length && Math.random() < 0.02) client.chat(kLines[said++]);
  }, 40);
  return () => {
    clearInterval(timer);
    for (const client of clients) client.close();
  };
}
