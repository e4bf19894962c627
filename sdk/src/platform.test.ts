import { afterEach, describe, expect, test, vi } from 'vitest';
import { ManualClock, seededRandom, settled } from './fake/index.ts';
import * as platform from './platform.ts';

afterEach(() => void vi.unstubAllGlobals());

/** localStorage as browsers have it. */
function browserStorage(): globalThis.Storage {
  const map = new Map<string, string>();
  return {
    getItem: (key: string) => map.get(key) ?? null,
    setItem: (key: string, value: string) => void map.set(key, value),
    removeItem: (key: string) => void map.delete(key),
    key: (k: number) => [...map.keys()][k] ?? null,
    clear: () => map.clear(),
    get length() {
      return map.size;
    },
  };
}

describe('storage', () => {
  test('of a browser lists keys by prefix', () => {
    vi.stubGlobal('localStorage', browserStorage());
    const storage = platform.localStorageOrNull();
    storage?.set('fl1:a', '1');
    storage?.set('other', '2');
    storage?.set('fl1:b', '3');
    expect(storage?.keys('fl1:')).toEqual(['fl1:a', 'fl1:b']);
    storage?.remove('fl1:a');
    expect(storage?.get('fl1:a')).toBeNull();
    expect(storage?.keys('')).toEqual(['other', 'fl1:b']);
  });

  test('that is forbidden or full is none', () => {
    vi.stubGlobal('localStorage', undefined);
    expect(platform.localStorageOrNull()).toBeNull();
    const full = browserStorage();
    full.setItem = () => {
      throw new DOMException('full', 'QuotaExceededError');
    };
    vi.stubGlobal('localStorage', full);
    expect(platform.localStorageOrNull()).toBeNull();
  });
});

describe('locks in memory', () => {
  test('have one holder at a time, and a second release takes nothing away', async () => {
    const locks = platform.memoryLocks();
    const first = await locks.claim('a');
    expect(await locks.claim('a')).toBeNull();
    expect(await locks.claim('b')).not.toBeNull();
    first?.();
    const second = await locks.claim('a');
    expect(second).not.toBeNull();
    first?.();
    expect(await locks.claim('a')).toBeNull();
  });
});

describe('locks of the browser', () => {
  test('are held until released, and asked for without waiting', async () => {
    const held = new Set<string>();
    const manager = {
      async request(name: string, options: LockOptions, run: (lock: unknown) => unknown) {
        expect(options).toEqual({ ifAvailable: true });
        if (held.has(name)) return run(null);
        held.add(name);
        await run({ name });
        held.delete(name);
        return undefined;
      },
    };
    const locks = platform.webLocks(manager as never);
    const release = await locks.claim('a');
    expect(await locks.claim('a')).toBeNull();
    release?.();
    await settled();
    expect(await locks.claim('a')).not.toBeNull();
  });

  test('that fail (an opaque origin) leave the name to nobody', async () => {
    const manager = { request: () => Promise.reject(new DOMException('no', 'SecurityError')) };
    expect(await platform.webLocks(manager as never).claim('a')).toBeNull();
  });
});

describe('locks over a channel', () => {
  /** BroadcastChannel within the test: delivered in a later turn, to all others of the name. */
  class Channel {
    static all = new Set<Channel>();
    onmessage: ((event: { data: unknown }) => void) | null = null;
    readonly name: string;
    constructor(name: string) {
      this.name = name;
      Channel.all.add(this);
    }
    postMessage(data: unknown): void {
      for (const other of Channel.all) {
        if (other === this || other.name !== this.name) continue;
        void Promise.resolve().then(() => {
          if (Channel.all.has(other)) other.onmessage?.({ data });
        });
      }
    }
    close(): void {
      Channel.all.delete(this);
    }
  }

  function tabs(): {
    clock: ManualClock;
    tab: (seed: number) => ReturnType<typeof platform.channelLocks>;
  } {
    vi.stubGlobal('BroadcastChannel', Channel);
    Channel.all.clear();
    const clock = new ManualClock();
    return { clock, tab: (seed) => platform.channelLocks(clock, seededRandom(seed)) };
  }

  test('a held name is refused, and free again once released', async () => {
    const { clock, tab } = tabs();
    const first = tab(1).claim('a');
    await clock.advance(200);
    const release = await first;
    expect(release).not.toBeNull();
    const second = tab(2).claim('a');
    const other = tab(3).claim('b');
    await clock.advance(200);
    expect(await second).toBeNull();
    expect(await other).not.toBeNull();
    release?.();
    const third = tab(4).claim('a');
    await clock.advance(200);
    expect(await third).not.toBeNull();
    expect(clock.pending).toBe(0);
  });

  test('of any number that ask at once exactly one has it', async () => {
    for (let round = 0; round < 20; ++round) {
      const { clock, tab } = tabs();
      const claims = [1, 2, 3, 4].map((seed) => tab(seed + round * 10).claim('a'));
      await clock.advance(200);
      const won = (await Promise.all(claims)).filter((release) => release !== null);
      expect(won).toHaveLength(1);
    }
  });

  test('a claim begun while another waits does not take it from the lower ticket', async () => {
    const { clock, tab } = tabs();
    const first = tab(1).claim('a');
    await clock.advance(100);
    const second = tab(2).claim('a');
    await clock.advance(300);
    const won = (await Promise.all([first, second])).filter((release) => release !== null);
    expect(won).toHaveLength(1);
  });
});

describe('the page', () => {
  test('tells what happens to it until it is no longer asked', () => {
    const page = new EventTarget();
    const document = Object.assign(new EventTarget(), { hidden: false });
    vi.stubGlobal('document', document);
    vi.stubGlobal('addEventListener', page.addEventListener.bind(page));
    vi.stubGlobal('removeEventListener', page.removeEventListener.bind(page));
    const lifecycle = platform.systemLifecycle();
    const seen: string[] = [];
    const end = lifecycle.subscribe((event) => seen.push(event));
    const shown = (persisted: boolean): Event =>
      Object.assign(new Event('pageshow'), { persisted });
    document.hidden = true;
    document.dispatchEvent(new Event('visibilitychange'));
    expect(lifecycle.hidden()).toBe(true);
    document.hidden = false;
    document.dispatchEvent(new Event('visibilitychange'));
    page.dispatchEvent(new Event('online'));
    page.dispatchEvent(new Event('offline'));
    page.dispatchEvent(new Event('pagehide'));
    page.dispatchEvent(shown(false));
    page.dispatchEvent(shown(true));
    expect(seen).toEqual(['hidden', 'visible', 'online', 'offline', 'leave', 'return']);
    end();
    page.dispatchEvent(new Event('online'));
    document.dispatchEvent(new Event('visibilitychange'));
    expect(seen).toHaveLength(6);
  });

  test('is never there in Node', () => {
    const lifecycle = platform.systemLifecycle();
    expect(lifecycle.hidden()).toBe(false);
    expect(lifecycle.subscribe(() => {})).toBeTypeOf('function');
    expect(() => platform.urlOf({})).toThrow(TypeError);
  });
});

test('random bytes fill what is asked and differ', () => {
  const random = platform.systemRandom();
  expect(random.bytes(16)).toHaveLength(16);
  expect(random.bytes(16)).not.toEqual(random.bytes(16));
  const unit = random.unit();
  expect(unit >= 0 && unit < 1).toBe(true);
});
