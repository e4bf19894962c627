import { describe, expect, it } from 'vitest';
import type { ClientState, Mode } from '@footlight/client';
import { connection_words, refusal_text, stop_of } from '../src/lib/words';

const live: ClientState = { name: 'live', transport: 'websocket', resumed: false, edge: 'edge-0' };
const mode = (name: Mode['mode'], code = 0, message = ''): Mode => ({ mode: name, code, message });

describe('the state of the connection', () => {
  it('says nothing more than Live when all is well', () => {
    expect(connection_words(live, mode('live'), 0)).toEqual({
      tone: 'good',
      label: 'Live',
      detail: '',
    });
  });
  it('says why and when it will be tried again', () => {
    const waiting: ClientState = {
      name: 'waiting',
      reason: { code: 4900, message: 'Maintenance.' },
      until: 3_200,
      attempt: 2,
    };
    const words = connection_words(waiting, mode('live'), 0);
    expect(words.label).toBe('Reconnecting');
    expect(words.detail).toBe('Maintenance (4900). Trying again in 4 s; what you sent is kept.');
    expect(connection_words(waiting, mode('live'), 9_000).detail).toContain('Trying again now');
  });
  it('does not show the client’s own numbers', () => {
    const waiting: ClientState = {
      name: 'waiting',
      reason: { code: 1, message: 'The connection was lost' },
      until: 0,
      attempt: 1,
    };
    expect(connection_words(waiting, mode('live'), 0).detail).not.toContain('(1)');
  });
  it('tells each mode of the server apart', () => {
    expect(connection_words(live, mode('degraded'), 0).label).toBe('Degraded');
    expect(connection_words(live, mode('draining', 4900), 0).label).toBe('Moving');
    const halted = connection_words(live, mode('halted', 4604, 'The disk is full.'), 0);
    expect(halted).toMatchObject({ tone: 'bad', label: 'Halted' });
    expect(halted.detail).toContain('The disk is full. (4604)');
  });
});

describe('the end of a session', () => {
  const closed = (code: number): ClientState => ({ name: 'closed', code, message: 'A sentence.' });
  it('has a page of its own for a token that does not open', () => {
    for (const code of [4100, 4101, 4103, 4104, 4107])
      expect(stop_of(closed(code))?.title).toBe('This link does not open the show');
    expect(stop_of(closed(4102))?.title).toBe('This link has expired');
  });
  it('names the number, so that it can be looked up', () => {
    expect(stop_of(closed(4501))?.text).toBe('A sentence. (4501)');
  });
  it('is none while the client may recover or was closed by the page', () => {
    expect(stop_of(live)).toBeNull();
    expect(stop_of(closed(0))).toBeNull();
  });
});

describe('a refusal', () => {
  it('says what did not happen, why, and the number', () => {
    expect(refusal_text('poll.vote', { code: 4305, message: 'The poll is closed.' })).toBe(
      'Your vote was not taken: The poll is closed. (4305)',
    );
    expect(refusal_text('unheard.of', { code: 1, message: 'No.' })).toContain(
      'The command was refused',
    );
  });
});
