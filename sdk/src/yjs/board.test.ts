import { afterEach, describe, expect, test } from 'vitest';
import * as Y from 'yjs';
import { isLive, player as made, quiet, table, type Player } from '../../test/boards.ts';
import type { FakeServer } from '../fake/index.ts';
import { ClientCode } from '../problems.ts';
import { textsOf } from './carry_over.ts';

const players: Player[] = [];
function player(...args: Parameters<typeof made>): Player {
  const one = made(...args);
  players.push(one);
  return one;
}
afterEach(() => {
  for (const { board, client } of players.splice(0)) {
    board.close();
    client.close();
  }
});

/** Leaves as a page does that is reloaded; storage stays. */
function leave({ board, client }: Player, server: FakeServer): void {
  board.close();
  client.close();
  server.disconnect();
}
/** Cuts one's connection, and waits until that is noticed. */
async function cut(server: FakeServer, { client, board }: Player): Promise<void> {
  server.disconnect(client.session.get()?.name);
  await server.clock.until(() => board.state.get().name === 'offline');
}
const json = (one: Player): unknown => one.board.doc.get().getMap('m').toJSON();

describe('an edit', () => {
  test('is there at once, pending until durable, and seen by the others', async () => {
    const { server } = table();
    const [ann, bo] = [player(server, 'ann'), player(server, 'bo')];
    await quiet(server, ann, bo);
    const map = ann.board.doc.get().getMap('m');
    map.set('x', 1);
    expect(ann.board.pending.get()).toBe(1);
    expect(ann.board.isPending(map, 'x')).toBe(true);
    await quiet(server, ann, bo);
    expect(ann.board.isPending(map, 'x')).toBe(false);
    expect(json(bo)).toEqual({ x: 1 });
  });

  test('made before there is a connection merges with what the server has', async () => {
    const { server, boards } = table();
    boards.write('table', (doc) => doc.getText('t').insert(0, 'server '));
    const ann = player(server, 'ann', { connect: false });
    ann.text().insert(0, 'early');
    ann.client.connect();
    await quiet(server, ann);
    expect(boards.doc().getText('t').toString()).toBe(ann.text().toString());
    expect(ann.text().toString().length).toBe('server early'.length);
    expect(ann.resets).toHaveLength(0);
  });

  test('in a document that was given becomes an edit of one’s own', async () => {
    const { server, boards } = table();
    const doc = new Y.Doc();
    doc.getText('t').insert(0, 'from a file');
    const ann = player(server, 'ann', { doc });
    await quiet(server, ann);
    expect(ann.board.doc.get()).toBe(doc);
    expect(boards.doc().getText('t').toString()).toBe('from a file');
  });

  test('made offline survives the outage, in few messages', async () => {
    const { server, boards } = table();
    const [ann, bo] = [player(server, 'ann'), player(server, 'bo')];
    await quiet(server, ann, bo);
    await cut(server, ann);
    for (const letter of 'offline') ann.text().insert(ann.text().length, letter);
    bo.text().insert(0, 'meanwhile ');
    const before = boards.taken.length;
    await quiet(server, ann, bo);
    expect(ann.text().toString()).toBe(bo.text().toString());
    expect([...ann.text().toString()].sort()).toEqual([...'offlinemeanwhile '].sort());
    expect(boards.taken.length - before).toBeLessThanOrEqual(4);
    expect(ann.resets).toHaveLength(0);
  });

  test('survives a reload, and is applied once', async () => {
    const { server, boards } = table();
    const before = player(server, 'ann');
    await quiet(server, before);
    before.text().insert(0, 'kept ');
    await quiet(server, before);
    server.network.blockWebSocket = server.network.blockHttps = true;
    server.disconnect();
    await server.clock.until(() => before.board.state.get().name === 'offline');
    before.text().insert(5, 'and offline');
    leave(before, server);
    server.network.blockWebSocket = server.network.blockHttps = false;
    const after = player(server, 'ann');
    await quiet(server, after);
    expect(after.text().toString()).toBe('kept and offline');
    expect(boards.doc().getText('t').toString()).toBe('kept and offline');
    expect(server.storage.keys('fl1b:')).toEqual([]);
    after.text().insert(0, 'and on: ');
    await quiet(server, after);
    expect(boards.doc().getText('t').toString()).toBe('and on: kept and offline');
  });

  test('left behind by a closed tab is sent by the next', async () => {
    const { server, boards } = table();
    boards.loseAcks = true;
    server.network.silent = true;
    const tabs = [
      player(server, 'ann', { connect: false }),
      player(server, 'ann', { connect: false }),
    ];
    server.network.silent = false;
    for (const one of tabs) one.client.connect();
    await server.clock.until(() => tabs.every(isLive));
    server.network.silent = true;
    tabs.forEach((one, k) => one.board.doc.get().getMap('m').set(`tab${k}`, k));
    for (const one of tabs) leave(one, server);
    server.network.silent = false;
    boards.loseAcks = false;
    const next = player(server, 'ann');
    await quiet(server, next);
    expect(boards.doc().getMap('m').toJSON()).toEqual({ tab0: 0, tab1: 1 });
  });

  test('whose acknowledgement was lost is sent again and changes nothing', async () => {
    const { server, boards } = table();
    const ann = player(server, 'ann');
    await quiet(server, ann);
    boards.loseAcks = true;
    ann.text().insert(0, 'once');
    await server.advance(100);
    expect(ann.board.pending.get()).toBe(1);
    boards.loseAcks = false;
    await cut(server, ann);
    await quiet(server, ann);
    expect(boards.doc().getText('t').toString()).toBe('once');
  });

  test('that was acknowledged, and lost by the server all the same, is brought back', async () => {
    const { server, boards } = table();
    const ann = player(server, 'ann');
    await quiet(server, ann);
    ann.text().insert(0, 'one ');
    await quiet(server, ann);
    const backup = Y.encodeStateAsUpdate(boards.doc());
    ann.text().insert(4, 'two');
    await quiet(server, ann);
    boards.restore(backup);
    await cut(server, ann);
    await quiet(server, ann);
    expect(boards.doc().getText('t').toString()).toBe('one two');
  });

  test('travels over HTTPS where there is no WebSocket', async () => {
    const { server, boards } = table();
    server.network.blockWebSocket = true;
    const [ann, bo] = [player(server, 'ann'), player(server, 'bo')];
    await quiet(server, ann, bo);
    ann.text().insert(0, 'grüße 🎲');
    await quiet(server, ann, bo);
    expect(bo.text().toString()).toBe('grüße 🎲');
    expect(boards.doc().getText('t').toString()).toBe('grüße 🎲');
  });
});

describe('a server that can take no more', () => {
  test('asks again, and nothing is lost', async () => {
    const { server, boards } = table();
    const ann = player(server, 'ann');
    await quiet(server, ann);
    let held = 3;
    boards.judge = () =>
      held-- > 0 ? { code: 4200, message: 'Too fast.', retry_after_ms: 100 } : null;
    for (const letter of 'abcdef') ann.text().insert(ann.text().length, letter);
    await quiet(server, ann);
    expect(boards.doc().getText('t').toString()).toBe('abcdef');
    expect(ann.resets).toHaveLength(0);
    expect(ann.refusals).toHaveLength(0);
  });
});

describe('a refusal', () => {
  const forbid = (word: string) => (_who: object, _board: string, update: Uint8Array) =>
    textsOf(update).some((text) => text.includes(word))
      ? { code: 4622, message: 'This role may not change that.', path: 't/[]' }
      : null;

  test('rolls back to the server’s state and tells what was lost and why', async () => {
    const { server, boards } = table();
    const [ann, bo] = [player(server, 'ann'), player(server, 'bo')];
    await quiet(server, ann, bo);
    ann.text().insert(0, 'good');
    await quiet(server, ann, bo);
    boards.judge = forbid('bad');
    const before = ann.board.doc.get();
    const client = before.clientID;
    ann.board.doc.get().getText('other').insert(0, 'bad thing');
    await quiet(server, ann, bo);
    expect(ann.resets).toHaveLength(1);
    expect(ann.board.doc.get()).not.toBe(before);
    expect(ann.board.doc.get().clientID).not.toBe(client);
    expect(ann.text().toString()).toBe('good');
    expect(ann.board.doc.get().getText('other').toString()).toBe('');
    expect(ann.refusals).toHaveLength(1);
    expect(ann.refusals[0]).toMatchObject({ code: 4622, path: 't/[]', texts: ['bad thing'] });
    expect(ann.refusals[0]?.before.getText('other').toString()).toBe('bad thing');
    ann.text().insert(4, ' again');
    await quiet(server, ann, bo);
    expect(bo.text().toString()).toBe('good again');
    expect(boards.doc().store.pendingStructs).toBe(null);
  });

  test('costs nothing of what was done after it elsewhere', async () => {
    const { server, boards } = table();
    const [ann, bo] = [player(server, 'ann'), player(server, 'bo')];
    await quiet(server, ann, bo);
    ann.text().insert(0, 'base');
    await quiet(server, ann, bo);
    boards.judge = forbid('bad');
    const doc = ann.board.doc.get();
    doc.getText('other').insert(0, 'bad');
    // In flight, or made before the answer.
    ann.text().insert(4, ' and more');
    doc.getMap('m').set('k', new Y.Map([['deep', 1]]));
    (doc.getMap('m').get('k') as Y.Map<unknown>).set('deep', 2);
    ann.text().delete(0, 1);
    bo.text().insert(0, 'bo: ');
    await quiet(server, ann, bo);
    expect(ann.refusals.map(({ texts }) => texts)).toEqual([['bad']]);
    for (const one of [ann, bo]) {
      expect(one.text().toString()).toBe('bo: ase and more');
      expect(json(one)).toEqual({ k: { deep: 2 } });
    }
    expect(boards.doc().getText('other').toString()).toBe('');
  });

  test('takes along what builds on the refused edit, and says so', async () => {
    const { server, boards } = table();
    const ann = player(server, 'ann');
    await quiet(server, ann);
    boards.judge = forbid('bad');
    const text = ann.board.doc.get().getText('other');
    text.insert(0, 'bad');
    text.insert(3, ' more');
    await quiet(server, ann);
    expect(ann.refusals.map(({ texts }) => texts)).toEqual([['bad'], [' more']]);
    expect(ann.refusals.every(({ code }) => code === 4622)).toBe(true);
    expect(ann.board.doc.get().getText('other').toString()).toBe('');
  });

  test('of one among many offline edits costs only that one', async () => {
    const { server, boards } = table();
    const [ann, bo] = [player(server, 'ann'), player(server, 'bo')];
    await quiet(server, ann, bo);
    boards.judge = forbid('bad');
    await cut(server, ann);
    const map = ann.board.doc.get().getMap('m');
    const wide = 'x'.repeat(3000);
    map.set('a', wide);
    map.set('b', `bad ${wide}`);
    map.set('c', wide);
    map.set('d', wide);
    await quiet(server, ann, bo);
    expect(Object.keys(json(ann) as object).sort()).toEqual(['a', 'c', 'd']);
    expect(json(bo)).toEqual(json(ann));
    expect(ann.refusals).toHaveLength(1);
  });

  test('of what is too large happens here, and ends no session', async () => {
    const { server } = table({ limits: { update_bytes: 2048 } });
    const ann = player(server, 'ann');
    await quiet(server, ann);
    ann.board.doc.get().getMap('m').set('image', new Uint8Array(4000));
    ann.board.doc.get().getMap('m').set('fits', 1);
    await quiet(server, ann);
    expect(ann.refusals.map(({ code }) => code)).toEqual([4624]);
    expect(json(ann)).toEqual({ fits: 1 });
    expect(server.history).toHaveLength(1);
  });

  test('of a viewer leaves the document as the server has it', async () => {
    const { server, boards } = table();
    boards.write('table', (doc) => doc.getText('t').insert(0, 'the text'));
    const eve = player(server, 'eve', { claims: { role: 'viewer' } });
    await quiet(server, eve);
    eve.text().insert(0, 'graffiti on ');
    await quiet(server, eve);
    expect(eve.text().toString()).toBe('the text');
    expect(eve.refusals[0]).toMatchObject({ code: 4622, texts: ['graffiti on '] });
  });

  test('reaches through a second refusal and a lost connection', async () => {
    const { server, boards } = table();
    const ann = player(server, 'ann');
    await quiet(server, ann);
    boards.judge = forbid('bad');
    const map = ann.board.doc.get().getMap('m');
    map.set('one', 'bad 1');
    map.set('two', 'fine');
    map.set('three', 'bad 3');
    map.set('four', 'fine');
    await server.advance(12);
    await cut(server, ann);
    await quiet(server, ann);
    expect(json(ann)).toEqual({ two: 'fine', four: 'fine' });
    expect(boards.doc().getMap('m').toJSON()).toEqual(json(ann));
    expect(ann.refusals.flatMap(({ texts }) => texts)).toEqual(['bad 1', 'bad 3']);
  });
});

describe('a board that began anew', () => {
  test('is taken over while it is open; what was pending is told', async () => {
    const { server, boards } = table();
    const ann = player(server, 'ann');
    await quiet(server, ann);
    ann.text().insert(0, 'old');
    await quiet(server, ann);
    boards.reset();
    ann.text().insert(3, ' and new');
    await quiet(server, ann);
    expect(ann.text().toString()).toBe('');
    expect(boards.doc().getText('t').toString()).toBe('');
    expect(ann.refusals[0]).toMatchObject({ code: ClientCode.boardReset, texts: [' and new'] });
    ann.text().insert(0, 'begun');
    await quiet(server, ann);
    expect(boards.doc().getText('t').toString()).toBe('begun');
  });

  test('meanwhile does not get the old content back', async () => {
    const { server, boards } = table();
    const ann = player(server, 'ann');
    await quiet(server, ann);
    ann.text().insert(0, 'old');
    await quiet(server, ann);
    await cut(server, ann);
    boards.reset();
    await quiet(server, ann);
    expect(ann.text().toString()).toBe('');
    expect(boards.doc().getText('t').toString()).toBe('');
    expect(ann.resets).toHaveLength(1);
  });
});

test('what was overruled is told, and the document has the server’s value', async () => {
  const { server, boards } = table();
  const ann = player(server, 'ann');
  await quiet(server, ann);
  const told: unknown[] = [];
  ann.board.on('overruled', (edits) => told.push(...edits));
  ann.board.doc.get().getMap('m').set('hp', 99);
  await quiet(server, ann);
  boards.write('table', (doc) => doc.getMap('m').set('hp', 7));
  const edit = {
    path: 'm/hp',
    value: 7,
    was: 99,
    by: 'characters/aria/hp',
    log: 12,
    why: 'The log.',
  };
  boards.overrule('ann', 'table', [edit]);
  await server.advance(50);
  expect(told).toEqual([edit]);
  expect(json(ann)).toEqual({ hp: 7 });
});

test('$state mirrors the view, and cannot be written', async () => {
  const { server } = table({}, { episode: { characters: { aria: { name: 'Aria', hp: 10 } } } });
  const ann = player(server, 'ann', { id: '$state', claims: { role: 'gm' } });
  await quiet(server, ann);
  const hp = (): unknown =>
    (ann.board.doc.get().getMap('characters').get('aria') as { hp: number }).hp;
  expect(hp()).toBe(10);
  ann.client.char.hp('aria', { delta: -3 });
  await server.clock.until(() => hp() === 7);
  ann.board.doc.get().getMap('characters').set('aria', { hp: 99 });
  await quiet(server, ann);
  expect(hp()).toBe(7);
  expect(ann.refusals[0]?.code).toBe(4628);
});

test('a board that is not there says so, and costs nothing else', async () => {
  const { server } = table();
  const ann = player(server, 'ann', { id: 'nowhere' });
  await server.clock.until(() => ann.board.state.get().name === 'refused');
  expect(ann.board.state.get()).toMatchObject({ code: 4620 });
  expect(ann.client.state.get().name).toBe('live');
});

describe('awareness', () => {
  test('shows who is there, while they are there', async () => {
    const { server } = table();
    const [ann, bo] = [player(server, 'ann'), player(server, 'bo')];
    await quiet(server, ann, bo);
    ann.board.awareness.setLocalStateField('user', { name: 'Ann' });
    await server.advance(100);
    const seen = (): unknown => bo.board.awareness.getStates().get(ann.board.awareness.clientID);
    expect(seen()).toEqual({ user: { name: 'Ann' } });
    expect(ann.board.awareness.clientID).toBe(ann.board.doc.get().clientID);
    ann.board.close();
    await server.advance(100);
    expect(seen()).toBe(undefined);
  });

  test('that changes at 1000 Hz goes out at about 30', async () => {
    const { server } = table();
    const [ann, bo] = [player(server, 'ann'), player(server, 'bo')];
    await quiet(server, ann, bo);
    let heard = 0;
    bo.board.awareness.on('change', () => ++heard);
    for (let k = 0; k < 300; ++k) {
      ann.board.awareness.setLocalStateField('x', k);
      await server.advance(1);
    }
    await server.advance(100);
    expect(heard).toBeGreaterThan(5);
    expect(heard).toBeLessThanOrEqual(12);
    const state = bo.board.awareness.getStates().get(ann.board.awareness.clientID);
    expect(state).toEqual({ x: 299 });
  });

  test('follows the client id through a refusal, and leaves no ghost', async () => {
    const { server, boards } = table();
    const [ann, bo] = [player(server, 'ann'), player(server, 'bo')];
    await quiet(server, ann, bo);
    ann.board.awareness.setLocalState({ name: 'Ann' });
    boards.judge = () => ({ code: 4622, message: 'No.' });
    ann.text().insert(0, 'x');
    await quiet(server, ann, bo);
    const states = [...bo.board.awareness.getStates().values()];
    expect(states.filter((one) => one['name'] === 'Ann')).toHaveLength(1);
    expect(bo.board.awareness.getStates().has(ann.board.doc.get().clientID)).toBe(true);
  });

  test('of the others ends with the connection', async () => {
    const { server } = table();
    const [ann, bo] = [player(server, 'ann'), player(server, 'bo')];
    await quiet(server, ann, bo);
    expect(bo.board.awareness.getStates().size).toBe(2);
    server.network.blockWebSocket = server.network.blockHttps = true;
    server.disconnect('bo');
    await server.clock.until(() => bo.board.state.get().name === 'offline');
    expect(bo.board.awareness.getStates().size).toBe(1);
  });
});

test('close leaves no timer, no lock and no port', async () => {
  const { server } = table();
  const ann = player(server, 'ann');
  await quiet(server, ann);
  ann.text().insert(0, 'x');
  ann.board.awareness.setLocalState({ x: 1 });
  ann.board.close();
  expect(ann.board.state.get().name).toBe('closed');
  const again = player(server, 'ann');
  await server.clock.until(() => isLive(again));
  expect(again.board.pending.get()).toBeLessThanOrEqual(1);
  await quiet(server, again);
  expect(again.text().toString()).toBe('x');
});
