/** When the events were; a stretch drawn over it becomes the range. */
import { useMemo, useState } from 'react';
import { useHistogram, type Question } from '../../api/history';
import { fill } from '../../lib/series';
import { Chart, type Line } from '../../parts/chart';
import { Icon } from '../../parts/icons';
import { Failure } from '../../parts/panel';
import { t } from '../../strings';
import { w } from '../../words/search';

const BUCKETS_MAX = 400;

interface Props {
  question: Question;
  pick: (from: string, to: string) => void;
}

const iso = (seconds: number) => new Date(seconds * 1000).toISOString();

export function Histogram({ question, pick }: Props) {
  const [asTable, setAsTable] = useState(false);
  const query = useHistogram(question);
  const data = query.data;
  const starts = useMemo(() => {
    if (!data) return [];
    const first = Math.floor(data.from / data.width) * data.width;
    const count = Math.min(BUCKETS_MAX, Math.max(1, Math.ceil((data.to - first) / data.width)));
    return Array.from({ length: count }, (_, at) => first + at * data.width);
  }, [data]);
  const lines = useMemo((): Line[] => [
    { label: t.overview.events, color: '--fill-events', kind: 'bar', values: data ? fill(starts, data.width, data.points, (point) => point.count) : [] },
  ], [data, starts]);
  const choose = (from: number, to: number) => pick(iso(from), iso(to));
  if (query.error && !data) return <div className="histogram"><Failure error={query.error} retry={query.refetch} /></div>;
  return (
    <div className={query.isPlaceholderData ? 'histogram old' : 'histogram'} title={w.chart.hint}>
      {data && (
        <Chart name={w.chart.title} starts={starts} width={data.width} until={data.to} lines={lines} asTable={asTable} onPick={choose} onBrush={choose} />
      )}
      <button type="button" className="icon-button small" aria-pressed={asTable} aria-label={`${w.chart.title}: ${asTable ? t.chart.chart : t.chart.table}`} title={asTable ? t.chart.chart : t.chart.table} onClick={() => setAsTable(!asTable)}>
        <Icon name={asTable ? 'chart' : 'table'} size={14} />
      </button>
    </div>
  );
}
