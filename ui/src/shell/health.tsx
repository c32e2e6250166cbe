/** The line on every screen that says whether what is shown can be trusted, and why not. */
import { useStatus } from '../api/queries';
import type { SystemStatus } from '../api/types';
import { useNow } from '../lib/now';
import { age, millis, number, perSecond, span } from '../lib/time';
import { useStream } from '../live/stream';
import { Icon } from '../parts/icons';
import { Text } from '../parts/text';
import { t } from '../strings';

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
  const whole = status.problem ? 1 : 0;
  return whole + inputs + channels + rules + dropped + lag;
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
  const problems = problemsIn(status.data);
  const level = phase === 'stale' ? 'bad' : problems > 0 ? 'warn' : 'ok';
  return (
    <>
      <button type="button" className={`pill ${level}`} popoverTarget="health" title={t.health.open}>
        <Icon name={ICONS[level]} size={14} />
        <Numbers />
        {problems > 0 && <span className="problems">{t.health.problems(problems)}</span>}
      </button>
      <div id="health" popover="auto" className="popover health" role="dialog" aria-label={t.health.label}>
        <h2 className={level}>
          <Icon name={ICONS[level]} />
          {t.health[level]}
        </h2>
        {status.data && <Details status={status.data} />}
        {!status.data && status.error && <p>{status.error.message}</p>}
      </div>
    </>
  );
}

function Details({ status }: { status: SystemStatus }) {
  return (
    <>
      {status.problem && <p className="warn note"><Text text={status.problem} /></p>}
      <Inputs status={status} />
      <Channels status={status} />
      <p className="foot">
        <span>{t.health.rules(status.rules.loaded, status.rules.refused)}</span>
        <span>{t.health.stored(status.events.stored)}</span>
        <span>{t.health.uptime(span(status.uptime_seconds * 1000))}</span>
        <span>{t.health.version(status.version)}</span>
      </p>
    </>
  );
}

function Inputs({ status }: { status: SystemStatus }) {
  const now = useNow();
  if (status.inputs.length === 0) return <p>{t.health.noInputs}</p>;
  return (
    <table className="plain">
      <caption>{t.health.inputs}</caption>
      <thead>
        <tr>
          <th scope="col">{t.health.input}</th>
          <th scope="col">{t.health.source}</th>
          <th scope="col" className="num">{t.health.received}</th>
          <th scope="col" className="num">{t.health.last}</th>
        </tr>
      </thead>
      <tbody>
        {status.inputs.map((input) => (
          <tr key={input.name}>
            <th scope="row">
              <Text text={input.name} />
              {input.problem !== null && <span className="warn note"><Text text={input.problem} /></span>}
              {Object.entries(input.dropped).map(([reason, n]) => n > 0 && (
                <span key={reason} className="note">{t.health.droppedFor(n, reason.replaceAll('_', ' '))}</span>
              ))}
            </th>
            <td className="mono"><Text text={input.source} /></td>
            <td className="num">{number(input.received)}</td>
            <td className="num">{input.last_event === null ? t.health.never : t.ago(age(now - millis(input.last_event)))}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Channels({ status }: { status: SystemStatus }) {
  if (status.channels.length === 0) return <p>{t.health.noChannels}</p>;
  return (
    <table className="plain">
      <caption>{t.health.channels}</caption>
      <thead>
        <tr>
          <th scope="col">{t.health.channel}</th>
          <th scope="col" className="num">{t.health.delivered}</th>
          <th scope="col" className="num">{t.health.pending}</th>
          <th scope="col" className="num">{t.health.failed}</th>
        </tr>
      </thead>
      <tbody>
        {status.channels.map((channel) => (
          <tr key={channel.name}>
            <th scope="row">
              <Text text={channel.name} />
              {channel.problem !== null && <span className="warn note"><Text text={channel.problem} /></span>}
            </th>
            <td className="num">{number(channel.delivered)}</td>
            <td className="num">{number(channel.pending)}</td>
            <td className="num">{number(channel.failed)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
