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

/** What to type, where the server's key is, to get the address of `page` with a token in it. */
export function token_command(origin: string, episode: string, role: Role, page: PageName): string {
  const sub = page === 'overlay' ? 'overlay' : 'NAME';
  return `footlight token --key FILE --episode-id ${episode} --role ${role} --sub ${sub} --page ${origin}/${page}/`;
}
