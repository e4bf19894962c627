// What the node says about itself to someone without a token. Everything here comes from the network
// and is checked before it is shown.

export interface EpisodeSummary {
  id: string;
  title: string;
  state: string;
}
export interface DevLink {
  page: string;
  name: string;
  url: string;
}

const kMostEntries = 100;

function field(value: unknown, name: string): string {
  const found = (value as Record<string, unknown> | null)?.[name];
  return typeof found === 'string' ? found : '';
}
function list_of(value: unknown, name: string): unknown[] {
  const list = Array.isArray(value) ? value : (value as Record<string, unknown> | null)?.[name];
  return Array.isArray(list) ? list.slice(0, kMostEntries) : [];
}

export function episodes_of(answer: unknown): EpisodeSummary[] {
  return list_of(answer, 'episodes').flatMap((it) => {
    const id = field(it, 'id') || field(it, 'episode');
    return id ? [{ id, title: field(it, 'title') || id, state: field(it, 'state') }] : [];
  });
}

/** Only addresses on this origin: a link that leaves it is not one of ours. */
export function dev_links_of(answer: unknown, origin: string): DevLink[] {
  return list_of(answer, 'links').flatMap((it) => {
    const page = field(it, 'page');
    let url: URL;
    try {
      url = new URL(field(it, 'url'), origin);
    } catch {
      return [];
    }
    return page && url.origin === origin ? [{ page, name: field(it, 'name'), url: url.href }] : [];
  });
}

export async function ask(path: string): Promise<unknown> {
  try {
    const answer = await fetch(path, { headers: { accept: 'application/json' } });
    return answer.ok ? await answer.json() : null;
  } catch {
    return null;
  }
}
