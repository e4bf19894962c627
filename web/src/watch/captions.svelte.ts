// Whether this person wants captions, and in which language: remembered on this device for all shows.
import { caption_language } from './caption_language';

const kKey = 'footlight.captions';

export class CaptionChoice {
  on = $state(false);
  #wanted = $state('');

  constructor() {
    try {
      const [on, lang = ''] = (localStorage.getItem(kKey) ?? '').split(' ');
      this.on = on === 'on';
      this.#wanted = lang;
    } catch {
      // Without storage the choice lasts as long as the page.
    }
  }

  /** Of those that there are; '' when there are none. */
  language(languages: readonly string[]): string {
    return caption_language(languages, [this.#wanted, ...navigator.languages]);
  }
  toggle(): void {
    this.on = !this.on;
    this.#keep();
  }
  choose(language: string): void {
    this.#wanted = language;
    this.#keep();
  }

  #keep(): void {
    try {
      localStorage.setItem(kKey, `${this.on ? 'on' : 'off'} ${this.#wanted}`);
    } catch {
      // As above.
    }
  }
}
