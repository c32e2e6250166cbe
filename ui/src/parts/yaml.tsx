/** A text field for YAML: line numbers, and the lines with problems marked. Its text is plain text. */
import { useId, useRef, type KeyboardEvent } from 'react';
import type { Problem } from '../api/content';
import { w } from '../words/search';
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

export function YamlEditor({ label, text, set, problems }: Props) {
  const id = useId();
  const gutter = useRef<HTMLOListElement>(null);
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
    <div className="yaml">
      <label htmlFor={id} className="note">{label}</label>
      <div className="yaml-box mono">
        <ol ref={gutter} aria-hidden="true">
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
          aria-describedby={`${id}-problems`}
          aria-invalid={problems.some((problem) => problem.level === 'error')}
          onChange={set && ((event) => set(event.target.value))}
          onKeyDown={onKeyDown}
        />
      </div>
      <ul id={`${id}-problems`} className="problems" aria-live="polite">
        {problems.map((problem, at) => (
          <li key={at} className={problem.level}>
            <Icon name={problem.level === 'error' ? 'cross' : 'warn'} size={13} />
            {problem.line > 0 && <span className="note">{`${problem.line}:${problem.column}`}</span>}
            <Text text={problem.message} />
          </li>
        ))}
        {problems.length > 1 && <li className="note">{w.rule.problems(problems.length)}</li>}
      </ul>
    </div>
  );
}
