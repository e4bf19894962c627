// The common beginning of every page that joins an episode.
import '../styles/tokens.css';
import '../styles/base.css';
import { createClient } from '@footlight/client';
import { type Component, mount } from 'svelte';
import NoToken from '../ui/NoToken.svelte';
import { type Address, page_shelf, read_address } from './address';
import { page_build } from './build';
import { Show } from './show.svelte';
import { theme } from './theme.svelte';

export interface PageProps {
  show: Show;
  address: Address;
}

export interface PageOptions {
  /** Whether the token stays in the address bar: an OBS source is configured by its address. */
  keep_fragment?: boolean;
  /** Keep nothing on disk: for a page that only shows. */
  memory_only?: boolean;
  /** Called with the show before it connects. */
  prepare?: (show: Show) => void;
}

export function open_page(
  name: string,
  page: Component<PageProps>,
  options: PageOptions = {},
): Show | null {
  theme.start();
  const target = document.getElementById('app');
  if (!target) throw new Error('the page has no #app');
  const address = read_address(name, location.hash, page_shelf());
  window.addEventListener('hashchange', () => {
    if (location.hash.includes('token=')) location.reload();
  });
  if (!address) {
    mount(NoToken, { target, props: { page: name } });
    return null;
  }
  if (!options.keep_fragment && location.hash) {
    history.replaceState(null, '', location.pathname + location.search);
  }
  const client = createClient({
    ...(address.server ? { url: address.server } : {}),
    token: address.token,
    storage: options.memory_only ? 'memory' : 'local',
    client: `web-${name}/${page_build()}`,
  });
  const show = new Show(client);
  show.start();
  options.prepare?.(show);
  mount(page, { target, props: { show, address } });
  client.connect();
  return show;
}
