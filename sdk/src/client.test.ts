import { expect, test } from 'vitest';
import { createClient } from './index.ts';
import { FakeServer } from './fake/index.ts';

test('a vote is pending at once, then confirmed with its receipt, and the tally holds it', async () => {
  const server = new FakeServer({ episode: { polls: { fork: { options: ['left', 'right'] } } } });
  const client = createClient(server.options({ sub: 'ann' }));
  client.connect();
  await server.clock.until(() => client.state.get().name === 'live');
  const sent = client.vote('fork', [1]);
  expect(client.ballot('fork').get()?.status).toBe('pending');
  await server.advance(200);
  expect(sent.status.get()).toMatchObject({ state: 'confirmed' });
  expect(client.receipts.get().get('fork')).toMatchObject({ choice: [1] });
  expect(client.tally('fork').get()).toMatchObject({ counts: [0, 1], voters: 1 });
});
