import type { Role } from '@footlight/client';

export type PageName = 'overlay' | 'audience' | 'stage' | 'console';

/** The address of a page with all it needs in the fragment, which no server gets to see. */
export function page_link(
  origin: string,
  page: PageName,
  episode: string,
  token: string,
  options: Readonly<Record<string, string>> = {},
): string {
  const fragment = new URLSearchParams({ ep: episode, token, ...options });
  return `${origin}/${page}/#${fragment.toString().replaceAll('%2C', ',')}`;
}

/** What to type to make a token for `page`. */
export function token_command(episode: string, role: Role, page: PageName): string {
  return `footlight token --episode ${episode} --role ${role} --sub ${page === 'overlay' ? 'overlay' : 'NAME'}`;
}
