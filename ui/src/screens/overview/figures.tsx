/** The three figures on top: events now, alerts by severity, logins. */
import { Link } from 'wouter';
import { SEVERITIES, type Overview, type Range } from '../../api/types';
import { printFilter } from '../../lib/filter';
import { sum } from '../../lib/series';
import { big, number, perSecond } from '../../lib/time';
import { useStream } from '../../live/stream';
import { SeverityMark } from '../../parts/icons';
import { Panel, type Asked } from '../../parts/panel';
import { Spark } from '../../parts/spark';
import { LOCALE, t } from '../../strings';

interface Props {
  asked: Asked;
  data: Overview | undefined;
}

/** The line begins with a quarter minute across the whole width and grows to two minutes. */
const SPARK_SLOTS_MIN = 15;
const SPARK_SLOTS_MAX = 120;

/** Needs only the stream, so it lives on when the overview cannot be had. */
export function LivePanel({ data, range }: Props & { range: Range }) {
  const { ticks, phase } = useStream();
  const rates = ticks.map((tick) => tick.events_per_second);
  const tick = ticks.at(-1);
  const slots = Math.max(SPARK_SLOTS_MIN, Math.min(SPARK_SLOTS_MAX, rates.length));
  const shown = rates.slice(-slots);
  const label = t.overview.liveSpark(perSecond(Math.min(...shown, Infinity)), perSecond(Math.max(0, ...shown)));
  return (
    <section className="panel live" aria-label={t.overview.live}>
      <header><h2>{t.overview.live}</h2></header>
      <div className="body">
        <p className={phase === 'stale' ? 'figure dim' : 'figure'} data-testid="live-rate">
          {tick ? perSecond(tick.events_per_second) : t.none}
        </p>
        {tick ? <Spark values={rates} slots={slots} label={label} /> : <p className="note">{t.overview.waiting}</p>}
        {data && <p className="note">{t.overview.liveCaption(big(data.events.total), t.overview.rangeWords[range])}</p>}
      </div>
    </section>
  );
}

export function SeverityPanel({ asked, data, range }: Props & { range: Range }) {
  const total = data ? <span className="total">{t.overview.alertsTotal(data.alerts.total)}</span> : null;
  return (
    <Panel title={t.overview.alerts} className="severities" asked={asked} skeletonRows={2} tools={total}>
      <ul>
        {data && SEVERITIES.map((severity) => {
          const n = data.alerts.by_severity[severity];
          return (
            <li key={severity} className={n > 0 ? `sev-${severity}` : `sev-${severity} zero`}>
              <Link href={`/alerts${printFilter({ severity: [severity], last: range })}`} title={t.overview.severityLink(n, t.severity[severity])}>
                <span className="figure">{big(n)}</span>
                <span className="severity"><SeverityMark severity={severity} />{t.severity[severity]}</span>
              </Link>
            </li>
          );
        })}
      </ul>
    </Panel>
  );
}

const percent = new Intl.NumberFormat(LOCALE, { style: 'percent', maximumFractionDigits: 0 });

export function LoginsPanel({ asked, data }: Props) {
  const failed = sum(data?.logins.series.map((point) => point.failed) ?? []);
  const succeeded = sum(data?.logins.series.map((point) => point.succeeded) ?? []);
  const all = failed + succeeded;
  return (
    <Panel title={t.overview.logins} className="logins" asked={asked} skeletonRows={2}>
      <div className="pair">
        <p className="failed">
          <span className="figure" title={number(failed)}>{big(failed)}</span>
          <span className="word">{t.overview.failed}</span>
        </p>
        <p className="succeeded">
          <span className="figure" title={number(succeeded)}>{big(succeeded)}</span>
          <span className="word">{t.overview.succeeded}</span>
        </p>
      </div>
      <div className="ratio" aria-hidden="true">
        {all > 0 && <i style={{ width: `${(100 * failed) / all}%` }} />}
      </div>
      <p className="note">{all > 0 ? t.overview.share(percent.format(failed / all)) : t.overview.noLogins}</p>
    </Panel>
  );
}
