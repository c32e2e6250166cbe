/** The query: a growing text field with completion, and the wrong part underlined where it is. */
import { useEffect, useId, useLayoutEffect, useMemo, useRef, useState, type KeyboardEvent } from 'react';
import { fieldValues, useFields, type Field } from '../../api/history';
import type { ApiError } from '../../api/client';
import { complete, completionAt, type Completion } from '../../lib/kql';
import { byteToIndex } from '../../lib/text';
import { percent } from '../../lib/time';
import { Icon } from '../../parts/icons';
import { Text } from '../../parts/text';
import { w } from '../../words/search';

export const QUERY_ID = 'query';

/** Completions shown at once. */
const SHOWN_MAX = 12;
/** Typing rests this long before values are asked for. */
const TYPING_MS = 120;
const QUERY_CHARS_MAX = 8000;
const JOINS = ['and', 'or', 'and not'];

interface Choice {
  text: string;
  note: string;
}

/** Fields that fit what is typed: those that start with it first, then those that hold it. */
function fieldChoices(fields: readonly Field[], prefix: string): Choice[] {
  const asked = prefix.toLowerCase();
  const fits = fields.filter((field) => field.name.toLowerCase().includes(asked));
  const starts = (field: Field) => (field.name.toLowerCase().startsWith(asked) ? 0 : 1);
  return fits
    .toSorted((a, b) => starts(a) - starts(b) || b.events - a.events || (a.name < b.name ? -1 : 1))
    .slice(0, SHOWN_MAX)
    .map((field) => ({ text: field.name, note: percent(field.coverage) }));
}

/** What can be chosen for a completion; values are asked for, the rest is known. */
function useChoices(at: Completion | undefined, last: string): Choice[] {
  const { data } = useFields();
  const [values, setValues] = useState<{ key: string; choices: Choice[] }>({ key: '', choices: [] });
  const key = at?.kind === 'value' ? `${at.field}\n${at.prefix}` : '';
  useEffect(() => {
    if (key === '') return undefined;
    const [field = '', prefix = ''] = key.split('\n');
    const stop = new AbortController();
    const timer = setTimeout(() => {
      fieldValues({ field, prefix, last, limit: SHOWN_MAX }, stop.signal)
        .then(({ values: found }) => setValues({ key, choices: found.map(({ value, events }) => ({ text: String(value), note: w.events(events) })) }))
        .catch(() => setValues({ key, choices: [] }));
    }, TYPING_MS);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [key, last]);
  return useMemo(() => {
    if (!at) return [];
    if (at.kind === 'field') return fieldChoices(data?.fields ?? [], at.prefix);
    if (at.kind === 'join') return JOINS.filter((word) => word.startsWith(at.prefix.toLowerCase())).map((text) => ({ text, note: '' }));
    return values.key === key ? values.choices : [];
  }, [at, data, key, values]);
}

interface Props {
  q: string;
  /** Range to complete values from. */
  last: string;
  run: (q: string) => void;
  error: ApiError | undefined;
}

/** What is typed, what could follow, and which of it is chosen. */
function useTyping({ q, last, run }: Omit<Props, 'error'>) {
  const [text, setText] = useState(q);
  const [base, setBase] = useState(q);
  const [caret, setCaret] = useState<number | null>(null);
  const [chosen, setChosen] = useState(-1);
  const area = useRef<HTMLTextAreaElement>(null);
  /** Where the caret goes with the text that is set. */
  const moveTo = useRef<number | null>(null);
  if (base !== q) {
    setBase(q);
    setText(q);
  }
  const at = useMemo(() => (caret === null ? undefined : completionAt(text, caret)), [text, caret]);
  const choices = useChoices(at, last);
  const open = at !== undefined && choices.length > 0;
  const type = (next: string, place: number | null) => {
    setText(next);
    setCaret(place);
    setChosen(-1);
  };
  const take = (choice: Choice) => {
    if (!at) return;
    const done = complete(text, at, choice.text);
    type(done.text, done.caret);
    moveTo.current = done.caret;
  };
  // With the text, before the next key: a frame later it would go back behind what was typed since.
  useLayoutEffect(() => {
    if (moveTo.current !== null) area.current?.setSelectionRange(moveTo.current, moveTo.current);
    moveTo.current = null;
  });
  const onKeyDown = (event: KeyboardEvent) => {
    const choice = choices[chosen];
    if (open && event.key === 'ArrowDown') setChosen((chosen + 1) % choices.length);
    else if (open && event.key === 'ArrowUp') setChosen((chosen <= 0 ? choices.length : chosen) - 1);
    else if (open && choice && (event.key === 'Enter' || event.key === 'Tab')) take(choice);
    else if (open && event.key === 'Escape') setCaret(null);
    else if (event.key === 'Escape') area.current?.blur();
    else if (event.key === 'Enter' && !event.shiftKey) {
      type(text, null);
      run(text.trim());
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const follow = () => type(text, area.current?.selectionStart ?? null);
  return { area, text, type, open, choices, chosen, take, onKeyDown, follow, leave: () => setCaret(null) };
}

const MOVES = new Set(['ArrowLeft', 'ArrowRight', 'Home', 'End']);

export function QueryBox({ error, ...asked }: Props) {
  const { q } = asked;
  const { area, text, type, open, choices, chosen, take, onKeyDown, follow, leave } = useTyping(asked);
  const list = useId();
  const wrong = useId();
  return (
    <div className="query" onBlur={(event) => !event.currentTarget.contains(event.relatedTarget) && leave()}>
      <Icon name="search" size={14} />
      <div className="query-text mono">
        <Mirror text={text} asked={q} error={error} />
        <textarea
          ref={area}
          id={QUERY_ID}
          rows={1}
          value={text}
          aria-label={w.box}
          aria-autocomplete="list"
          aria-controls={list}
          aria-activedescendant={open && chosen >= 0 ? `${list}-${chosen}` : undefined}
          aria-invalid={error !== undefined}
          aria-describedby={error ? wrong : undefined}
          placeholder={w.placeholder}
          title={w.hint}
          spellCheck={false}
          autoComplete="off"
          autoCapitalize="off"
          maxLength={QUERY_CHARS_MAX}
          onChange={(event) => type(event.target.value, event.target.selectionStart)}
          onClick={follow}
          onKeyUp={(event) => MOVES.has(event.key) && follow()}
          onKeyDown={onKeyDown}
        />
      </div>
      <Choices id={list} open={open} choices={choices} chosen={chosen} take={take} />
      {error && <p id={wrong} className="query-error" role="alert">{error.place && text.trim() === q ? w.wrongAt(byteToIndex(q, error.place.start) + 1) : ''}<Text text={error.message} /></p>}
    </div>
  );
}

/** The text again, unseen but for the line under what is wrong; it also gives the field its height. */
function Mirror({ text, asked, error }: { text: string; asked: string; error: ApiError | undefined }) {
  const place = error?.place;
  if (!place || text.trim() !== asked) return <div className="mirror" aria-hidden="true">{`${text}\u200b`}</div>;
  const shift = text.length - text.trimStart().length;
  const start = shift + byteToIndex(asked, place.start);
  const end = Math.max(start + 1, shift + byteToIndex(asked, place.end));
  return (
    <div className="mirror" aria-hidden="true" data-testid="query-wrong">
      {text.slice(0, start)}
      <u>{text.slice(start, end) || '\u00a0'}</u>
      {`${text.slice(end)}\u200b`}
    </div>
  );
}

interface ChoicesProps {
  id: string;
  open: boolean;
  choices: readonly Choice[];
  chosen: number;
  take: (choice: Choice) => void;
}

function Choices({ id, open, choices, chosen, take }: ChoicesProps) {
  return (
    <div id={id} role="listbox" aria-label={w.completions} className="menu completions" hidden={!open}>
      {open && choices.map((choice, at) => (
        // The text field has the focus and the keys.
        // oxlint-disable-next-line jsx-a11y/click-events-have-key-events
        <div
          key={choice.text}
          id={`${id}-${at}`}
          role="option"
          tabIndex={-1}
          aria-selected={at === chosen}
          onMouseDown={(event) => event.preventDefault()}
          onClick={() => take(choice)}
        >
          <span className="mono"><Text text={choice.text} /></span>
          <span className="note">{choice.note}</span>
        </div>
      ))}
    </div>
  );
}
