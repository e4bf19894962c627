import { afterEach, describe, expect, it, vi } from 'vitest';
import { ask_recording, recording_line, recording_trouble } from '../src/lib/recording';

const kBegan = new Date(2026, 10, 26, 9, 15).getTime();

describe('the recording light', () => {
  it('says nothing when there was no recording', () => {
    expect(recording_line({ recording: false })).toBe('');
    expect(recording_trouble({ recording: false })).toBe('');
  });
  it('says since when, or from when to when', () => {
    const state = { recording: true, began_ms: kBegan, files: 3, bytes: 2_000_000 };
    expect(recording_line(state)).toMatch(/^Since 09:15: 3 files, /);
    expect(recording_line({ ...state, recording: false, ended_ms: kBegan + 3_600_000 })).toMatch(
      /^09:15 to 10:15: /,
    );
  });
  it('says what failed, the worst first', () => {
    const state = { recording: false, dropped: 7, error: { code: 4770, message: 'No room.' } };
    expect(recording_trouble(state)).toBe('No room.');
    expect(recording_trouble({ recording: true, dropped: 7 })).toContain('7 packets');
    expect(recording_trouble({ recording: true, left_out: 2 })).toContain('2 streams');
  });
});

describe('asking', () => {
  afterEach(() => vi.unstubAllGlobals());

  it('gives the state, or a sentence', async () => {
    const calls: [string, RequestInit][] = [];
    let answer = new Response('{"recording":true}');
    vi.stubGlobal('fetch', (url: string, init: RequestInit) => {
      calls.push([url, init]);
      return Promise.resolve(answer);
    });
    expect(await ask_recording('', 'show', 'T', true)).toEqual({ recording: true });
    expect(calls[0]?.[0]).toBe('/v1/episodes/show/recording');
    expect(calls[0]?.[1].method).toBe('POST');
    answer = new Response('{"code":4108,"message":"This role may not do that."}', { status: 403 });
    expect(await ask_recording('', 'show', 'T')).toBe('4108 This role may not do that.');
    vi.stubGlobal('fetch', () => Promise.reject(new Error('gone')));
    expect(await ask_recording('', 'show', 'T')).toBe('The server did not answer.');
  });
});
