/** A cache in front of the origin that, while `stale`, answers from what it has, whatever part of the future is asked for. */
export class StaleCache {
  stale = false;
  asked = 0;
  has_delta = false;
  #had = new Map();

  async answer(route) {
    const { pathname } = new URL(route.request().url());
    if (this.stale) ++this.asked;
    try {
      if (this.stale && this.#had.has(pathname)) {
        return await route.fulfill(this.#had.get(pathname));
      }
      const response = await route.fetch();
      const had = {
        status: response.status(),
        headers: response.headers(),
        body: await response.body(),
      };
      if (response.ok()) this.#had.set(pathname, had);
      this.has_delta ||= had.body.includes('#EXT-X-SKIP');
      await route.fulfill(had);
    } catch {
      await route.abort().catch(() => undefined); // the page went on meanwhile
    }
  }
}
