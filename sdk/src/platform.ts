/** What the client uses of a browser (or Node) when nothing else is given: the only place that does. */

import { httpsTransport } from './transport/https.ts';
import { websocketTransport } from './transport/websocket.ts';
import type {
  ClientOptions,
  Clock,
  Lifecycle,
  LifecycleEvent,
  Locks,
  Random,
  Storage,
  Transport,
  Unsubscribe,
} from './types.ts';

export function systemClock(): Clock {
  return {
    now: () => performance.now(),
    wall: () => Date.now(),
    setTimeout: (run, ms) => setTimeout(run, ms),
    clearTimeout: (handle) => clearTimeout(handle as ReturnType<typeof setTimeout>),
  };
}

export function systemRandom(): Random {
  return {
    unit: () => Math.random(),
    bytes: (n) => crypto.getRandomValues(new Uint8Array(n)),
  };
}

/** Nothing survives a reload. Two clients that share one see each other as two tabs would. */
export function memoryStorage(): Storage {
  const values = new Map<string, string>();
  return {
    get: (key) => values.get(key) ?? null,
    set: (key, value) => void values.set(key, value),
    remove: (key) => void values.delete(key),
    keys: (prefix) => [...values.keys()].filter((key) => key.startsWith(prefix)),
  };
}

/** localStorage, or null where the browser has none for this page. */
export function localStorageOrNull(): Storage | null {
  let local: globalThis.Storage;
  try {
    // Even to name it throws in a sandboxed frame; Node's needs a file it may not have.
    local = globalThis.localStorage;
    local.setItem('fl1:probe', '');
    local.removeItem('fl1:probe');
  } catch {
    return null;
  }
  return {
    get: (key) => local.getItem(key),
    set: (key, value) => local.setItem(key, value),
    remove: (key) => local.removeItem(key),
    keys(prefix) {
      const keys: string[] = [];
      for (let k = 0; k < local.length; ++k) {
        const key = local.key(k);
        if (key?.startsWith(prefix)) keys.push(key);
      }
      return keys;
    },
  };
}

/** What `ClientOptions.storage` asks for, or the next best. */
export function storageFor(wish: Storage | 'local' | 'memory'): Storage {
  if (typeof wish === 'object') return wish;
  return (wish === 'local' ? localStorageOrNull() : null) ?? memoryStorage();
}

/** Locks among the clients of one process that share this object. */
export function memoryLocks(): Locks {
  const held = new Set<string>();
  return {
    claim(name) {
      if (held.has(name)) return Promise.resolve(null);
      held.add(name);
      let mine = true;
      const release = (): void => {
        if (mine) held.delete(name);
        mine = false;
      };
      return Promise.resolve(release);
    },
  };
}

/** The Web Locks API: exact, and a lock ends with its page. Secure contexts only. */
export function webLocks(manager: LockManager): Locks {
  return {
    claim: (name) =>
      new Promise((resolve) => {
        manager
          .request(name, { ifAvailable: true }, (lock) => {
            if (!lock) {
              resolve(null);
              return undefined;
            }
            return new Promise<void>((release) => resolve(release));
          })
          .catch(() => resolve(null));
      }),
  };
}

const CHANNEL = 'fl1:locks';
const ANSWER_MS = 150;

/**
 * For pages without Web Locks (plain http): who wants a name asks the other tabs for it, and has it
 * when none answers in time. Of two that ask at once the one with the lower ticket has it.
 */
export function channelLocks(clock: Clock, random: Random): Locks {
  interface Word {
    name: string;
    ticket: number;
    held?: boolean;
  }
  return {
    claim: (name) =>
      new Promise((resolve) => {
        const channel = new BroadcastChannel(CHANNEL);
        const ticket = random.unit();
        let mine = false;
        const lose = (): void => {
          clock.clearTimeout(timer);
          channel.close();
          resolve(null);
        };
        channel.onmessage = ({ data }: MessageEvent<Word>) => {
          if (data.name !== name) return;
          if (!mine && (data.held || data.ticket < ticket)) {
            lose();
          } else if (!data.held) {
            channel.postMessage({ name, ticket, held: mine } satisfies Word);
          }
        };
        const timer = clock.setTimeout(() => {
          mine = true;
          resolve(() => channel.close());
        }, ANSWER_MS);
        channel.postMessage({ name, ticket } satisfies Word);
      }),
  };
}

export function systemLocks(clock: Clock, random: Random): Locks {
  const manager = globalThis.navigator?.locks as LockManager | undefined;
  if (manager) return webLocks(manager);
  if (typeof BroadcastChannel === 'function' && typeof document !== 'undefined') {
    return channelLocks(clock, random);
  }
  return memoryLocks();
}

/** The page's own events; where there is no page nothing ever happens. */
export function systemLifecycle(): Lifecycle {
  if (typeof document === 'undefined' || typeof addEventListener !== 'function') {
    return { hidden: () => false, subscribe: () => () => {} };
  }
  return {
    hidden: () => document.hidden,
    subscribe(run): Unsubscribe {
      const ends: (() => void)[] = [];
      const listen = (target: EventTarget, type: string, tell: (event: Event) => void): void => {
        target.addEventListener(type, tell);
        ends.push(() => target.removeEventListener(type, tell));
      };
      const plain = (type: string, event: LifecycleEvent): void =>
        listen(globalThis, type, () => run(event));
      listen(document, 'visibilitychange', () => run(document.hidden ? 'hidden' : 'visible'));
      plain('online', 'online');
      plain('offline', 'offline');
      plain('pagehide', 'leave');
      listen(globalThis, 'pageshow', (event) => {
        if ((event as PageTransitionEvent).persisted) run('return');
      });
      return () => {
        for (const end of ends) end();
      };
    },
  };
}

/** The page's own address where none is given. */
export function urlOf({ url }: ClientOptions): string {
  const address = url ?? (typeof location === 'object' ? location.origin : '');
  if (!address) throw new TypeError('There is no page here to take the address from; give a url.');
  return address;
}

export function locksFor(options: ClientOptions, clock: Clock, random: Random): Locks {
  return options.storage === 'memory' ? memoryLocks() : systemLocks(clock, random);
}

/** The most wanted first. */
export function transportsFor(options: ClientOptions, clock: Clock): readonly Transport[] {
  return [websocketTransport(options.WebSocket), httpsTransport(clock, options.fetch)];
}
