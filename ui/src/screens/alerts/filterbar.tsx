/** Text, severity and time: what the list shows. Every part of it is in the URL. */
import { useEffect, useState } from 'react';
import { SEVERITIES, type Facets, type Severity } from '../../api/types';
import { GROUPINGS, isFiltered, NO_FILTER, type AlertFilter } from '../../lib/filter';
import { big } from '../../lib/time';
import { Icon, SeverityMark } from '../../parts/icons';
import { TimeRangePicker } from '../../parts/timerange';
import { t } from '../../strings';
import { w } from '../../words/alerts';
import { Chips } from './facets';

export const SEARCH_ID = 'alert-search';

/** Typing rests this long before the list is asked for. */
const TYPING_MS = 250;

interface Props {
  filter: AlertFilter;
  set: (patch: Partial<AlertFilter>) => void;
}

interface BarProps extends Props {
  counts: Facets | undefined;
}

function SearchBox({ filter, set }: Props) {
  // What is being typed; null when the URL says it all.
  const [typed, setTyped] = useState<string | null>(null);
  useEffect(() => {
    if (typed === null) return undefined;
    const timer = setTimeout(() => {
      set({ q: typed });
      setTyped(null);
    }, TYPING_MS);
    return () => clearTimeout(timer);
  }, [typed, set]);
  return (
    <label className="search">
      <Icon name="search" size={14} />
      <span className="hidden">{t.alerts.search}</span>
      <input
        id={SEARCH_ID}
        type="search"
        value={typed ?? filter.q}
        placeholder={t.alerts.placeholder}
        spellCheck={false}
        autoComplete="off"
        maxLength={500}
        onChange={(event) => setTyped(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === 'Escape') event.currentTarget.blur();
        }}
      />
      <kbd aria-hidden="true">{'/'}</kbd>
    </label>
  );
}

function Severities({ filter, set, counts }: BarProps) {
  const count = (severity: Severity) => counts?.facets.severity.find((one) => one.value === severity)?.count ?? 0;
  const toggle = (severity: Severity) =>
    set({
      severity: filter.severity.includes(severity)
        ? filter.severity.filter((each) => each !== severity)
        : SEVERITIES.filter((each) => each === severity || filter.severity.includes(each)),
    });
  return (
    <fieldset className="chips">
      <legend className="hidden">{t.alerts.severity}</legend>
      {SEVERITIES.map((severity) => (
        <label key={severity} className="chip">
          <input type="checkbox" checked={filter.severity.includes(severity)} onChange={() => toggle(severity)} />
          <SeverityMark severity={severity} size={11} />
          <span>{t.severity[severity]}</span>
          <span className="count">{counts ? big(count(severity)) : ''}</span>
        </label>
      ))}
    </fieldset>
  );
}

/** By what the list is grouped. */
function GroupChoice({ filter, set }: Props) {
  return (
    <label className="grouping">
      <span>{w.groupBy}</span>
      <select value={filter.by} onChange={(event) => set({ by: event.target.value as AlertFilter['by'] })}>
        {(['', ...GROUPINGS] as const).map((by) => <option key={by} value={by}>{w.grouping[by]}</option>)}
      </select>
    </label>
  );
}

export function FilterBar({ filter, set, counts }: BarProps) {
  return (
    <div className="filterbar" role="search">
      <SearchBox filter={filter} set={set} />
      <TimeRangePicker range={filter} set={set} />
      <GroupChoice filter={filter} set={set} />
      <Severities filter={filter} set={set} counts={counts} />
      <Chips filter={filter} set={set} counts={counts} />
      {isFiltered(filter) && (
        <button type="button" className="text-button" onClick={() => set({ ...NO_FILTER, by: filter.by })}>{t.alerts.clear}</button>
      )}
    </div>
  );
}
