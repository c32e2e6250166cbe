/** What the list is made of, to narrow it down: severities, rules, addresses … with their numbers. */
import { FACETS, type Facet, type Facets as Counts } from '../../api/types';
import { allowing, nots, type AlertFilter } from '../../lib/filter';
import { big } from '../../lib/time';
import { Icon } from '../../parts/icons';
import { Text } from '../../parts/text';
import { w } from '../../words/alerts';

/** Facets of which several values can be asked for. */
const SEVERAL = ['severity', 'status', 'disposition'] as const;
/** Shown above the list already. */
const ELSEWHERE: readonly Facet[] = ['severity'];

const several = (name: Facet): name is (typeof SEVERAL)[number] => (SEVERAL as readonly string[]).includes(name);

interface Props {
  filter: AlertFilter;
  set: (patch: Partial<AlertFilter>) => void;
  counts: Counts | undefined;
}

const asked = (filter: AlertFilter, name: Facet, value: string) => {
  const now = filter[name];
  return Array.isArray(now) ? (now as string[]).includes(value) : now === value;
};

/** The filter with a value of a facet switched. Pure. */
export function switched(filter: AlertFilter, name: Facet, value: string): Partial<AlertFilter> {
  if (!several(name)) return { [name]: filter[name] === value ? '' : value };
  const now = filter[name] as string[];
  return { [name]: now.includes(value) ? now.filter((each) => each !== value) : [...now, value] };
}

export function FacetList({ filter, set, counts }: Props) {
  return (
    <nav className="facets" aria-label={w.facets}>
      {FACETS.filter((name) => !ELSEWHERE.includes(name)).map((name) => {
        const values = counts?.facets[name] ?? [];
        if (values.length === 0) return null;
        const most = Math.max(...values.map((one) => one.count));
        return (
          <details key={name} open>
            <summary>{w.facet[name]}</summary>
            <ul>
              {values.map(({ value, count }) => (
                <li key={value}>
                  <button type="button" aria-pressed={asked(filter, name, value)} onClick={() => set(switched(filter, name, value))}>
                    <span className={name === 'source' || name === 'user' || name === 'host' ? 'mono' : ''}>
                      <Text text={value === '-' ? w.without(name) : name === 'rule' ? (counts?.titles[value] ?? value) : w.word(name, value)} />
                    </span>
                    <span className="count">{big(count)}</span>
                    <i aria-hidden="true" style={{ inlineSize: `${(100 * count) / most}%` }} />
                  </button>
                </li>
              ))}
            </ul>
          </details>
        );
      })}
    </nav>
  );
}

/** What is asked for beyond text, severity and time, each to be dropped again. */
export function Chips({ filter, set, counts }: Props) {
  const single = (['rule', 'owner', 'tactic', 'source', 'user', 'host'] as const).filter((name) => filter[name] !== '');
  const drop = (name: string, shown: string, patch: Partial<AlertFilter>) => (
    <span key={name + shown} className="chip on">
      <Text text={w.chip(name, shown)} />
      <button type="button" aria-label={w.drop(name)} onClick={() => set(patch)}><Icon name="close" size={11} /></button>
    </span>
  );
  return (
    <>
      {single.map((name) => {
        const value = filter[name];
        const shown = value === '-' ? w.without(name) : name === 'rule' ? (counts?.titles[value] ?? value) : w.word(name, value);
        return drop(w.facet[name], shown, { [name]: '' });
      })}
      {nots(filter).map(([name, value]) => {
        const shown = value === '-' ? w.without(name) : name === 'rule' ? (counts?.titles[value] ?? value) : value;
        return drop(w.not(w.facet[name]), shown, allowing(filter, name, value));
      })}
      {filter.incident !== '' && drop(w.grouping.incident, filter.incident, { incident: '' })}
      {filter.exception !== '' && drop(w.exception, filter.exception, { exception: '' })}
      {(['status', 'disposition'] as const).flatMap((name) => filter[name].map((value) => drop(w.facet[name], w.word(name, value), switched(filter, name, value))))}
    </>
  );
}

