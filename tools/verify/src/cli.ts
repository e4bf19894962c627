/** The command: footlight-verify FILE [options]. Nothing but node:fs from outside this folder. */
import { createReadStream } from 'node:fs';
import { reportLines } from './report.ts';
import { Verifier, type Options } from './verifier.ts';

const USAGE = `usage: footlight-verify EXPORT.jsonl [options]      ("-": standard input)

Checks an episode exported by "footlight export" without the server: every line's form, the hash chain, the
chain values published during the show, each poll by recounting its ballots, the story, the characters, and, once
the episode has ended, every roll of the dice from the revealed seed.

  --receipt HEX       a voter's receipt: find the ballot (may be given again)
  --chain [SEQ:]HEX   a chain value known from elsewhere: find it, at record SEQ (may be given again)
  --commit HEX        the commitment to the dice seed as it was shown at the start
  --json              the whole report as JSON
  --quiet             failures and the last line only

exit status: 0 everything holds, 1 something failed, 2 it could not be read`;

interface Arguments {
  file: string;
  options: Required<Pick<Options, 'chains' | 'receipts'>> & Options;
  json: boolean;
  quiet: boolean;
}

function parse(args: readonly string[]): Arguments | string {
  const chains: { chain: string; seq?: number }[] = [];
  const receipts: string[] = [];
  const out: Arguments = { file: '', options: { chains, receipts }, json: false, quiet: false };
  for (let i = 0; i < args.length; ++i) {
    const arg = args[i]!;
    if (arg === '--json') out.json = true;
    else if (arg === '--quiet') out.quiet = true;
    else if (arg === '--receipt' || arg === '--chain' || arg === '--commit') {
      const value = args[++i] ?? '';
      const found = /^(?:([0-9]{1,15}):)?([0-9a-fA-F]+)$/.exec(value);
      const digits = arg === '--receipt' ? 32 : 64;
      if (found?.[2]?.length !== digits || (found[1] !== undefined && arg !== '--chain')) {
        return `${arg} needs ${digits} hexadecimal digits`;
      }
      if (arg === '--receipt') receipts.push(value);
      else if (arg === '--commit') out.options.commitment = value;
      else chains.push(found[1] ? { chain: found[2], seq: Number(found[1]) } : { chain: found[2] });
    } else if (arg.startsWith('--')) return `unknown option ${arg}`;
    else if (out.file !== '') return 'one file at a time';
    else out.file = arg;
  }
  return out.file === '' ? 'which file?' : out;
}

/** Returns the exit status. */
export async function main(args: readonly string[]): Promise<number> {
  if (args.includes('--help') || args.includes('-h')) {
    console.log(USAGE);
    return 0;
  }
  const parsed = parse(args);
  if (typeof parsed === 'string') {
    console.error(`footlight-verify: ${parsed}\n\n${USAGE}`);
    return 2;
  }
  const verifier = new Verifier(parsed.options);
  const stream = parsed.file === '-' ? process.stdin : createReadStream(parsed.file);
  try {
    for await (const chunk of stream) verifier.push(chunk as Uint8Array);
  } catch (error) {
    console.error(`footlight-verify: cannot read ${parsed.file}: ${(error as Error).message}`);
    return 2;
  }
  const report = verifier.finish();
  if (parsed.json) {
    console.log(JSON.stringify(report));
  } else {
    const lines = reportLines(report);
    const shown = parsed.quiet
      ? lines.filter((line, i) => line.startsWith('FAILED') || i === lines.length - 1)
      : lines;
    console.log(shown.join('\n'));
  }
  return report.failed > 0 ? 1 : 0;
}
