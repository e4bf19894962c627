// The sentences of the pages: what a state or a code means to the person who reads it.
import type { ClientState, Mode, Problem, Role, TransportKind } from '@footlight/client';
import { latency } from './format';

export const kRoleNames: Record<Role, string> = {
  producer: 'Producer',
  gm: 'Game master',
  player: 'Player',
  viewer: 'Viewer',
};

const kActions: Record<string, string> = {
  'poll.vote': 'Your vote was not taken',
  'chat.say': 'Your message was not sent',
  'caption.say': 'The caption was not said',
  'caption.take_back': 'The caption was not taken back',
  'dice.roll': 'The roll was refused',
  'char.hp': 'The hit points were not changed',
  'char.item': 'The inventory was not changed',
  'char.cond': 'The condition was not changed',
  'char.field': 'The field was not changed',
  'poll.open': 'The poll was not opened',
  'poll.close': 'The poll was not closed',
  'poll.create': 'The poll was not created',
  'scene.go': 'The scene was not changed',
  'story.choose': 'The choice was not taken',
  'timer.start': 'The timer was not started',
  'timer.stop': 'The timer was not stopped',
  'chat.delete': 'The message was not deleted',
  'chat.slow': 'Slow mode was not changed',
  'mod.mute': 'The mute was not changed',
  'mod.ban': 'The ban was not set',
  'mod.unban': 'The ban was not lifted',
  slate: 'The holding slate was not changed',
  'media.mode': 'What the audience gets was not changed',
  'episode.start': 'The episode was not started',
  'episode.end': 'The episode was not ended',
};

export function refusal_text(kind: string, problem: Problem): string {
  const what = kActions[kind] ?? 'The command was refused';
  return `${what}: ${problem.message} (${problem.code})`;
}

/** Codes after which a page cannot go on by itself: it needs another token or another address. */
const kTokenCodes = new Set([4100, 4101, 4102, 4103, 4104, 4105, 4106, 4107]);

export interface Stop {
  title: string;
  text: string;
  advice: string;
}

/** What to show instead of the page when the client has ended for good; null while it may recover. */
export function stop_of(state: ClientState): Stop | null {
  if (state.name !== 'closed' || state.code === 0) return null;
  const text = `${state.message} (${state.code})`;
  if (kTokenCodes.has(state.code)) {
    return {
      title: state.code === 4102 ? 'This link has expired' : 'This link does not open the show',
      text,
      advice: 'Ask whoever sent you the link for a new one, and open it as it is.',
    };
  }
  if (state.code === 4501 || state.code === 4905) {
    return { title: 'You have left the room', text, advice: 'The producer ended your session.' };
  }
  if (state.code === 4902) {
    return {
      title: 'Open in another window',
      text,
      advice: 'The same session was opened elsewhere. Use that window, or reload this one.',
    };
  }
  if (state.code === 4300) {
    return {
      title: 'No such episode here',
      text,
      advice: 'Check the address with whoever sent it.',
    };
  }
  return { title: 'The connection has ended', text, advice: 'Reload the page to try again.' };
}

export type Tone = 'good' | 'warn' | 'bad' | 'idle';
export interface ConnectionWords {
  tone: Tone;
  label: string;
  /** A sentence for the banner; '' when all is well. */
  detail: string;
}

export function connection_words(state: ClientState, mode: Mode, now_ms: number): ConnectionWords {
  switch (state.name) {
    case 'idle':
    case 'connecting':
      return state.name === 'connecting' && state.attempt > 1
        ? {
            tone: 'warn',
            label: 'Reconnecting',
            detail: `Connecting again, attempt ${state.attempt}. What you sent is kept and goes out first.`,
          }
        : { tone: 'idle', label: 'Connecting', detail: '' };
    case 'waiting': {
      const wait_ms = state.until - now_ms;
      const when = wait_ms < 1000 ? 'now' : `in ${Math.ceil(wait_ms / 1000)} s`;
      const reason = state.reason.message.replace(/\.?$/, '');
      return {
        tone: 'warn',
        label: 'Reconnecting',
        detail: `${reason}${state.reason.code >= 4000 ? ` (${state.reason.code})` : ''}. Trying again ${when}; what you sent is kept.`,
      };
    }
    case 'closed':
      return { tone: 'bad', label: 'Ended', detail: state.message };
    case 'live':
      return mode_words(mode, state.transport === 'https');
  }
}

export const transport_words: Record<TransportKind, string> = {
  websocket: 'WebSocket',
  https: 'HTTPS',
  channel: 'the data channel of voice and video',
};

function mode_words(mode: Mode, fallback: boolean): ConnectionWords {
  const because = mode.message ? ` ${mode.message}` : '';
  const code = mode.code ? ` (${mode.code})` : '';
  switch (mode.mode) {
    case 'degraded':
      return {
        tone: 'warn',
        label: 'Degraded',
        detail: `The server is under load: votes and commands go first, emotes and chat may wait.${because}${code}`,
      };
    case 'halted':
      return {
        tone: 'bad',
        label: 'Halted',
        detail: `The event log stopped, so nothing new is accepted. What was confirmed is safe.${because}${code}`,
      };
    case 'draining':
      return {
        tone: 'warn',
        label: 'Moving',
        detail: `This server is going down for maintenance; the page will reconnect by itself.${code}`,
      };
    default:
      return { tone: 'good', label: fallback ? 'Live over HTTPS' : 'Live', detail: '' };
  }
}

/** The latency budgets of docs, milliseconds, within the region. */
export const kBudgetMs: Record<string, number> = {
  vote: 250,
  command: 500,
  reaction: 250,
  delta: 250,
};

export function latency_words(figure: number, budget_ms: number): string {
  return `${latency(figure)} of ${latency(budget_ms)}`;
}
