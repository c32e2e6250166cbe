/** Fields that events have, the most common first; one opened shows its top values. */
import { useMemo, useState } from 'react';
import { useFields, useValues, type Field, type Question } from '../../api/history';
import { clause, excluding, exists, including } from '../../lib/kql';
import type { SearchState } from '../../lib/search';
import { number, percent } from '../../lib/time';
import { Icon } from '../../parts/icons';
import { Failure, Skeleton } from '../../parts/panel';
import { Text } from '../../parts/text';
import { Value } from '../../parts/value';
import { w } from '../../words/search';

/** Fields listed at once; more are found by the filter. */
const FIELDS_SHOWN_MAX = 200;
const VALUES_SHOWN = 5;

/** Fields whose values are different in every event, or shown anyway. */
const UNCOUNTABLE = new Set(['@timestamp', 'event.original', 'message', 'event.id']);

interface Props {
  state: SearchState;
  set: (patch: Partial<SearchState>) => void;
  question: Question;
}

export function Sidebar({ state, set, question }: Props) {
  const query = useFields();
  const [asked, setAsked] = useState('');
  const fields = useMemo(() => {
    const word = asked.trim().toLowerCase();
    const fits = (query.data?.fields ?? []).filter((field) => field.name.toLowerCase().includes(word));
    return fits.toSorted((a, b) => b.events - a.events || (a.name < b.name ? -1 : 1)).slice(0, FIELDS_SHOWN_MAX);
  }, [query.data, asked]);
  return (
    <aside className="fieldlist" aria-label={w.fields.title}>
      <label className="search small">
        <Icon name="search" size={12} />
        <span className="hidden">{w.fields.filter}</span>
        <input type="search" value={asked} placeholder={w.fields.filter} spellCheck={false} autoComplete="off" onChange={(event) => setAsked(event.target.value)} />
      </label>
      {query.error && <Failure error={query.error} retry={query.refetch} />}
      {query.isPending && <Skeleton rows={10} />}
      {query.data && fields.length === 0 && <p className="quiet">{query.data.fields.length === 0 ? w.fields.none : w.fields.noneMatch}</p>}
      <ul className="scroll" tabIndex={0} aria-label={w.fields.title}>
        {fields.map((field) => (
          <Entry key={field.name} field={field} open={state.by === field.name} state={state} set={set} question={question} />
        ))}
      </ul>
    </aside>
  );
}

function Entry({ field, open, state, set, question }: Props & { field: Field; open: boolean }) {
  const shown = state.columns.includes(field.name);
  const columns = shown ? state.columns.filter((name) => name !== field.name) : [...state.columns, field.name];
  return (
    <li className={open ? 'open' : ''}>
      <div className="head">
        <button type="button" className="name" aria-expanded={open} title={w.fields.open(field.name)} onClick={() => set({ by: open ? '' : field.name })}>
          <span className="mono"><Text text={field.name} /></span>
          <span className="note" title={w.fields.share(percent(field.coverage))}>{percent(field.coverage)}</span>
          <i className="share" aria-hidden="true"><i style={{ inlineSize: `${Math.max(1, 100 * field.coverage)}%` }} /></i>
        </button>
        <button
          type="button"
          className="icon-button small"
          aria-pressed={shown}
          aria-label={shown ? w.fields.remove(field.name) : w.fields.add(field.name)}
          title={shown ? w.fields.remove(field.name) : w.fields.add(field.name)}
          onClick={() => set({ columns })}
        >
          <Icon name="columns" size={13} />
        </button>
      </div>
      {open && <TopValues field={field} state={state} set={set} question={question} />}
    </li>
  );
}

function TopValues({ field, state, set, question }: Props & { field: Field }) {
  const countable = !UNCOUNTABLE.has(field.name) && field.kind !== 'text';
  const asked = { field: field.name, q: question.q, from: question.from, to: question.to, limit: VALUES_SHOWN };
  const query = useValues(asked, countable);
  if (!countable) return <p className="quiet">{w.fields.uncountable}</p>;
  if (query.error) return <Failure error={query.error} retry={query.refetch} />;
  if (!query.data) return <Skeleton rows={3} />;
  const most = Math.max(1, ...query.data.values.map((value) => value.events));
  return (
    <div className="top-values" data-testid="top-values">
      {query.data.values.length === 0 && <p className="quiet">{w.fields.noValues}</p>}
      <ul aria-label={w.fields.values}>
        {query.data.values.map(({ value, events }) => {
          const text = String(value);
          const one = clause(field.name, text);
          return (
            <li key={text}>
              <span className="bar" aria-hidden="true"><i style={{ inlineSize: `${(100 * events) / most}%` }} /></span>
              <Value field={field.name} value={text} className="mono" />
              <span className="num">{number(events)}</span>
              <button type="button" className="icon-button small" aria-label={w.fields.include(text)} title={w.fields.include(text)} onClick={() => set({ q: including(state.q, one) })}><Icon name="plus" size={12} /></button>
              <button type="button" className="icon-button small" aria-label={w.fields.exclude(text)} title={w.fields.exclude(text)} onClick={() => set({ q: excluding(state.q, one) })}><Icon name="minus" size={12} /></button>
            </li>
          );
        })}
      </ul>
      {query.data.partial && <p className="note">{w.fields.partial}</p>}
      <button type="button" className="text-button" onClick={() => set({ q: including(state.q, exists(field.name)) })}>{w.fields.exists}</button>
    </div>
  );
}
