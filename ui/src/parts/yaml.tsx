/**
 * A field for YAML with the problems of its text. To read, it is plain text with line numbers; to
 * edit, an editor with completion is fetched, and the plain field serves until it is there.
 */
import { useEffect, useId, useRef, useState, type KeyboardEvent } from 'react';
import { useNamedRules, type Problem } from '../api/content';
import { fieldValues, useFields } from '../api/history';
import { useNamedSources } from '../api/sources';
import type { Known } from '../lib/ruleschema';
import { percent } from '../lib/time';
import { w as r } from '../words/rule';
import { w } from '../words/search';
import type { Code } from './code';
import { Icon } from './icons';
import { Text } from './text';

interface Props {
  label: string;
  text: string;
  set?: (text: string) => void;
  problems: readonly Problem[];
}

const LINES_MIN = 12;
const INDENT = '  ';
const VALUES_MAX = 20;

/** Names that can be completed. */
function useKnown(): Known {
  const fields = useFields().data?.fields ?? [];
  const rules = useNamedRules() ?? [];
  const sources = useNamedSources() ?? [];
  return {
    fields: fields.toSorted((a, b) => b.events - a.events).map((field) => ({ name: field.name, note: percent(field.coverage) })),
    rules: rules.map((rule) => ({ name: rule.name ?? rule.id, note: rule.title })),
    sources: sources.map((source) => ({ name: source.name, note: source.about })),
  };
}

const values = (field: string, prefix: string, signal: AbortSignal) =>
  fieldValues({ field, prefix: prefix.replace(/^['"]/, ''), limit: VALUES_MAX }, signal)
    .then((found) => found.values.map((each) => ({ name: String(each.value), note: w.events(each.events) })));

/** The editor, once it is there; it starts with `text`. */
function Editing({ label, text, set, problems, goTo }: Required<Props> & { goTo: { line: number } | undefined }) {
  const host = useRef<HTMLDivElement>(null);
  const [code, setCode] = useState<Code>();
  const known = useKnown();
  const now = useRef({ text, set, known });
  useEffect(() => {
    now.current = { text, set, known };
  });
  useEffect(() => {
    let made: Code | undefined;
    let gone = false;
    void import('./code').then(({ mount }) => {
      if (gone || !host.current) return;
      made = mount(host.current, now.current.text, { label, changed: (next) => now.current.set(next), known: () => now.current.known, values });
      setCode(made);
    }, () => undefined);
    return () => {
      gone = true;
      made?.destroy();
    };
  }, [label]);
  useEffect(() => code?.setText(text), [code, text]);
  useEffect(() => code?.setProblems(problems), [code, problems]);
  useEffect(() => {
    if (goTo) code?.goTo(goTo.line);
  }, [code, goTo]);
  return (
    <>
      <div ref={host} className="code" data-testid="editor" data-ready={code !== undefined} hidden={!code} />
      {!code && <Plain label={label} text={text} set={set} problems={problems} />}
    </>
  );
}

function Plain({ label, text, set, problems }: Props) {
  const id = useId();
  const lines = Math.max(LINES_MIN, text.split('\n').length);
  const wrong = new Map(problems.map((problem) => [problem.line, problem]));
  const onKeyDown = (event: KeyboardEvent<HTMLTextAreaElement>) => {
    // Tab leaves the field, as people without a mouse need it; Ctrl+] indents.
    if (!set || event.key !== ']' || !event.ctrlKey) return;
    const area = event.currentTarget;
    const at = area.selectionStart;
    set(`${text.slice(0, at)}${INDENT}${text.slice(area.selectionEnd)}`);
    requestAnimationFrame(() => area.setSelectionRange(at + INDENT.length, at + INDENT.length));
    event.preventDefault();
  };
  return (
    <>
      <label htmlFor={id} className="hidden">{label}</label>
      <div className="yaml-box mono">
        <ol aria-hidden="true">
          {Array.from({ length: lines }, (_, at) => <li key={at} className={wrong.has(at + 1) ? `${wrong.get(at + 1)?.level}` : ''}>{at + 1}</li>)}
        </ol>
        <textarea
          id={id}
          rows={lines}
          value={text}
          readOnly={!set}
          spellCheck={false}
          autoComplete="off"
          autoCapitalize="off"
          wrap="off"
          aria-invalid={problems.some((problem) => problem.level === 'error')}
          onChange={set && ((event) => set(event.target.value))}
          onKeyDown={onKeyDown}
        />
      </div>
    </>
  );
}

export function YamlEditor({ label, text, set, problems }: Props) {
  const [goTo, setGoTo] = useState<{ line: number }>();
  return (
    <div className="yaml">
      <p className="note" aria-hidden="true">{label}</p>
      {set ? <Editing label={label} text={text} set={set} problems={problems} goTo={goTo} /> : <Plain label={label} text={text} problems={problems} />}
      <ul className="problems" aria-live="polite">
        {problems.map((problem, at) => (
          <li key={at} className={problem.level}>
            <Icon name={problem.level === 'error' ? 'cross' : 'warn'} size={13} />
            {problem.line > 0 && (set
              ? <button type="button" className="text-button" onClick={() => setGoTo({ line: problem.line })}>{`${problem.line}:${problem.column}`}</button>
              : <span className="note">{`${problem.line}:${problem.column}`}</span>)}
            <Text text={problem.message} />
          </li>
        ))}
        {problems.length > 1 && <li className="note">{r.rule.problems(problems.length)}</li>}
      </ul>
    </div>
  );
}
