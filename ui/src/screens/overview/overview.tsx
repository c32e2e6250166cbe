/** Overview: what happens now, and what an analyst should look at first. Updates by itself. */
import { lazy, Suspense, useEffect, useRef, useState, type ReactNode } from 'react';
import { useLocation, useSearch } from 'wouter';
import { useOpeningRange, useOverview } from '../../api/queries';
import { RANGES, type Range } from '../../api/types';
import { Failure } from '../../parts/panel';
import { t } from '../../strings';
import { AlertsChart, EventsChart, LoginsChart } from './charts';
import { NoEvents } from './empty';
import { LivePanel, LoginsPanel, SeverityPanel } from './figures';
import { NewestPanel } from './newest';
import { RulesPanel, SourcesPanel } from './tops';

const Panels = lazy(async () => ({ default: (await import('./panels')).Panels }));

/** So much of it has to be in sight. */
const SEEN_PX = 140;

/** Drawn, and asked for, once somebody scrolls to it. */
function WhenSeen({ children }: { children: ReactNode }) {
  const place = useRef<HTMLDivElement>(null);
  const [seen, setSeen] = useState(false);
  useEffect(() => {
    const element = place.current;
    if (!element || seen) return undefined;
    const observer = new IntersectionObserver((entries) => {
      if (entries.some((entry) => entry.isIntersecting)) setSeen(true);
    }, { rootMargin: `0px 0px -${SEEN_PX}px 0px` });
    observer.observe(element);
    return () => observer.disconnect();
  }, [seen]);
  return seen ? <Suspense fallback={<div className="panels to-come" />}>{children}</Suspense> : <div ref={place} className="panels to-come" data-testid="to-come" />;
}

/** The range in the URL; where it says none, one that fits what there is to see. */
function useRange(): Range | null {
  const asked = new URLSearchParams(useSearch()).get('last');
  const named = RANGES.find((range) => range === asked);
  const opening = useOpeningRange(named === undefined);
  return named ?? opening.data ?? (opening.error ? '24h' : null);
}

function RangePicker({ range }: { range: Range | null }) {
  const [, navigate] = useLocation();
  return (
    <div className="range">
      <div className="segments" role="radiogroup" aria-label={t.overview.range}>
        {RANGES.map((each) => (
          <label key={each}>
            <input type="radio" name="range" checked={each === range} onChange={() => navigate(`/overview?last=${each}`)} />
            <span>{t.range[each]}</span>
          </label>
        ))}
      </div>
    </div>
  );
}

export function Overview() {
  const range = useRange();
  const overview = useOverview(range);
  useEffect(() => {
    document.title = t.title(t.overview.title);
  }, []);
  const data = overview.data;
  const shown = range ?? '24h';
  const nothing = data !== undefined && data.events.total === 0 && data.alerts.total === 0;
  return (
    <div className={nothing ? 'overview nothing' : 'overview'}>
      <header className="screen-head">
        <h1>{t.overview.title}</h1>
        <RangePicker range={range} />
      </header>
      {data && overview.error && <Failure still error={overview.error} retry={overview.refetch} />}
      {nothing ? (
        <NoEvents range={shown} />
      ) : (
        <>
          <LivePanel asked={overview} data={data} range={shown} />
          <SeverityPanel asked={overview} data={data} range={shown} />
          <LoginsPanel asked={overview} data={data} />
          <AlertsChart asked={overview} data={data} />
          <NewestPanel asked={overview} data={data} range={shown} />
          <LoginsChart asked={overview} data={data} />
          <EventsChart asked={overview} data={data} />
          <SourcesPanel asked={overview} data={data} range={shown} />
          <RulesPanel asked={overview} data={data} range={shown} />
          {data && <WhenSeen><Panels range={shown} /></WhenSeen>}
        </>
      )}
    </div>
  );
}
