/**
 * Between hls.js and whoever answers for playlists. A request for a playlist may name a part that is not there yet, and
 * the origin answers when it is; hls.js then asks for the next at once. A cache that answers such a request from what it
 * has is asked again in the same moment, some thirty times a second for as long as that lasts. Here the answer that
 * brought nothing new is remembered, and the next request for the same playlist waits.
 */

export interface LoaderContext {
  url: string;
}
export interface LoaderAnswer {
  data?: unknown;
}
export interface LoaderCallbacks {
  onSuccess(answer: LoaderAnswer, ...rest: unknown[]): void;
}
/** What is used of a loader of hls.js 1.6. */
export interface Loader {
  load(context: LoaderContext, config: unknown, callbacks: LoaderCallbacks): void;
  abort(): void;
  destroy(): void;
}
export type LoaderClass = new (config: never) => Loader;
export type PatientLoaderClass = LoaderClass & {
  /** Whoever answered the latest request for what is to come answered with what was known. */
  readonly stale: boolean;
  /** When there was the latest request for this playlist or answer to one, by `now`; null: there was none. */
  latest_ms(url: string): number | null;
  /** A playlist other than this one was answered. */
  answeredBut(url: string): boolean;
};

/** So long after an answer with nothing new. */
export const STALE_WAIT_MS = 1_000;

interface Had {
  text: unknown;
  not_before_ms: number;
}

/** A loader class for one player; `now` in milliseconds, of any beginning. */
export function patientLoader(Base: LoaderClass, now: () => number): PatientLoaderClass {
  const had = new Map<string, Had>();
  let stale = false;
  const latest = new Map<string, number>();
  const address = (url: string): string => url.replace(/\?.*$/, '');

  return class extends Base {
    static get stale(): boolean {
      return stale;
    }
    static latest_ms(url: string): number | null {
      return latest.get(address(url)) ?? null;
    }
    static answeredBut(url: string): boolean {
      return [...had.keys()].some((key) => key !== address(url));
    }
    #timer: ReturnType<typeof setTimeout> | undefined;

    override load(context: LoaderContext, config: unknown, callbacks: LoaderCallbacks): void {
      const key = address(context.url);
      latest.set(key, now());
      const onSuccess = callbacks.onSuccess;
      const watched: LoaderCallbacks = {
        ...callbacks,
        onSuccess: (answer, ...rest) => {
          const same = answer.data !== undefined && had.get(key)?.text === answer.data;
          latest.set(key, now());
          if (!same) stale = false;
          else if (context.url.includes('_HLS_msn=')) stale = true;
          had.set(key, { text: answer.data, not_before_ms: same ? now() + STALE_WAIT_MS : 0 });
          onSuccess(answer, ...rest);
        },
      };
      const wait_ms = (had.get(key)?.not_before_ms ?? 0) - now();
      if (wait_ms <= 0) {
        super.load(context, config, watched);
        return;
      }
      this.#timer = setTimeout(() => super.load(context, config, watched), wait_ms);
    }
    override abort(): void {
      clearTimeout(this.#timer);
      super.abort();
    }
    override destroy(): void {
      clearTimeout(this.#timer);
      super.destroy();
    }
  };
}
