// What an overlay shows, from its address:
//   …/overlay/#token=…&show=poll,dice&theme=light&scale=1.25&align=left
export const kParts = ['poll', 'dice', 'emotes', 'scene', 'slate', 'timers'] as const;
export type Part = (typeof kParts)[number];

export interface OverlayOptions {
  parts: ReadonlySet<Part>;
  theme: 'dark' | 'light';
  /** 0.5–4: the size of everything. */
  scale: number;
  align: 'left' | 'right';
}

export function overlay_options(options: URLSearchParams): OverlayOptions {
  const wanted = (options.get('show') ?? '')
    .split(',')
    .map((word) => word.trim())
    .filter((word): word is Part => (kParts as readonly string[]).includes(word));
  const scale = Number(options.get('scale') ?? '1');
  return {
    parts: new Set(wanted.length > 0 ? wanted : kParts),
    theme: options.get('theme') === 'light' ? 'light' : 'dark',
    scale: Number.isFinite(scale) && scale > 0 ? Math.min(4, Math.max(0.5, scale)) : 1,
    align: options.get('align') === 'right' ? 'right' : 'left',
  };
}
