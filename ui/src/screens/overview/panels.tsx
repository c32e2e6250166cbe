/** Panels made of queries: top users, hosts and endpoints, the map, tactics, and what packs bring. */
import { lazy, Suspense, useMemo } from 'react';
import { Link } from 'wouter';
import type { Range } from '../../api/types';
import { printFilter } from '../../lib/filter';
import { clause } from '../../lib/kql';
import { searchPath } from '../../lib/search';
import { big, number } from '../../lib/time';
import { Panel } from '../../parts/panel';
import { Text } from '../../parts/text';
import { Value } from '../../parts/value';
import { w } from '../../words/panels';
import { useDashboards, usePanel, useTactics, type PanelAnswer, type PanelDef } from './ask';
import { Risky, Waiting } from './work';

const Chart = lazy(async () => ({ default: (await import('../../parts/chart')).Chart }));
const WorldMap = lazy(async () => ({ default: (await import('./map')).WorldMap }));

const LOGINS = 'event.category: authentication';
const WEB = 'event.category: web';

/** What every installation wants to see. */
const OWN: readonly PanelDef[] = [
  { title: w.users, kind: 'top', query: '', field: 'user.name' },
  { title: w.hosts, kind: 'top', query: '', field: 'host.name' },
  { title: w.failedUsers, kind: 'top', query: `${LOGINS} and event.outcome: failure`, field: 'user.name' },
  { title: w.endpoints, kind: 'top', query: WEB, field: 'url.path' },
  { title: w.requests, kind: 'top', query: WEB, field: 'host.name' },
  { title: w.traffic, kind: 'top', query: WEB, field: 'host.name', sum: 'http.response.body.bytes' },
];

const MAP: PanelDef = { title: w.map, kind: 'map', query: '', field: 'source.geo.country_iso_code' };

export function Panels({ range }: { range: Range }) {
  const dashboards = useDashboards().data?.dashboards ?? [];
  return (
    <div className="panels" data-testid="panels">
      <Waiting />
      <Risky />
      <Tactics range={range} />
      <Places range={range} />
      {OWN.map((def) => <QueryPanel key={def.title} def={def} range={range} />)}
      {dashboards.flatMap((dashboard) => dashboard.panels.map((panel) => (
        <QueryPanel key={`${dashboard.pack} ${panel.title}`} def={panel} pack={dashboard.pack} range={range} quiet />
      )))}
    </div>
  );
}

interface QueryPanelProps {
  def: PanelDef;
  range: Range;
  pack?: string;
  /** Not drawn while there is nothing in it: a pack may be of a product that is not here. */
  quiet?: boolean;
}

function QueryPanel({ def, range, pack, quiet }: QueryPanelProps) {
  const query = usePanel(def, range);
  const answer = query.data;
  if (quiet && (!answer || answer.total === 0)) return null;
  return (
    <Panel title={def.title} className={`ask of-${def.kind}`} asked={query} skeletonRows={5} tools={pack === undefined ? undefined : <span className="note" title={w.pack(pack)}><Text text={pack} /></span>}>
      {answer && <Answer def={def} answer={answer} range={range} />}
      {answer?.partial && <p className="note warn">{w.partial}</p>}
    </Panel>
  );
}

function Answer({ def, answer, range }: { def: PanelDef; answer: PanelAnswer; range: Range }) {
  if (def.kind === 'figure') return <p className="figure" title={number(answer.figure)}>{big(answer.figure)}</p>;
  if (def.kind === 'time') return <Over def={def} answer={answer} />;
  return <Top def={def} answer={answer} range={range} />;
}

function Over({ def, answer }: { def: PanelDef; answer: PanelAnswer }) {
  const { points } = answer;
  const starts = useMemo(() => points.map((point) => point.t), [points]);
  const lines = useMemo(() => [{ label: def.title, color: '--fill-events', kind: 'area' as const, values: points.map((point) => point.count) }], [def.title, points]);
  const width = (starts[1] ?? 0) - (starts[0] ?? 0) || 60;
  return (
    <Suspense fallback={null}>
      <Chart name={def.title} starts={starts} width={width} until={(starts.at(-1) ?? 0) + width} lines={lines} asTable={false} />
    </Suspense>
  );
}

function Top({ def, answer, range }: { def: PanelDef; answer: PanelAnswer; range: Range }) {
  const amount = (row: { events: number; sum: number | null }) => (def.sum === undefined ? row.events : (row.sum ?? 0));
  const most = Math.max(1, ...answer.rows.map(amount));
  if (answer.rows.length === 0) return <p className="quiet">{w.none}</p>;
  return (
    <table className="top">
      <thead>
        <tr>
          <th scope="col" className="mono">{def.field}</th>
          <th scope="col" className="num">{def.sum === undefined ? w.events : w.sum}</th>
        </tr>
      </thead>
      <tbody>
        {answer.rows.map((row) => (
          <tr key={row.value}>
            <th scope="row">
              <span className="bar" aria-hidden="true"><i style={{ width: `${Math.max(1, (100 * amount(row)) / most)}%` }} /></span>
              <Value field={def.field ?? ''} value={row.value} className="mono" />
            </th>
            <td className="num"><Link href={searchPath({ q: [def.query, clause(def.field ?? '', row.value)].filter((part) => part !== '').join(' and '), last: range })} title={number(amount(row))}>{big(amount(row))}</Link></td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Tactics({ range }: { range: Range }) {
  const query = useTactics(range);
  const rows = query.data?.facets.tactic ?? [];
  const most = Math.max(1, ...rows.map((row) => row.count));
  return (
    <Panel title={w.tactics} className="ask of-tactics" asked={query} skeletonRows={5}>
      {rows.length === 0 ? <p className="quiet">{w.noTactics}</p> : (
        <table className="top">
          <tbody>
            {rows.slice(0, 10).map((row) => (
              <tr key={row.value}>
                <th scope="row">
                  <span className="bar" aria-hidden="true"><i style={{ width: `${(100 * row.count) / most}%` }} /></span>
                  <Link href={`/alerts${printFilter({ tactic: row.value, last: range })}`}><Text text={row.value.replaceAll(/[-_]/g, ' ')} /></Link>
                </th>
                <td className="num hot">{number(row.count)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Panel>
  );
}

function Places({ range }: { range: Range }) {
  const query = usePanel(MAP, range);
  const rows = query.data?.rows ?? [];
  return (
    <Panel title={w.map} className="ask of-map" asked={query} skeletonRows={8}>
      {rows.length === 0 ? <p className="quiet">{w.noMap}</p> : (
        <Suspense fallback={null}><WorldMap rows={rows} range={range} /></Suspense>
      )}
    </Panel>
  );
}
