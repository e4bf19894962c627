// Dark or light: the system's wish unless the person chose otherwise on this device.
export type Theme = 'system' | 'dark' | 'light';

const kKey = 'footlight.theme';

function stored(): Theme {
  try {
    const value = localStorage.getItem(kKey);
    return value === 'dark' || value === 'light' ? value : 'system';
  } catch {
    return 'system';
  }
}

class ThemeChoice {
  chosen = $state<Theme>('system');
  #system_dark = $state(true);

  /** What is on screen now. */
  get shown(): 'dark' | 'light' {
    return this.chosen === 'system' ? (this.#system_dark ? 'dark' : 'light') : this.chosen;
  }

  start(): void {
    const query = window.matchMedia('(prefers-color-scheme: dark)');
    this.#system_dark = query.matches;
    query.addEventListener('change', (event) => (this.#system_dark = event.matches));
    this.choose(stored());
  }

  choose(theme: Theme): void {
    this.chosen = theme;
    if (theme === 'system') delete document.documentElement.dataset['theme'];
    else document.documentElement.dataset['theme'] = theme;
    try {
      if (theme === 'system') localStorage.removeItem(kKey);
      else localStorage.setItem(kKey, theme);
    } catch {
      // Without storage the choice lasts as long as the page.
    }
  }

  toggle(): void {
    this.choose(this.shown === 'dark' ? 'light' : 'dark');
  }
}

export const theme = new ThemeChoice();
