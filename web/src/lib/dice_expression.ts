// Building an expression by buttons; reading one is the server's business alone.

export interface QuickRoll {
  label: string;
  expr: string;
  title: string;
}

export const kQuickRolls: readonly QuickRoll[] = [
  ...[4, 6, 8, 10, 12, 20, 100].map((sides) => ({
    label: `d${sides}`,
    expr: `1d${sides}`,
    title: `One d${sides}; again for another`,
  })),
  { label: 'Adv', expr: '2d20kh1', title: 'Advantage: two d20, keep the higher' },
  { label: 'Dis', expr: '2d20kl1', title: 'Disadvantage: two d20, keep the lower' },
  { label: 'Stat', expr: '4d6kh3', title: 'Four d6, keep the highest three' },
];

/**
 * Adds a quick roll to an expression: another die of the kind that stands last, or a further term.
 * `add_die('1d6', '1d6')` is `2d6`; `add_die('1d20', '1d6')` is `1d20+1d6`.
 */
export function add_die(expr: string, fragment: string): string {
  const trimmed = expr.trim();
  if (trimmed === '') return fragment;
  const plain = /^1d(\d+)$/.exec(fragment);
  const last = /^(.*?)(\d*)d(\d+)$/.exec(trimmed);
  if (plain && last && last[3] === plain[1]) {
    return `${last[1]}${Number(last[2] || '1') + 1}d${last[3]}`;
  }
  return `${trimmed}+${fragment}`;
}
