/**
 * The YAML editor itself (CodeMirror), loaded when somebody edits. It lives in a shadow root, where
 * its styles are adopted sheets: the content security policy allows no style elements. Shows
 * problems at their lines and completes from the schema; never talks to the server by itself.
 */
import { autocompletion, closeBrackets, completionKeymap, completionStatus, type Completion, type CompletionContext, type CompletionResult } from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap } from '@codemirror/commands';
import { yaml } from '@codemirror/lang-yaml';
import { HighlightStyle, bracketMatching, indentOnInput, indentUnit, syntaxHighlighting } from '@codemirror/language';
import { lintGutter, setDiagnostics, type Diagnostic } from '@codemirror/lint';
import { EditorState } from '@codemirror/state';
import { EditorView, drawSelection, highlightActiveLine, highlightActiveLineGutter, keymap, lineNumbers } from '@codemirror/view';
import { tags } from '@lezer/highlight';
import type { Problem } from '../api/content';
import { fieldAt, optionsAt, type Known, type Option } from '../lib/ruleschema';
import { yamlAt } from '../lib/yamlpath';

/** What the editor asks of the page. */
export interface Asks {
  label: string;
  changed: (text: string) => void;
  known: () => Known;
  /** Values that a field has in stored events. */
  values: (field: string, prefix: string, signal: AbortSignal) => Promise<{ name: string; note: string }[]>;
}

export interface Code {
  setText: (text: string) => void;
  setProblems: (problems: readonly Problem[]) => void;
  /** Puts the cursor at a line and shows it. */
  goTo: (line: number) => void;
  focus: () => void;
  destroy: () => void;
}

const look = EditorView.theme({
  '&': { color: 'var(--fg)', backgroundColor: 'var(--bg)', fontSize: '12px' },
  '&.cm-focused': { outline: 'none' },
  '.cm-scroller': { fontFamily: 'var(--mono)', lineHeight: '18px', maxHeight: '60vh', overflow: 'auto' },
  '.cm-content': { padding: '8px 0', caretColor: 'var(--fg)' },
  '.cm-cursor': { borderLeftColor: 'var(--fg)' },
  '&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground': { backgroundColor: 'var(--accent-bg)' },
  '.cm-activeLine, .cm-activeLineGutter': { backgroundColor: 'color-mix(in srgb, var(--raised) 60%, transparent)' },
  '.cm-gutters': { backgroundColor: 'var(--bg)', color: 'var(--fg-3)', borderRight: '1px solid var(--line)' },
  '.cm-activeLineGutter': { color: 'var(--fg)' },
  '.cm-tooltip': { backgroundColor: 'var(--raised)', color: 'var(--fg)', border: '1px solid var(--line-strong)', borderRadius: '6px' },
  '.cm-tooltip.cm-tooltip-autocomplete > ul': { fontFamily: 'var(--mono)', maxHeight: '260px' },
  '.cm-tooltip.cm-tooltip-autocomplete > ul > li': { padding: '3px 8px', minHeight: '24px' },
  '.cm-tooltip-autocomplete ul li[aria-selected]': { backgroundColor: 'var(--accent-bg)', color: 'var(--on-accent)' },
  '.cm-completionDetail': { fontStyle: 'normal', color: 'inherit', marginLeft: '14px' },
  '.cm-completionMatchedText': { textDecoration: 'none', fontWeight: '700' },
  '.cm-lintRange-error': { backgroundImage: 'none', textDecoration: 'underline wavy var(--critical)', textDecorationSkipInk: 'none' },
  '.cm-lintRange-warning': { backgroundImage: 'none', textDecoration: 'underline wavy var(--medium)', textDecorationSkipInk: 'none' },
  '.cm-diagnostic': { padding: '4px 8px', borderLeft: '3px solid var(--medium)' },
  '.cm-diagnostic-error': { borderLeftColor: 'var(--critical)' },
  '.cm-lint-marker': { width: '9px', height: '9px', content: 'none', borderRadius: '50%', backgroundColor: 'var(--medium)', margin: '5px 2px' },
  '.cm-lint-marker-error': { borderRadius: '1px', backgroundColor: 'var(--critical)' },
});

const colours = HighlightStyle.define([
  { tag: [tags.propertyName, tags.definition(tags.propertyName)], color: 'var(--accent)' },
  { tag: [tags.string, tags.content], color: 'var(--fg)' },
  { tag: [tags.comment, tags.lineComment], color: 'var(--fg-3)', fontStyle: 'italic' },
  { tag: [tags.keyword, tags.bool, tags.number, tags.meta], color: 'var(--fg-2)' },
]);

const CHOICES_MAX = 60;

const choice = (indent: string) => (option: Option): Completion => {
  const after = option.after === ':\n' ? `:\n${indent}  ` : option.after;
  return { label: option.text, detail: option.note, apply: option.text + after };
};

async function complete(context: CompletionContext, asks: Asks): Promise<CompletionResult | null> {
  const place = yamlAt(context.state.doc.toString(), context.pos);
  if (!place || (place.prefix === '' && !context.explicit && place.kind !== 'value')) return null;
  const line = context.state.doc.lineAt(context.pos);
  const indent = ' '.repeat(place.from - line.from);
  const low = place.prefix.toLowerCase();
  const fits = optionsAt(place, asks.known()).filter((option) => option.text.toLowerCase().includes(low)).slice(0, CHOICES_MAX);
  const options = fits.map(choice(indent));
  const field = fieldAt(place);
  if (field !== undefined && options.length === 0) {
    const stop = new AbortController();
    context.addEventListener('abort', () => stop.abort(), { onDocChange: true });
    const values = await asks.values(field, place.prefix, stop.signal).catch(() => []);
    options.push(...values.map(({ name, note }) => ({ label: name, detail: note, apply: plain(name) })));
  }
  return options.length === 0 ? null : { from: place.from, options, filter: false };
}

/** A value as YAML has to have it. */
const plain = (text: string) => (/^[A-Za-z_/][\w./@-]*$/.test(text) && !/^(?:true|false|null|yes|no|on|off)$/i.test(text) ? text : `'${text.replaceAll("'", "''")}'`);

/** Where a problem is: its word, or its line, or the first line. */
function marked(state: EditorState, problem: Problem): Diagnostic {
  const line = state.doc.line(Math.min(state.doc.lines, Math.max(1, problem.line)));
  const start = problem.column > 0 ? Math.min(line.to, line.from + problem.column - 1) : line.from + (line.text.length - line.text.trimStart().length);
  const word = /^[^\s:,\]}]+/.exec(line.text.slice(start - line.from))?.[0].length ?? 0;
  return { from: start, to: Math.min(line.to, start + (problem.column > 0 && word > 0 ? word : line.length)), severity: problem.level, message: problem.message };
}

/**
 * Typing over a selection: left to itself, the browser would keep the look of what was there as a
 * style attribute, which the content security policy refuses and reports.
 */
function typedOver(event: InputEvent, view: EditorView): boolean {
  const { from, to, empty } = view.state.selection.main;
  const text = event.data;
  if (empty || text === null || !event.cancelable || view.composing || !event.inputType.startsWith('insert')) return false;
  const insert = () => view.state.update(view.state.replaceSelection(text), { userEvent: 'input.type', scrollIntoView: true });
  if (!view.state.facet(EditorView.inputHandler).some((handle) => handle(view, from, to, text, insert))) view.dispatch(insert());
  event.preventDefault();
  return true;
}

/** Puts an editor into `host`. */
export function mount(host: HTMLElement, text: string, asks: Asks): Code {
  const root = host.shadowRoot ?? host.attachShadow({ mode: 'open' });
  // Keys of the screen must not hear what is typed; Escape that closes nothing leaves the editor.
  const keep = (event: KeyboardEvent) => {
    if (event.key === 'Escape' && completionStatus(view.state) === null && !event.defaultPrevented) view.contentDOM.blur();
    if (!event.ctrlKey && !event.metaKey) event.stopPropagation();
  };
  const state = EditorState.create({
    doc: text,
    extensions: [
      lineNumbers(), lintGutter(), history(), drawSelection(), highlightActiveLine(), highlightActiveLineGutter(),
      indentOnInput(), bracketMatching(), closeBrackets(), indentUnit.of('  '), yaml(), syntaxHighlighting(colours), look,
      autocompletion({ override: [(context) => complete(context, asks)], icons: false, interactionDelay: 0 }),
      keymap.of([...completionKeymap, ...historyKeymap, ...defaultKeymap]),
      EditorView.contentAttributes.of({ 'aria-label': asks.label, spellcheck: 'false', autocapitalize: 'off' }),
      EditorView.domEventHandlers({ beforeinput: typedOver }),
      EditorView.updateListener.of((update) => update.docChanged && asks.changed(update.state.doc.toString())),
    ],
  });
  const view = new EditorView({ state, parent: root, root });
  host.addEventListener('keydown', keep);
  return {
    setText: (next) => {
      if (next !== view.state.doc.toString()) view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: next } });
    },
    setProblems: (problems) => view.dispatch(setDiagnostics(view.state, problems.map((problem) => marked(view.state, problem)))),
    goTo: (number) => {
      const line = view.state.doc.line(Math.min(view.state.doc.lines, Math.max(1, number)));
      view.dispatch({ selection: { anchor: line.from }, effects: EditorView.scrollIntoView(line.from, { y: 'center' }) });
      view.focus();
    },
    focus: () => view.focus(),
    destroy: () => {
      host.removeEventListener('keydown', keep);
      view.destroy();
    },
  };
}
