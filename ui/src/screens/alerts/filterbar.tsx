/** Text, severity and time: what the list shows. Every part of it is in the URL. */
import { useEffect, useState } from 'react';
import { useSeverityCounts } from '../../api/queries';
import { RANGES, SEVERITIES, type Range, type Severity } from '../../api/types';
import { isFiltered, NO_FILTER, type AlertFilter } from '../../lib/filter';
import { usePrefs } from '../../lib/prefs';
import { big, fullTime, millis } from '../../lib/time';
import { Icon, SeverityMark } from '../../parts/icons';
import { Text } from '../../parts/text';
import { t } from '../../strings';

export const SEARCH_ID = 'alert-search';

/** Typing rests this long before the list is asked for. */
const TYPING_MS = 250;

interface Props {
  filter: AlertFilter;
  set: (patch: Partial<AlertFilter>) => void;
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

function Severities({ filter, set }: Props) {
  const counts = useSeverityCounts(filter);
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
          <span className="count">{counts.data ? big(counts.data[severity]) : ''}</span>
        </label>
      ))}
    </fieldset>
  );
}

function TimeChoice({ filter, set }: Props) {
  const { zone } = usePrefs();
  if (filter.from !== '' || filter.to !== '') {
    const name = (text: string) => (text === '' ? '…' : fullTime(millis(text), zone));
    return (
      <span className="chip on">
        {t.alerts.between(name(filter.from), name(filter.to))}
        <button type="button" aria-label={t.alerts.clearRange} onClick={() => set({ from: '', to: '' })}>
          <Icon name="close" size={11} />
        </button>
      </span>
    );
  }
  return (
    <label>
      <span className="hidden">{t.alerts.range}</span>
      <select value={filter.last} onChange={(event) => set({ last: event.target.value as Range | '' })}>
        <option value="">{t.alerts.allTime}</option>
        {RANGES.map((range) => <option key={range} value={range}>{t.range[range]}</option>)}
      </select>
    </label>
  );
}

/** The rule asked for; by its title when some alert in sight says it. */
function RuleChoice({ filter, set, title }: Props & { title: string | undefined }) {
  if (filter.rule === '') return null;
  return (
    <span className="chip on">
      <Text text={t.alerts.rule(title ?? filter.rule)} />
      <button type="button" aria-label={t.alerts.clearRule} onClick={() => set({ rule: '' })}>
        <Icon name="close" size={11} />
      </button>
    </span>
  );
}

export function FilterBar({ filter, set, ruleTitle }: Props & { ruleTitle: string | undefined }) {
  return (
    <div className="filterbar" role="search">
      <SearchBox filter={filter} set={set} />
      <TimeChoice filter={filter} set={set} />
      <RuleChoice filter={filter} set={set} title={ruleTitle} />
      <Severities filter={filter} set={set} />
      {isFiltered(filter) && (
        <button type="button" className="text-button" onClick={() => set(NO_FILTER)}>{t.alerts.clear}</button>
      )}
    </div>
  );
}
