/** Rules: the catalogue or the ATT&CK matrix, with the chosen rule beside it. */
import { useEffect, useMemo, useState } from 'react';
import { useLocation, useSearch } from 'wouter';
import { useForesight, useRules, type Foresight, type Rule } from '../../api/content';
import { useNoise } from '../../api/why';
import { useKeys } from '../../lib/keys';
import { Icon } from '../../parts/icons';
import { Failure, Guard, Skeleton } from '../../parts/panel';
import { Text } from '../../parts/text';
import { t } from '../../strings';
import { w } from '../../words/rules';
import '../../styles/rules.css';
import { RuleDetail } from './detail';
import { List } from './list';
import { isSort, ordered, type Figures, type Sort } from './order';
import { Matrix } from './matrix';
import '../../styles/alerts.css';

type State = keyof typeof w.states;

interface Filter {
  q: string;
  pack: string;
  state: State;
  view: 'list' | 'matrix';
  sort: Sort;
}

const FILTER_ID = 'rule-filter';

/** The filter in the URL. */
function useFilter(id: string | undefined): [Filter, (patch: Partial<Filter>) => void, string] {
  const search = useSearch();
  const [, navigate] = useLocation();
  const filter = useMemo((): Filter => {
    const query = new URLSearchParams(search);
    const state = query.get('state') ?? '';
    return {
      q: query.get('q') ?? '',
      pack: query.get('pack') ?? '',
      state: state in w.states ? (state as State) : '',
      view: query.get('view') === 'matrix' ? 'matrix' : 'list',
      sort: isSort(query.get('sort')),
    };
  }, [search]);
  const print = (next: Filter) => {
    const query = new URLSearchParams();
    if (next.q) query.set('q', next.q);
    if (next.pack) query.set('pack', next.pack);
    if (next.state) query.set('state', next.state);
    if (next.view === 'matrix') query.set('view', 'matrix');
    if (next.sort !== 'fired') query.set('sort', next.sort);
    return query.size > 0 ? `?${query}` : '';
  };
  const path = id === undefined ? '/rules' : `/rules/${encodeURIComponent(id)}`;
  return [filter, (patch) => navigate(`${path}${print({ ...filter, ...patch })}`, { replace: 'q' in patch }), print(filter)];
}

function inState(rule: Rule, state: State): boolean {
  if (state === 'fired') return rule.fired > 0;
  if (state === 'quiet') return rule.fired === 0 && rule.source_seen && rule.enabled;
  if (state === 'blind') return !rule.source_seen;
  if (state === 'off') return !rule.enabled;
  return state === 'own' ? rule.own : true;
}

function chosen(rules: readonly Rule[], filter: Filter): Rule[] {
  const word = filter.q.trim().toLowerCase();
  return rules
    .filter((rule) => inState(rule, filter.state) && (filter.pack === '' || rule.pack === filter.pack))
    .filter((rule) => `${rule.title} ${rule.name ?? ''} ${rule.id} ${rule.pack} ${rule.techniques.join(' ')} ${rule.tactics.join(' ')} ${rule.log_source}`.toLowerCase().includes(word));
}

const NONE: Rule[] = [];

/** How often rules that are off would have fired, or how far that is. */
function Foreseen({ foresight }: { foresight: Foresight | undefined }) {
  if (!foresight || foresight.off === 0) return null;
  if (foresight.error !== null) return <p className="note warn" role="status"><Icon name="warn" size={13} /><Text text={w.foresight.failed(foresight.error)} /></p>;
  if (foresight.state === 'done') return null;
  return (
    <p className="progress" role="status">
      <progress max={Math.max(1, foresight.events_total)} value={foresight.events_done} aria-label={w.foresight.label} />
      <span className="note">{w.foresight.running(foresight.events_done, foresight.events_total)}</span>
    </p>
  );
}

export function Rules({ id }: { id: string | undefined }) {
  const [filter, set, search] = useFilter(id);
  const [, navigate] = useLocation();
  const query = useRules();
  const all = query.data?.rules ?? NONE;
  const foresight = useForesight(all.some((rule) => !rule.enabled)).data;
  const told = useNoise().data;
  const figures = useMemo((): Figures => ({
    noise: new Map(told?.rules.map((rule) => [rule.rule_id, rule.score])),
    foreseen: new Map(foresight?.rules.map((rule) => [rule.rule_id, rule])),
  }), [told, foresight]);
  const rules = useMemo(() => ordered(chosen(all, filter), filter.sort, figures), [all, filter, figures]);
  const [cursor, setCursor] = useState<string>();
  useEffect(() => {
    if (id === undefined) document.title = t.title(w.title);
  }, [id]);
  const at = rules.findIndex((rule) => rule.id === (id ?? cursor));
  const open = (next: string) => {
    setCursor(next);
    navigate(`/rules/${encodeURIComponent(next)}${search}`, { replace: id !== undefined });
  };
  const step = (by: number) => {
    const next = rules[at < 0 ? 0 : Math.min(rules.length - 1, Math.max(0, at + by))]?.id;
    if (next === undefined) return;
    setCursor(next);
    if (id !== undefined) open(next);
    document.getElementById(`rule-${next}`)?.scrollIntoView({ block: 'nearest' });
  };
  const close = () => navigate(`/rules${search}`);
  const enter = () => {
    const next = rules[Math.max(0, at)]?.id;
    if (next !== undefined) open(next);
  };
  useKeys({
    j: () => step(1),
    k: () => step(-1),
    Enter: enter,
    o: enter,
    Escape: () => (id === undefined ? set({ q: '', pack: '', state: '' }) : close()),
    '/': () => document.getElementById(FILTER_ID)?.focus(),
  });
  return (
    <div className={id === undefined ? 'rules-screen' : 'rules-screen split'}>
      <h1 className="hidden">{w.title}</h1>
      <section className="catalogue" aria-label={w.title}>
        <header className="screen-head"><p className="title" aria-hidden="true">{w.title}</p><Views filter={filter} set={set} /></header>
        <FilterBar filter={filter} set={set} all={all} shown={rules.length} />
        {query.error && <Failure still={query.data !== undefined} error={query.error} retry={query.refetch} />}
        {query.data && <Problems problems={query.data.problems} />}
        <Foreseen foresight={foresight} />
        {query.isPending && <Skeleton rows={14} />}
        {query.data && all.length === 0 && <div className="state doubt"><Icon name="warn" size={28} /><h2>{w.none}</h2><p>{w.noneText}</p></div>}
        {all.length > 0 && rules.length === 0 && (
          <div className="state filtered"><Icon name="search" size={28} /><h2>{w.filtered}</h2><button type="button" className="button" onClick={() => set({ q: '', pack: '', state: '' })}>{w.clear}</button></div>
        )}
        {rules.length > 0 && (filter.view === 'matrix' ? <Matrix rules={rules} search={search} /> : <List rules={rules} cursor={id ?? cursor} open={id} search={search} sort={filter.sort} by={(sort) => set({ sort })} figures={figures} />)}
      </section>
      {id !== undefined && <Guard key={id}><RuleDetail id={id} close={close} /></Guard>}
    </div>
  );
}

function Views({ filter, set }: { filter: Filter; set: (patch: Partial<Filter>) => void }) {
  return (
    <div className="segments" role="radiogroup" aria-label={w.view}>
      {(['list', 'matrix'] as const).map((view) => (
        <label key={view}>
          <input type="radio" name="rules-view" checked={filter.view === view} onChange={() => set({ view })} />
          <span>{w[view]}</span>
        </label>
      ))}
    </div>
  );
}

interface BarProps {
  filter: Filter;
  set: (patch: Partial<Filter>) => void;
  all: readonly Rule[];
  shown: number;
}

function FilterBar({ filter, set, all, shown }: BarProps) {
  const packs = [...new Set(all.map((rule) => rule.pack))].filter((pack) => pack !== '').toSorted();
  return (
    <div className="filterbar" role="search">
      <label className="search">
        <Icon name="search" size={14} />
        <span className="hidden">{w.search}</span>
        <input id={FILTER_ID} type="search" value={filter.q} placeholder={w.placeholder} spellCheck={false} autoComplete="off" onChange={(event) => set({ q: event.target.value })} onKeyDown={(event) => event.key === 'Escape' && event.currentTarget.blur()} />
        <kbd aria-hidden="true">{'/'}</kbd>
      </label>
      <label><span className="hidden">{w.pack}</span>
        <select value={filter.pack} onChange={(event) => set({ pack: event.target.value })}>
          <option value="">{w.anyPack}</option>
          {packs.map((pack) => <option key={pack} value={pack}>{pack}</option>)}
        </select>
      </label>
      <label><span className="hidden">{w.state}</span>
        <select value={filter.state} onChange={(event) => set({ state: event.target.value as State })}>
          {(Object.keys(w.states) as State[]).map((state) => <option key={state} value={state}>{w.states[state]}</option>)}
        </select>
      </label>
      <span className="note" role="status" data-testid="rules-total">{w.loaded(shown, all.length)}</span>
    </div>
  );
}

function Problems({ problems }: { problems: readonly string[] }) {
  if (problems.length === 0) return null;
  return (
    <details className="content-problems">
      <summary><Icon name="warn" size={13} />{w.problems(problems.length)}</summary>
      <ul className="mono">{problems.map((problem, at) => <li key={at}><Text text={problem} /></li>)}</ul>
    </details>
  );
}
