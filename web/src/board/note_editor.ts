// A rich text editor on a part of the board's document: ProseMirror with its Yjs binding, no more
// than paragraphs, headings, lists, bold, italic and strike. Loaded when a note is opened.
import { baseKeymap, setBlockType, toggleMark } from 'prosemirror-commands';
import { inputRules, textblockTypeInputRule, wrappingInputRule } from 'prosemirror-inputrules';
import { keymap } from 'prosemirror-keymap';
import { Schema, type DOMOutputSpec, type MarkSpec, type NodeSpec } from 'prosemirror-model';
import { liftListItem, sinkListItem, splitListItem, wrapInList } from 'prosemirror-schema-list';
import { EditorState, type Command } from 'prosemirror-state';
import { EditorView } from 'prosemirror-view';
import { redo, undo, yCursorPlugin, ySyncPlugin, yUndoPlugin } from 'y-prosemirror';
import type { Awareness } from 'y-protocols/awareness';
import type * as Y from 'yjs';

const block = (tag: string, content = 'inline*', more: Partial<NodeSpec> = {}): NodeSpec => ({
  content,
  group: 'block',
  parseDOM: [{ tag }],
  toDOM: (): DOMOutputSpec => [tag, 0],
  ...more,
});
const mark = (tag: string, ...others: string[]): MarkSpec => ({
  parseDOM: [tag, ...others].map((one) => ({ tag: one })),
  toDOM: (): DOMOutputSpec => [tag, 0],
});

export const note_schema = new Schema({
  nodes: {
    doc: { content: 'block+' },
    paragraph: block('p'),
    heading: block('h4', 'inline*', { defining: true }),
    bullet_list: block('ul', 'list_item+'),
    ordered_list: block('ol', 'list_item+'),
    list_item: {
      content: 'paragraph block*',
      parseDOM: [{ tag: 'li' }],
      toDOM: () => ['li', 0],
      defining: true,
    },
    text: { group: 'inline' },
  },
  marks: {
    strong: mark('strong', 'b'),
    em: mark('em', 'i'),
    strike: mark('s', 'del'),
  },
});
const { nodes, marks } = note_schema;

export type NoteAction =
  | 'strong'
  | 'em'
  | 'strike'
  | 'heading'
  | 'bullet_list'
  | 'ordered_list'
  | 'undo'
  | 'redo';

const kActions: Record<NoteAction, Command> = {
  strong: toggleMark(marks.strong),
  em: toggleMark(marks.em),
  strike: toggleMark(marks.strike),
  heading: (state, dispatch) => {
    const is = state.selection.$from.parent.type === nodes.heading;
    return setBlockType(is ? nodes.paragraph : nodes.heading)(state, dispatch);
  },
  bullet_list: wrapInList(nodes.bullet_list),
  ordered_list: wrapInList(nodes.ordered_list),
  undo: (state) => undo(state),
  redo: (state) => redo(state),
};

export interface NoteEditor {
  run(action: NoteAction): void;
  focus(): void;
  destroy(): void;
}

/** `changed` is told which actions are in force at the cursor. */
export function open_note(
  place: HTMLElement,
  body: Y.XmlFragment,
  awareness: Awareness,
  {
    editable,
    label,
    changed,
  }: { editable: boolean; label: string; changed: (on: Set<NoteAction>) => void },
): NoteEditor {
  const view = new EditorView(place, {
    state: EditorState.create({
      schema: note_schema,
      plugins: [
        ySyncPlugin(body),
        yCursorPlugin(awareness, {
          cursorBuilder: (user: { name?: unknown; hue?: unknown }) => caret_of(user),
          selectionBuilder: (user: { hue?: unknown }) => ({
            class: `note-selection pen-${hue(user.hue)}`,
          }),
        }),
        yUndoPlugin(),
        inputRules({
          rules: [
            wrappingInputRule(/^\s*[-*]\s$/, nodes.bullet_list),
            wrappingInputRule(/^1\.\s$/, nodes.ordered_list),
            textblockTypeInputRule(/^#\s$/, nodes.heading),
          ],
        }),
        keymap({
          'Mod-z': kActions.undo,
          'Mod-y': kActions.redo,
          'Shift-Mod-z': kActions.redo,
          'Mod-b': kActions.strong,
          'Mod-i': kActions.em,
          Enter: splitListItem(nodes.list_item),
          // Tab stays the page's: it leads out of the editor.
          'Mod-]': sinkListItem(nodes.list_item),
          'Mod-[': liftListItem(nodes.list_item),
        }),
        keymap(baseKeymap),
      ],
    }),
    editable: () => editable,
    attributes: {
      role: 'textbox',
      'aria-multiline': 'true',
      'aria-label': label,
      class: 'note-text',
    },
    // Plugins dispatch while the view is being made.
    dispatchTransaction(this: EditorView, transaction) {
      this.updateState(this.state.apply(transaction));
      changed(in_force(this.state));
    },
  });
  return {
    run: (action) => {
      kActions[action](view.state, view.dispatch, view);
      view.focus();
    },
    focus: () => view.focus(),
    destroy: () => view.destroy(),
  };
}

function in_force(state: EditorState): Set<NoteAction> {
  const on = new Set<NoteAction>();
  const { $from } = state.selection;
  const present = state.storedMarks ?? $from.marks();
  for (const name of ['strong', 'em', 'strike'] as const) {
    if (present.some((one) => one.type === marks[name])) on.add(name);
  }
  if ($from.parent.type === nodes.heading) on.add('heading');
  for (let depth = $from.depth; depth > 0; --depth) {
    const { name } = $from.node(depth).type;
    if (name === 'bullet_list' || name === 'ordered_list') on.add(name);
  }
  return on;
}

/** Styled by class: the page's policy allows no style in attributes. */
function caret_of(user: { name?: unknown; hue?: unknown }): HTMLElement {
  const caret = document.createElement('span');
  caret.className = `note-caret pen-${hue(user.hue)}`;
  const name = document.createElement('span');
  name.textContent = String(user.name ?? '').slice(0, 64);
  caret.append('\u2060', name, '\u2060');
  return caret;
}
const hue = (color: unknown): number =>
  Number.isInteger(color) ? Math.abs(color as number) % 8 : 7;
