/** Alerts over time above the list; a stretch drawn over it is the new range. */
import { lazy, Suspense, useMemo } from 'react';
import { SEVERITIES, type Facets } from '../../api/types';
import { millis } from '../../lib/time';
import { w } from '../../words/alerts';
import { t } from '../../strings';

const Chart = lazy(async () => ({ default: (await import('../../parts/chart')).Chart }));

const iso = (seconds: number) => new Date(seconds * 1000).toISOString();

export function AlertHistogram({ counts, pick }: { counts: Facets | undefined; pick: (from: string, to: string) => void }) {
  const series = counts?.series;
  const width = counts?.bucket_seconds ?? 60;
  const starts = useMemo(() => series?.map((bucket) => millis(bucket.time) / 1000) ?? [], [series]);
  const lines = useMemo(
    () => SEVERITIES.map((severity) => ({
      label: t.severity[severity],
      color: `--fill-${severity}`,
      kind: 'bar' as const,
      values: series?.map((bucket) => bucket.by_severity[severity]) ?? [],
    })),
    [series],
  );
  const choose = (from: number, to: number) => pick(iso(from), iso(to));
  return (
    <div className="alert-histogram" title={w.histogramHint}>
      {starts.length > 0 && (
        <Suspense fallback={null}>
          <Chart name={w.histogram} starts={starts} width={width} until={(starts.at(-1) ?? 0) + width} lines={lines} stacked asTable={false} onPick={choose} onBrush={choose} />
        </Suspense>
      )}
    </div>
  );
}
