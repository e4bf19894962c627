// Which of the languages that there are captions in, and what it is called.

/** The first that is wanted, else one of the same language elsewhere, else the first; '' of none. */
export function caption_language(languages: readonly string[], wanted: readonly string[]): string {
  const base = (tag: string): string => tag.toLowerCase().split('-')[0] ?? '';
  for (const want of wanted) {
    const found =
      languages.find((one) => one.toLowerCase() === want.toLowerCase()) ??
      languages.find((one) => base(one) === base(want));
    if (found !== undefined) return found;
  }
  return languages[0] ?? '';
}

/** "de-AT" → "Deutsch (Österreich)": in its own words, for whom it is. */
export function language_name(tag: string): string {
  try {
    return new Intl.DisplayNames([tag], { type: 'language' }).of(tag) ?? tag;
  } catch {
    return tag; // of the right form, and yet no tag
  }
}
