import { readdir, readFile } from 'node:fs/promises';

/** The number of a process that `parent` started. */
export async function child_of(parent, name) {
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
    const [, comm, rest] = /\((.*)\) (.*)/s.exec(stat) ?? [];
    if (comm?.startsWith(name.slice(0, 15)) && Number(rest.split(' ')[1]) === parent) {
      return Number(pid);
    }
  }
  throw new Error(`no ${name} under ${parent}`);
}
