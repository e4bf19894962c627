// Boards against stock clients: y-websocket and Hocuspocus' provider (whatever versions are
// installed) edit a board of the real server, which is killed and started again, over and over.
//
//   node tests/crdt/boards.mjs PROGRAM [ROUNDS]
//
// Prints "N passed, N failed". Traffic stays on the loopback.
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HocuspocusProvider, HocuspocusProviderWebsocket } from '@hocuspocus/provider';
import WebSocket from 'ws';
import { WebsocketProvider } from 'y-websocket';
import * as Y from 'yjs';

const program = process.argv[2] ?? 'build/release/src/cli/footlight';
const rounds = Number(process.argv[3] ?? 4);
const episode = 'boards';
const secret = mkdtempSync(join(tmpdir(), 'footlight-boards-'));
const file = join(secret, 'boards.episode.yaml');
writeFileSync(
  file,
  `footlight: 1
title: Boards
cast:
  ann: {name: Ann}
characters:
  aria: {name: Aria, owner: ann, hp_max: 12}
boards:
  table:
    rules:
      - {path: fog, player: none}
    mirror:
      tokens/*/hp: characters/*/hp
`,
);

let passed = 0;
let failed = 0;
function check(what, holds) {
  if (holds) {
    passed++;
  } else {
    failed++;
    console.log(`FAILED ${what}`);
  }
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
async function until(what, holds, ms = 15_000) {
  const end = Date.now() + ms;
  while (!holds()) {
    if (Date.now() > end) return check(what, false);
    await sleep(20);
  }
  check(what, true);
}

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

const port = await freePort();
async function start() {
  const args = ['serve', '--dev', '--quiet', '--port', String(port), '--threads', '1'];
  args.push('--episode', file, '--data', join(secret, 'data'));
  const server = spawn(program, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  for (let i = 0; i < 500; i++) {
    try {
      if ((await fetch(`http://127.0.0.1:${port}/readyz`)).ok) return server;
    } catch {
      // not yet
    }
    await sleep(20);
  }
  throw new Error('the server does not start');
}
function kill(server) {
  return new Promise((resolve) => {
    server.on('exit', resolve);
    server.kill('SIGKILL');
  });
}

function token(sub, role, ...characters) {
  const args = ['token', '--dev', '--episode-id', episode, '--sub', sub, '--role', role];
  for (const id of characters) args.push('--char', id);
  return execFileSync(program, args, { encoding: 'utf8' }).trim();
}

function connect(sub, role, doc = new Y.Doc(), board = 'table') {
  const provider = new WebsocketProvider(`ws://127.0.0.1:${port}/v1/yjs/${episode}`, board, doc, {
    params: { token: token(sub, role) },
    WebSocketPolyfill: WebSocket,
    disableBc: true,
    maxBackoffTime: 200,
  });
  provider.on('connection-close', (event) => {
    provider.lastCode = event?.code;
  });
  return { doc, provider };
}

// Several documents over one connection.
function hocuspocus() {
  return new HocuspocusProviderWebsocket({
    url: `ws://127.0.0.1:${port}/v1/yjs/${episode}`,
    WebSocketPolyfill: WebSocket,
    delay: 100,
    minDelay: 50,
    maxDelay: 200,
  });
}
function open(websocketProvider, name, ticket) {
  const provider = new HocuspocusProvider({ websocketProvider, name, token: ticket });
  provider.on('authenticationFailed', ({ reason }) => (provider.denied = reason));
  provider.attach();
  return { provider, doc: provider.document };
}

const producer = { authorization: `Bearer ${token('pia', 'producer')}` };
async function api(path, body) {
  const response = await fetch(`http://127.0.0.1:${port}/v1/episodes/${episode}${path}`, {
    method: body ? 'POST' : 'GET',
    headers: producer,
    body: body && JSON.stringify(body),
  });
  return response.json();
}

let server = await start();
const ann = connect('ann', 'player');
const gil = connect('gil', 'gm');
await until('both are in step', () => ann.provider.synced && gil.provider.synced);

ann.doc.getText('notes').insert(0, 'hello');
gil.doc.getMap('tokens').set('aria', new Y.Map([['x', 1]]));
gil.doc.getMap('fog').set('on', true);
await until('edits reach the other', () => {
  return gil.doc.getText('notes').toString() === 'hello' && ann.doc.getMap('tokens').has('aria');
});
gil.provider.awareness.setLocalStateField('user', { name: 'Gil' });
await until('who is there is told', () => {
  return ann.provider.awareness.getStates().get(gil.doc.clientID)?.user?.name === 'Gil';
});
await until('the mirrored field shows the log', () => {
  return ann.doc.getMap('tokens').get('aria').get('hp') === 12;
});
ann.doc.getMap('tokens').get('aria').set('hp', 999);
await until(
  'and shows it again within a second',
  () => {
    return gil.doc.getMap('tokens').get('aria').get('hp') === 12;
  },
  1_500,
);

const socket = hocuspocus();
const hoc = open(socket, 'table', token('hal', 'gm'));
const seen = open(socket, '$state', token('hal', 'gm'));
const nowhere = open(socket, 'nowhere', token('hal', 'gm'));
await until('a provider of Hocuspocus is in step', () => hoc.provider.synced);
check('it may write', hoc.provider.authorizedScope === 'read-write');
check('it has the text', hoc.doc.getText('notes').toString() === 'hello');
hoc.doc.getMap('tokens').get('aria').set('color', 3);
await until('its edit reaches a client of y-websocket', () => {
  return ann.doc.getMap('tokens').get('aria').get('color') === 3;
});
await until('it is told what is durable', () => !hoc.provider.hasUnsyncedChanges);
await until('a second board on the same connection', () => {
  return seen.doc.getMap('characters').get('aria')?.hp === 12;
});
check('that may only be read', seen.provider.authorizedScope === 'readonly');
await until('a board that is not there is denied', () => nowhere.provider.denied !== undefined);
nowhere.provider.destroy();
hoc.provider.awareness.setLocalStateField('user', { name: 'Hal' });
await until('both see each other', () => {
  return (
    ann.provider.awareness.getStates().get(hoc.doc.clientID)?.user?.name === 'Hal' &&
    hoc.provider.awareness.getStates().get(gil.doc.clientID)?.user?.name === 'Gil'
  );
});

// Each round: edits that the server confirmed by sending them to the other, kill -9, edits without
// a server, and back.
const marks = [];
let made = 0;
function mark(who) {
  const text = `<${++made}>`;
  marks.push(text);
  who.doc.getText('notes').insert(who.doc.getText('notes').length, text);
}
for (let round = 0; round < rounds; round++) {
  for (let i = 0; i < 150; i++) {
    mark([ann, gil, hoc][i % 3]);
    gil.doc.getMap('tokens').get('aria').set('x', made);
    if (i % 10 === 0) await sleep(5);
  }
  await kill(server);
  mark(ann);
  mark(gil);
  mark(hoc);
  server = await start();
  await until(`round ${round}: both hold the same`, () => {
    const text = ann.doc.getText('notes').toString();
    return (
      ann.provider.synced &&
      gil.provider.synced &&
      hoc.provider.synced &&
      text === gil.doc.getText('notes').toString() &&
      text === hoc.doc.getText('notes').toString() &&
      marks.every((each) => text.split(each).length === 2)
    );
  });
  const stored = await api('/boards/table');
  check(
    `round ${round}: nothing is lost and nothing stands twice`,
    marks.every((each) => stored.content.notes.split(each).length === 2),
  );
}

// A late comer gets the document, not its history.
const vic = connect('vic', 'viewer');
await until('one of the audience sees the board', () => {
  return vic.doc.getText('notes').toString() === ann.doc.getText('notes').toString();
});

// A raw client that writes what it may not.
const eve = connect('eve', 'player');
await until('the tamperer is in step', () => eve.provider.synced);
eve.doc.getMap('fog').set('on', false);
await until('is cut with the code', () => eve.provider.lastCode === 4622);
eve.provider.destroy();
check('and left no trace', (await api('/boards/table')).content.fog.on === true);
check(
  'a bad token is told by the close code',
  await new Promise((resolve) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/yjs/${episode}/table?token=x`);
    socket.on('close', (code) => resolve(code >= 4100 && code < 4200));
  }),
);

// The state of the episode, read with ordinary Yjs.
const state = connect('ann', 'player', new Y.Doc(), '$state');
await until('$state shows the characters', () => {
  return state.doc.getMap('characters').get('aria')?.hp === 12;
});

// The board begins anew. A stock client that was connected is told and, with an empty document, goes
// on; with its old one it is told again, and nothing of that one is taken.
const before = (await api('/boards/table')).content;
const renewed = await api('/boards/table/renew', {});
check('a board begins anew', renewed.gen > 0 && renewed.bytes > 0);
await until('its stock clients are told', () => ann.provider.lastCode === 4634);
await until('so is a provider of Hocuspocus', () => hoc.provider.denied?.includes('anew'));
check('whose other boards go on', seen.provider.isSynced);
ann.doc.getText('notes').insert(0, 'on the old copy ');
ann.provider.lastCode = undefined;
await until('who comes with the old copy is told again', () => ann.provider.lastCode === 4634);
const since = (await api('/boards/table')).content;
check('the content is the same', JSON.stringify(since) === JSON.stringify(before));
ann.provider.destroy();
gil.provider.destroy();
hoc.provider.destroy();
const ann2 = connect('ann', 'player');
const gil2 = connect('gil', 'gm');
await until('empty documents are in step', () => ann2.provider.synced && gil2.provider.synced);
check('with the content', ann2.doc.getText('notes').toString() === before.notes);
// Beside what was deleted, at both ends, in the middle, and over a key that the server wrote.
const middle = before.notes.length >> 1;
for (const at of [0, middle, before.notes.length]) ann2.doc.getText('notes').insert(at, '|');
ann2.doc.getText('notes').delete(middle - 5, 5);
ann2.doc.getText('notes').insert(middle - 5, 'again');
gil2.doc.getMap('tokens').get('aria').set('x', -1);
await until('and edits go on', () => {
  const text = gil2.doc.getText('notes').toString();
  return text === ann2.doc.getText('notes').toString() && text.includes('again');
});
await until('in both directions', () => ann2.doc.getMap('tokens').get('aria').get('x') === -1);
await kill(server);
server = await start();
await until('after a kill as well', () => ann2.provider.synced && gil2.provider.synced);
check(
  'nothing is lost',
  (await api('/boards/table')).content.notes === ann2.doc.getText('notes').toString(),
);

const history = await api('/boards/table/history');
check('the history has points', history.points.length > 0);

for (const each of [ann2, gil2, vic, state, seen]) each.provider.destroy();
socket.destroy();
await kill(server);
const verified = execFileSync(program, ['verify', join(secret, 'data', `${episode}.episode`)], {
  encoding: 'utf8',
});
check('the file verifies', verified.includes('verified'));
rmSync(secret, { recursive: true });
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
