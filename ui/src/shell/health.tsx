/** The line on every screen that says whether what is shown can be trusted, and why not. */
import { lazy, Suspense, useState } from 'react';
import { useStatus } from '../api/queries';
import type { SystemStatus } from '../api/types';
import { useNow } from '../lib/now';
import { age, perSecond, span } from '../lib/time';
import { useStream } from '../live/stream';
import { Icon } from '../parts/icons';
import { t } from '../strings';

const Details = lazy(async () => ({ default: (await import('./healthdetails')).Details }));

/** Lag above this is worth a warning. */
const LAG_WARN_MS = 10_000;

/** How many things are wrong according to the server. Pure. */
export function problemsIn(status: SystemStatus | undefined): number {
  if (!status) return 0;
  const inputs = status.inputs.filter((input) => input.problem !== null).length;
  const channels = status.channels.filter((channel) => channel.problem !== null).length;
  const rules = status.rules.refused > 0 ? 1 : 0;
  const dropped = status.events.dropped > 0 ? 1 : 0;
  const lag = status.events.lag_ms > LAG_WARN_MS ? 1 : 0;
  const silent = status.silent?.total ?? 0;
  const whole = status.problem ? 1 : 0;
  return whole + inputs + channels + rules + dropped + lag + silent;
}

const ICONS = { ok: 'check', warn: 'warn', bad: 'cross' } as const;

const lagText = (ms: number) => (ms < 1000 ? `${Math.round(ms)} ms` : span(ms));

function Numbers() {
  const { phase, heardAt, ticks } = useStream();
  const now = useNow();
  const tick = ticks.at(-1);
  if (phase === 'stale') {
    return <b>{heardAt === null ? t.health.offline : t.health.stale(age(now - heardAt))}</b>;
  }
  if (!tick) return <span>{t.health.connecting}</span>;
  return (
    <>
      <b>{t.health.rate(perSecond(tick.events_per_second))}</b>
      <span className="wide">{t.health.lag(lagText(tick.lag_ms))}</span>
      <span className="wide">{t.health.dropped(tick.dropped_total)}</span>
    </>
  );
}

export function HealthPill() {
  const { phase } = useStream();
  const status = useStatus();
  const [opened, setOpened] = useState(false);
  const problems = problemsIn(status.data);
  const silent = status.data?.silent?.total ?? 0;
  const level = phase === 'stale' ? 'bad' : problems > 0 ? 'warn' : 'ok';
  return (
    <>
      <button type="button" className={`pill ${level}`} popoverTarget="health" title={t.health.open}>
        <Icon name={ICONS[level]} size={14} />
        <Numbers />
        {silent > 0 && <span className="silent">{t.health.silent(silent)}</span>}
        {problems > silent && <span className="problems">{t.health.problems(problems - silent)}</span>}
      </button>
      <div id="health" popover="auto" className="popover health" role="dialog" aria-label={t.health.label} onToggle={(event) => event.newState === 'open' && setOpened(true)}>
        <h2 className={level}>
          <Icon name={ICONS[level]} />
          {t.health[level]}
        </h2>
        {opened && status.data && <Suspense fallback={null}><Details status={status.data} /></Suspense>}
        {!status.data && status.error && <p>{status.error.message}</p>}
      </div>
    </>
  );
}
