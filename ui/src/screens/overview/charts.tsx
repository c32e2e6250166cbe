/** What happened over time: alerts by severity, logins, events. */
import { useMemo, useState, type ReactNode } from 'react';
import { useLocation } from 'wouter';
import { SEVERITIES, type Overview } from '../../api/types';
import { printFilter } from '../../lib/filter';
import { buckets, fill } from '../../lib/series';
import { millis } from '../../lib/time';
import { Chart, type Line } from '../../parts/chart';
import { Icon, SeverityMark } from '../../parts/icons';
import { Panel, type Asked } from '../../parts/panel';
import { t } from '../../strings';

interface Props {
  asked: Asked;
  data: Overview | undefined;
}

interface TimeProps extends Props {
  title: string;
  className: string;
  legend?: ReactNode;
  /** Lines on the given buckets; must keep its identity between renders. */
  lines: (data: Overview, starts: readonly number[]) => Line[];
  first: (data: Overview) => string | undefined;
  stacked?: boolean;
  onPick?: (from: number, to: number) => void;
}

function TimePanel({ title, className, asked, data, legend, lines, first, stacked, onPick }: TimeProps) {
  const [asTable, setAsTable] = useState(false);
  const starts = useMemo(() => (data ? buckets(data.range, first(data)) : []), [data, first]);
  const drawn = useMemo(() => (data ? lines(data, starts) : []), [data, starts, lines]);
  const tools = (
    <>
      {legend}
      <button
        type="button"
        className="icon-button small"
        aria-pressed={asTable}
        aria-label={`${title}: ${asTable ? t.chart.chart : t.chart.table}`}
        title={asTable ? t.chart.chart : t.chart.table}
        onClick={() => setAsTable(!asTable)}
      >
        <Icon name={asTable ? 'chart' : 'table'} size={14} />
      </button>
    </>
  );
  return (
    <Panel title={title} className={className} asked={asked} skeletonRows={4} tools={tools}>
      {data && (
        <Chart
          name={title}
          starts={starts}
          width={data.range.bucket_seconds}
          until={millis(data.range.to) / 1000}
          lines={drawn}
          asTable={asTable}
          {...(stacked === undefined ? {} : { stacked })}
          {...(onPick === undefined ? {} : { onPick })}
        />
      )}
    </Panel>
  );
}

const severityLines = (data: Overview, starts: readonly number[]): Line[] =>
  SEVERITIES.map((severity) => ({
    label: t.severity[severity],
    color: `--fill-${severity}`,
    kind: 'bar',
    values: fill(starts, data.range.bucket_seconds, data.alerts.series, (point) => point[severity]),
  }));

const iso = (seconds: number) => new Date(seconds * 1000).toISOString();

const firstAlerts = (data: Overview) => data.alerts.series[0]?.t;

export function AlertsChart({ asked, data }: Props) {
  const [, navigate] = useLocation();
  const pick = (from: number, to: number) => {
    navigate(`/alerts${printFilter({ from: iso(from), to: iso(to) })}`);
  };
  const legend = (
    <ul className="legend">
      {SEVERITIES.map((severity) => (
        <li key={severity}><SeverityMark severity={severity} size={10} />{t.severity[severity]}</li>
      ))}
    </ul>
  );
  return (
    <TimePanel
      title={t.overview.alertsOverTime}
      className="alerts-chart"
      asked={asked}
      data={data}
      legend={legend}
      lines={severityLines}
      first={firstAlerts}
      stacked
      onPick={pick}
    />
  );
}

const loginLines = (data: Overview, starts: readonly number[]): Line[] => [
  {
    label: t.overview.failed,
    color: '--fill-failed',
    kind: 'area',
    values: fill(starts, data.range.bucket_seconds, data.logins.series, (point) => point.failed),
  },
  {
    label: t.overview.succeeded,
    color: '--fill-succeeded',
    kind: 'dashed',
    values: fill(starts, data.range.bucket_seconds, data.logins.series, (point) => point.succeeded),
  },
];

const firstLogins = (data: Overview) => data.logins.series[0]?.t;

export function LoginsChart({ asked, data }: Props) {
  const legend = (
    <ul className="legend">
      <li><i className="key failed" />{t.overview.failed}</li>
      <li><i className="key succeeded" />{t.overview.succeeded}</li>
    </ul>
  );
  return (
    <TimePanel
      title={t.overview.loginsOverTime}
      className="logins-chart"
      asked={asked}
      data={data}
      legend={legend}
      lines={loginLines}
      first={firstLogins}
    />
  );
}

const eventLines = (data: Overview, starts: readonly number[]): Line[] => [
  {
    label: t.overview.events,
    color: '--fill-events',
    kind: 'area',
    values: fill(starts, data.range.bucket_seconds, data.events.series, (point) => point.count),
  },
];

const firstEvents = (data: Overview) => data.events.series[0]?.t;

export function EventsChart({ asked, data }: Props) {
  return (
    <TimePanel
      title={t.overview.eventsOverTime}
      className="events-chart"
      asked={asked}
      data={data}
      lines={eventLines}
      first={firstEvents}
    />
  );
}
