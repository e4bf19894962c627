import type {
  CharCommands,
  ModCommands,
  PollCommands,
  RollOptions,
  Sent,
  TimerCommands,
} from './types.ts';
import type { CaptionOptions, CommandArgs, CommandKind, MediaMode } from './wire.ts';

/** Only what is given goes on the wire: an absent argument and `undefined` are the same. */
function given<T extends object>(args: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(args).filter(([, v]) => v !== undefined)) as T;
}

/** The commands of docs/protocol.md by name, all of them over `send`. */
export abstract class Commands {
  /** Any command by its name on the wire. */
  abstract send<K extends Exclude<CommandKind, 'emote'>>(kind: K, args: CommandArgs[K]): Sent<K>;
  protected abstract nonce(): string;

  /** Says something in the chat: 1–500 bytes. */
  chat(text: string): Sent<'chat.say'> {
    return this.send('chat.say', { text });
  }

  /**
   * Says a caption, for who may: 1–200 characters in one or two lines, in a language by its BCP 47 tag. `at_ms` is when
   * the words were spoken by the server's clock (`serverNow()`), at most 30 s ago.
   */
  caption(text: string, lang: string, options: CaptionOptions = {}): Sent<'caption.say'> {
    const { at_ms, for_ms } = options;
    return this.send('caption.say', given({ text, lang, at_ms, for_ms }));
  }
  /** Of the last 20; it is shown no longer, nor in the recording. */
  takeBackCaption(n: number): Sent<'caption.take_back'> {
    return this.send('caption.take_back', { caption: String(n) });
  }

  /**
   * Rolls dice. The nonce is this side's part of the randomness: the server committed itself to its
   * seed before it could know it (docs/formats/dice.md).
   */
  roll(expr: string, options: RollOptions = {}): Sent<'dice.roll'> {
    const { char, reason, secret, dialect, nonce = this.nonce() } = options;
    return this.send('dice.roll', given({ expr, nonce, char, reason, dialect, secret }));
  }

  readonly char: CharCommands = {
    hp: (char, change, ver) =>
      this.send('char.hp', given<CommandArgs['char.hp']>({ char, ver, ...change })),
    item: (char, item, delta, ver) => this.send('char.item', given({ char, item, delta, ver })),
    cond: (char, cond, on, ver) => this.send('char.cond', given({ char, cond, on, ver })),
    field: (char, field, value, ver) => this.send('char.field', given({ char, field, value, ver })),
  };

  readonly poll: PollCommands = {
    open: (poll, seconds) => this.send('poll.open', given({ poll, seconds })),
    close: (poll) => this.send('poll.close', { poll }),
    create: (poll, draft) => this.send('poll.create', given({ poll, ...draft })),
  };

  /** Moves the story to a scene, whatever the choices say. */
  scene(scene: string): Sent<'scene.go'> {
    return this.send('scene.go', { scene });
  }

  /** Takes a choice of the current scene. */
  story(choice: string): Sent<'story.choose'> {
    return this.send('story.choose', { choice });
  }

  readonly timer: TimerCommands = {
    start: (id, seconds, label) => this.send('timer.start', given({ id, seconds, label })),
    stop: (id) => this.send('timer.stop', { id }),
  };

  readonly mod: ModCommands = {
    mute: (who, seconds) => this.send('mod.mute', { who, seconds }),
    unmute: (who) => this.send('mod.mute', { who, seconds: 0 }),
    ban: (who) => this.send('mod.ban', { who }),
    unban: (who) => this.send('mod.unban', { who }),
    deleteChat: (chat) => this.send('chat.delete', { chat }),
    slow: (seconds) => this.send('chat.slow', { seconds }),
  };

  /** The holding slate over the program. */
  slate(on: boolean, text?: string): Sent<'slate'> {
    return this.send('slate', given({ on, text }));
  }

  /** What the audience gets of voice and video. */
  mediaMode(mode: MediaMode, why?: string): Sent<'media.mode'> {
    return this.send('media.mode', given({ mode, why }));
  }

  start(): Sent<'episode.start'> {
    return this.send('episode.start', {});
  }

  /** Ends the episode and reveals the dice seed. */
  end(): Sent<'episode.end'> {
    return this.send('episode.end', {});
  }
}
