// Which build this page is, and when to fetch itself anew.

/** The id written into the page by plugins/build_id.ts; 'dev' under the development server. */
export function page_build(): string {
  return document.querySelector('meta[name="footlight-build"]')?.getAttribute('content') ?? 'dev';
}

const kKey = 'footlight.reloaded_for';

/**
 * Whether a page should reload because the server now speaks of build `to`. Once per build: behind a
 * proxy that still serves the old pages a second reload would help no more than the first.
 */
export function should_reload(to: string, shelf: Pick<Storage, 'getItem' | 'setItem'>): boolean {
  try {
    if (shelf.getItem(kKey) === to) return false;
    shelf.setItem(kKey, to);
    return true;
  } catch {
    // Without memory a loop could not be told from a first time.
    return false;
  }
}
