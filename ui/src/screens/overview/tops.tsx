/** Who and what most: source addresses and rules. */
import { Link } from 'wouter';
import type { Overview, Range } from '../../api/types';
import { printFilter } from '../../lib/filter';
import { number } from '../../lib/time';
import { Panel, type Asked } from '../../parts/panel';
import { Text } from '../../parts/text';
import { t } from '../../strings';

interface Props {
  asked: Asked;
  data: Overview | undefined;
  range: Range;
}

/** Rows shown; more is a search. */
const ROWS_MAX = 6;

const Bar = ({ part }: { part: number }) => (
  <span className="bar" aria-hidden="true"><i style={{ width: `${Math.max(1, 100 * part)}%` }} /></span>
);

export function SourcesPanel({ asked, data, range }: Props) {
  const rows = data?.top_sources.slice(0, ROWS_MAX) ?? [];
  const most = Math.max(1, ...rows.map((row) => row.events));
  return (
    <Panel title={t.overview.topSources} className="sources" asked={asked} skeletonRows={5}>
      {rows.length === 0 ? <p className="quiet">{t.overview.noSources}</p> : (
        <table className="top">
          <thead>
            <tr>
              <th scope="col">{t.overview.source}</th>
              <th scope="col" className="num">{t.overview.value}</th>
              <th scope="col" className="num">{t.overview.alertCount}</th>
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={row.value}>
                <th scope="row" className="mono">
                  <Bar part={row.events / most} />
                  <Link href={`/alerts${printFilter({ q: row.value, last: range })}`}><Text text={row.value} /></Link>
                </th>
                <td className="num">{number(row.events)}</td>
                <td className={row.alerts > 0 ? 'num hot' : 'num dim'}>{number(row.alerts)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Panel>
  );
}

export function RulesPanel({ asked, data, range }: Props) {
  const rows = data?.alerts.by_rule.slice(0, ROWS_MAX) ?? [];
  const most = Math.max(1, ...rows.map((row) => row.count));
  return (
    <Panel title={t.overview.topRules} className="rules" asked={asked} skeletonRows={5}>
      {rows.length === 0 ? <p className="quiet">{t.overview.noRules}</p> : (
        <table className="top">
          <thead>
            <tr>
              <th scope="col">{t.overview.rule}</th>
              <th scope="col" className="num">{t.overview.alertCount}</th>
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={row.rule_id}>
                <th scope="row">
                  <Bar part={row.count / most} />
                  <Link href={`/alerts${printFilter({ rule: row.rule_id, last: range })}`}><Text text={row.title} /></Link>
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
