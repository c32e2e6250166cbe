/** Entities: what history knows of an address, a user or a host. */
import { useEffect, useMemo, useState } from 'react';
import { useQuery } from '@tanstack/react-query';
import { Link, useLocation, useSearch } from 'wouter';
import { isHeld, useBans } from '../../api/bans';
import { search, type Question } from '../../api/history';
import { useRelated } from '../../api/queries';
import { timeOf } from '../../lib/event';
import { printFilter } from '../../lib/filter';
import { clause } from '../../lib/kql';
import { nowMs } from '../../lib/now';
import { ALL_TIME, resolved, type TimeRange } from '../../lib/range';
import { searchPath } from '../../lib/search';
import { number } from '../../lib/time';
import { Block, heldOf, type Whom } from '../../parts/ban';
import { Icon, SeverityMark } from '../../parts/icons';
import { Failure, Panel, Skeleton } from '../../parts/panel';
import { Text } from '../../parts/text';
import { TimeRangePicker } from '../../parts/timerange';
import { Ago, Clock, FullTime } from '../../parts/time';
import { Value } from '../../parts/value';
import { t } from '../../strings';
import { w } from '../../words/entities';
import { Histogram } from '../search/histogram';
import { KnownOf } from './known';
import { AtRisk, RiskOf } from './risk';
import '../../styles/search.css';
import '../../styles/entities.css';
import '../../styles/alerts.css';

const KINDS = ['address', 'user', 'host'] as const;
type Kind = (typeof KINDS)[number];

/** Fields that name an entity; the first is the one to list by. */
const FIELDS: Record<Kind, readonly string[]> = {
  address: ['source.ip', 'destination.ip'],
  user: ['user.name', 'user.target.name'],
  host: ['host.name'],
};

/** Where the address names no range. */
const LAST = '7d';
const LISTED = 12;
const PEERS = 6;
const ALERTS = 8;

/** The range in the address, and the way to another. */
function useRange(): [TimeRange, (range: TimeRange) => void] {
  const [path, navigate] = useLocation();
  const text = useSearch();
  const range = useMemo((): TimeRange => {
    const asked = new URLSearchParams(text);
    const [last, from, to] = ['last', 'from', 'to'].map((key) => asked.get(key) ?? '') as [string, string, string];
    if (last === 'all') return ALL_TIME;
    return last === '' && from === '' && to === '' ? { last: LAST, from: '', to: '' } : { last, from, to };
  }, [text]);
  const set = (next: TimeRange) => {
    const pairs = Object.entries(next).filter(([, value]) => value !== '');
    navigate(`${path}?${new URLSearchParams(pairs.length === 0 ? { last: 'all' } : Object.fromEntries(pairs)).toString()}`);
  };
  return [range, set];
}

/** What a search is asked for the range. */
const within = ({ last, from, to }: TimeRange) => ({ ...(last !== '' && { last }), ...(from !== '' && { from }), ...(to !== '' && { to }) });

const queryOf = (kind: Kind, value: string) => FIELDS[kind].map((field) => clause(field, value)).join(' or ');

export function Entities({ kind, value }: { kind: string | undefined; value: string | undefined }) {
  const known = KINDS.find((each) => each === kind);
  return known && value !== undefined ? <Entity key={`${known} ${value}`} kind={known} value={value} /> : <Start />;
}

function Start() {
  const [, navigate] = useLocation();
  const [range, setRange] = useRange();
  const [kind, setKind] = useState<Kind>('address');
  const [value, setValue] = useState('');
  useEffect(() => {
    document.title = t.title(w.title);
  }, []);
  return (
    <div className="entities-screen">
      <header className="screen-head"><h1>{w.title}</h1><TimeRangePicker range={range} set={setRange} /></header>
      <form
        className="line"
        aria-label={w.open}
        onSubmit={(event) => {
          event.preventDefault();
          if (value.trim() !== '') navigate(`/entities/${kind}/${encodeURIComponent(value.trim())}`);
        }}
      >
        <select aria-label={w.kind} value={kind} onChange={(event) => setKind(event.target.value as Kind)}>
          {KINDS.map((each) => <option key={each} value={each}>{w.kinds[each]}</option>)}
        </select>
        <input className="field-input" type="text" aria-label={w.value} placeholder={w.value} value={value} spellCheck={false} autoComplete="off" onChange={(event) => setValue(event.target.value)} />
        <button type="submit" className="button">{w.go}</button>
      </form>
      <AtRisk />
      <div className="entity-lists">{KINDS.map((each) => <Top key={each} kind={each} range={range} />)}</div>
    </div>
  );
}

interface Counted {
  key: string | number;
  doc_count: number;
}

const terms = (field: string, size: number) => ({ terms: { field, size } });

function Top({ kind, range }: { kind: Kind; range: TimeRange }) {
  const field = FIELDS[kind][0] ?? '';
  const query = useQuery({
    queryKey: ['entities', kind, range],
    queryFn: ({ signal }) => search({ ...within(range), limit: 0, aggs: { top: terms(field, LISTED) } }, signal),
    refetchInterval: 30_000,
  });
  const rows = query.data?.aggregations['top']?.buckets ?? [];
  return (
    <Panel title={w.lists[kind]} className="entity-top" asked={query} skeletonRows={8} tools={<span className="note">{w.most}</span>}>
      {query.data && rows.length === 0 && <p className="quiet">{w.none}</p>}
      <Counts rows={rows} link={(value) => `/entities/${kind}/${encodeURIComponent(value)}`} />
    </Panel>
  );
}

function Counts({ rows, link, field }: { rows: readonly Counted[]; link?: (value: string) => string; field?: string }) {
  const most = Math.max(1, ...rows.map((row) => row.doc_count));
  return (
    <ul className="counts">
      {rows.map((row) => {
        const value = String(row.key);
        return (
          <li key={value}>
            <span className="bar" aria-hidden="true"><i style={{ inlineSize: `${(100 * row.doc_count) / most}%` }} /></span>
            {link && <Link className="mono" href={link(value)}><Text text={value} /></Link>}
            {field !== undefined && <Value field={field} value={value} className="mono" />}
            <span className="num">{number(row.doc_count)}</span>
          </li>
        );
      })}
    </ul>
  );
}

/** When it was seen, how often with which outcome, and with what. */
function useEntity(kind: Kind, value: string, range: TimeRange) {
  const q = queryOf(kind, value);
  return useQuery({
    queryKey: ['entity', kind, value, range],
    queryFn: async ({ signal }) => {
      const own = new Set(FIELDS[kind]);
      const fields = Object.keys(w.fields).filter((field) => kind === 'address' || !own.has(field));
      const aggs = Object.fromEntries([...fields, 'event.outcome'].map((field) => [field, terms(field, PEERS + 1)]));
      const [oldest, newest, ranged] = await Promise.all([
        search({ q, limit: 1, order: 'asc', fields: ['@timestamp'] }, signal),
        search({ q, limit: 1, fields: ['@timestamp'] }, signal),
        search({ q, ...within(range), limit: 0, aggs }, signal),
      ]);
      const at = (found: typeof oldest) => timeOf(found.events[0] ?? {});
      return { first: at(oldest), last: at(newest), total: ranged.total, aggs: ranged.aggregations, fields };
    },
    refetchInterval: 20_000,
  });
}

function Entity({ kind, value }: { kind: Kind; value: string }) {
  const [range, setRange] = useRange();
  const query = useEntity(kind, value, range);
  const [, navigate] = useLocation();
  const q = queryOf(kind, value);
  const question = useMemo((): Question => {
    const run = nowMs();
    return { q, ...resolved(range, run), order: 'desc', run, round: 0 };
  }, [q, range]);
  useEffect(() => {
    document.title = t.title(value);
  }, [value]);
  const data = query.data;
  return (
    <div className="entities-screen">
      <header className="screen-head">
        <h1><span className="note">{w.kinds[kind]}</span> <span className="mono"><Text text={value} /></span></h1>
        {kind !== 'host' && <Kept whom={kind === 'address' ? { address: value } : { user: value }} />}
        <TimeRangePicker range={range} set={setRange} />
        <Link className="button" href={searchPath({ q, ...range })}><Icon name="search" size={13} />{w.search}</Link>
      </header>
      {!data && query.error && <Failure error={query.error} retry={query.refetch} />}
      {data && query.error && <Failure still error={query.error} retry={query.refetch} />}
      {!data && !query.error && <Skeleton rows={8} />}
      {data && data.first === '' && (
        <div className="state"><Icon name="search" size={28} /><h2>{w.never}</h2><p>{w.neverText}</p><Link className="button" href="/entities">{w.back}</Link></div>
      )}
      {data && data.first !== '' && (
        <>
          <Facts data={data} />
          <section className="panel" aria-label={w.overTime}>
            <header><h2>{w.overTime}</h2></header>
            <Histogram question={question} pick={(from, to) => navigate(searchPath({ q, last: '', from, to }))} />
          </section>
          <div className="entity-lists"><RiskOf kind={kind} entity={value} />{kind === 'address' && <KnownOf ip={value} />}</div>
          <div className="entity-lists"><Alerts value={value} /><Peers data={data} value={value} /></div>
        </>
      )}
    </div>
  );
}

/** Whether it is kept out, and the way to do so. */
function Kept({ whom }: { whom: Whom }) {
  const held = heldOf(useBans().data?.bans, whom);
  return (
    <>
      {held && isHeld(held.state) && <Link className="tag" href="/settings/bans" data-testid="kept-out">{w.state[held.state]}</Link>}
      <Block whom={whom} reason="" />
    </>
  );
}

type Known = NonNullable<ReturnType<typeof useEntity>['data']>;

function Facts({ data }: { data: Known }) {
  const outcome = (word: string) => data.aggs['event.outcome']?.buckets?.find((bucket) => bucket.key === word)?.doc_count ?? 0;
  return (
    <dl className="panel entity-facts">
      <div><dt>{w.first}</dt><dd><FullTime time={data.first} /></dd></div>
      <div><dt>{w.last}</dt><dd><Ago time={data.last} /></dd></div>
      <div><dt>{w.events}</dt><dd className="figure" data-testid="entity-events">{number(data.total)}</dd></div>
      <div><dt>{w.outcome}</dt><dd className="figure">{`${number(outcome('failure'))} / ${number(outcome('success'))}`}</dd></div>
    </dl>
  );
}

function Alerts({ value }: { value: string }) {
  const query = useRelated(value, ALERTS);
  const alerts = query.data?.alerts ?? [];
  const all = query.data && query.data.total > 0 ? <Link className="link" href={`/alerts${printFilter({ q: value })}`}>{w.allAlerts(query.data.total)}</Link> : null;
  return (
    <Panel title={w.alerts} className="related" asked={query} skeletonRows={5} tools={all}>
      {query.data && alerts.length === 0 && <p className="quiet">{w.noAlerts}</p>}
      <ul>
        {alerts.map((alert) => {
          const core = alert.tocsin.alert;
          return (
            <li key={core.id}>
              <Link href={`/alerts/${encodeURIComponent(core.id)}`}>
                <SeverityMark severity={core.severity} /><span className="hidden">{t.severity[core.severity]}</span>
                <b><Text text={alert.rule.name} /></b>
                <span className="reason"><Text text={core.reason} /></span>
                <Clock time={alert['@timestamp']} />
              </Link>
            </li>
          );
        })}
      </ul>
    </Panel>
  );
}

function Peers({ data, value }: { data: Known; value: string }) {
  const groups = data.fields
    .map((field) => ({ field, rows: (data.aggs[field]?.buckets ?? []).filter((row) => String(row.key) !== value).slice(0, PEERS) }))
    .filter((group) => group.rows.length > 0);
  return (
    <section className="panel" aria-labelledby="peers">
      <header><h2 id="peers">{w.peers}</h2></header>
      <div className="body peers">
        {groups.length === 0 && <p className="quiet">{w.noPeers}</p>}
        {groups.map(({ field, rows }) => (
          <div key={field}>
            <h3>{w.fields[field as keyof typeof w.fields]}</h3>
            <Counts rows={rows} field={field} />
          </div>
        ))}
      </div>
    </section>
  );
}
