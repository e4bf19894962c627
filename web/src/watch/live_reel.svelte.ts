// What is kept of the program while it is live: one can go back in it, and to live again. Its marks come from the view
// that the page has anyway, so that a crowd going back asks the server nothing.
import type { LiveWindow, Program } from '@footlight/client/program';
import type { Show } from '../lib/show.svelte';
import { marks_of, place_in, type Mark, type Moment, type Thumb } from './moments';
import type { Live, Reel } from './reel';

/** Who was stopped so long sees it. */
const kLateS = 3;
const kNone: LiveWindow = { from_s: 0, from_ms: null, to_s: 0, at_s: 0, paused: false };

export class LiveReel implements Reel {
  readonly thumbs: readonly Thumb[] = [];
  #window = $state.raw<LiveWindow>(kNone);
  #by_choice = $state(false);
  readonly #program: Program;
  readonly #marks: Mark[];
  readonly #moments: Moment[];

  constructor(program: Program, show: Show) {
    this.#program = program;
    this.#marks = $derived(
      marks_of({
        story: show.all('story'),
        polls: show.all('polls'),
        rolls: show.all('rolls'),
        characters: show.all('characters'),
      }),
    );
    this.#moments = $derived(place_in(this.#marks, (at_ms) => program.timeOf(at_ms), this.#window));
  }

  /** As the program says it. */
  look(window: LiveWindow, by_choice: boolean): void {
    this.#window = window;
    this.#by_choice = by_choice;
  }
  get from_s(): number {
    return this.#window.from_s;
  }
  get to_s(): number {
    return this.#window.to_s;
  }
  /** Who is live is at the end, and does not tremble there. */
  get at_s(): number {
    return this.#there ? this.#window.to_s : this.#window.at_s;
  }
  get #there(): boolean {
    return !this.#by_choice && this.#window.to_s - this.#window.at_s < kLateS;
  }
  get playing(): boolean {
    return !this.#window.paused;
  }
  get live(): Live {
    return { there: this.#there, go: () => this.#program.catchUp() };
  }
  get moments(): readonly Moment[] {
    return this.#moments;
  }
  seek(at_s: number): void {
    this.#program.seek(at_s);
  }
  toggle(): void {
    this.#program.pause(this.playing);
  }
}
