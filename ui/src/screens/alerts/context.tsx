/** What is known beside the alert: what came after, the address, the incident, the rule's record. */
import { useQuery } from '@tanstack/react-query';
import { Link } from 'wouter';
import { sendJson } from '../../api/client';
import { API } from '../../api/queries';
import { useIncident, useNoise } from '../../api/why';
import { DISPOSITIONS, type Alert } from '../../api/types';
import { firstText } from '../../lib/fields';
import { lineOf, timeOf, idOf, type EcsEvent } from '../../lib/event';
import { clause } from '../../lib/kql';
import { searchPath } from '../../lib/search';
import { millis, span } from '../../lib/time';
import { printFilter } from '../../lib/filter';
import { nowMs } from '../../lib/now';
import { SeverityMark } from '../../parts/icons';
import { Text } from '../../parts/text';
import { Clock } from '../../parts/time';
import { Value } from '../../parts/value';
import { t } from '../../strings';
import { w } from '../../words/why';

const HOUR_MS = 3_600_000;
const AFTER_SHOWN = 6;

/** The value whose doings are followed. */
function subject(alert: Alert): { field: string; value: string } | undefined {
  for (const field of ['source.ip', 'user.name', 'host.name']) {
    const value = firstText(alert, field);
    if (value !== undefined) return { field, value };
  }
  return undefined;
}

export function After({ alert }: { alert: Alert }) {
  const of = subject(alert);
  return of ? <Events alert={alert} {...of} /> : null;
}

function Events({ alert, field, value }: { alert: Alert; field: string; value: string }) {
  const last = millis(alert.tocsin.alert.last_seen);
  const from = new Date(last + 1).toISOString();
  const to = new Date(last + HOUR_MS).toISOString();
  const q = clause(field, value);
  const { data } = useQuery({
    queryKey: ['after', q, from],
    queryFn: ({ signal }) => sendJson<{ events: EcsEvent[]; total: number }>('POST', `${API}/search`, { q, from, to, order: 'asc', limit: AFTER_SHOWN }, signal),
    staleTime: 15_000,
    retry: false,
  });
  if (!data) return null;
  const soon = nowMs() < last + HOUR_MS;
  return (
    <section className="after" data-testid="after">
      <h3>
        <span>{w.after}</span>
        {data.total > 0 && <Link href={searchPath({ q, from, to, order: 'asc' })} className="note">{w.afterAll}</Link>}
      </h3>
      {data.total === 0 && <p className="note">{soon ? w.afterSoon : w.afterNone}</p>}
      <ol className="mono">
        {data.events.map((event) => (
          <li key={idOf(event)}>
            <span className="when"><Clock time={timeOf(event)} /><span>{`+${span(millis(timeOf(event)) - last)}`}</span></span>
            <span className="raw-line"><Text text={lineOf(event)} /></span>
          </li>
        ))}
      </ol>
    </section>
  );
}

/** Fields that tell who or what is behind an address; whatever of them an alert carries. */
const KNOWN = [
  'source.geo.country_name', 'source.geo.country_iso_code', 'source.geo.city_name', 'source.as.number', 'source.as.organization.name', 'source.domain',
  'destination.geo.country_name', 'destination.as.organization.name',
  'threat.indicator.type', 'threat.indicator.name', 'threat.indicator.description', 'threat.indicator.confidence', 'threat.feed.name', 'threat.indicator.provider', 'threat.indicator.last_seen', 'threat.enrichments.matched.field',
  'host.risk.calculated_level', 'user.risk.calculated_level', 'source.asset.name', 'host.asset.name', 'source.asset.criticality', 'host.asset.criticality', 'host.asset.owner', 'tocsin.asset.name', 'tocsin.asset.owner', 'tocsin.asset.criticality', 'tocsin.first_seen',
];
/** Groups of fields that are shown whole, whatever is in them. */
const KNOWN_BELOW = /^(?:source|destination|client|server)\.(?:geo|as|asset|domain)|^(?:host|user)\.(?:risk|asset)|^threat\.(?:indicator|feed|enrichments)|^tocsin\.(?:asset|context|list)/;

export const isKnown = (name: string) => KNOWN.includes(name) || KNOWN_BELOW.test(name);

export function Known({ fields }: { fields: [name: string, values: string[]][] }) {
  const known = fields.filter(([name]) => isKnown(name));
  if (known.length === 0) return null;
  return (
    <section data-testid="known">
      <h3>{w.known}</h3>
      <dl className="known">
        {known.map(([name, values]) => (
          <div key={name}>
            <dt className="mono">{name}</dt>
            <dd>{values.map((value, at) => <Value key={at} field={name} value={value} />)}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

export function IncidentOf({ alert }: { alert: Alert }) {
  const id = alert.tocsin.alert.incident;
  return id === undefined ? null : <InIncident id={id} alert={alert} />;
}

function InIncident({ id, alert }: { id: number; alert: Alert }) {
  const { data } = useIncident(id);
  if (!data || data.incident.alerts < 2) return null;
  const { incident, timeline } = data;
  return (
    <section className="related" data-testid="incident">
      <h3>
        <span>{w.incident(incident.alerts, incident.rules.length)}</span>
        <Link href={`/alerts${printFilter({ incident: String(id) })}`} className="note">{w.incidentAll}</Link>
      </h3>
      <ol>
        {timeline.slice(0, 12).map((line) => (
          <li key={line.ids[0]} className={line.ids.includes(alert.tocsin.alert.id) ? 'here' : ''}>
            <Link href={`/alerts/${encodeURIComponent(line.ids[0] ?? '')}`}>
              <SeverityMark severity={line.severity} />
              <span className="hidden">{t.severity[line.severity]}</span>
              <b><Text text={line.title} /></b>
              <span className="reason"><Text text={line.reason} /></span>
              <Clock time={line.time} />
            </Link>
          </li>
        ))}
      </ol>
    </section>
  );
}

export function Record({ alert }: { alert: Alert }) {
  const { data } = useNoise();
  const noise = data?.rules.find((rule) => rule.rule_id === alert.rule.id);
  if (!noise) return null;
  return (
    <section data-testid="record">
      <h3>{w.record}</h3>
      <p className="record">
        <Link href={`/alerts${printFilter({ rule: alert.rule.id, last: '30d' })}`}>{w.recordOf(noise.alerts)}</Link>
        <span>{w.open(noise.open)}</span>
        {DISPOSITIONS.map((word) => (noise.closed[word] ?? 0) > 0 && <span key={word}>{`${noise.closed[word]} ${t.disposition[word]}`}</span>)}
        {noise.hidden > 0 && <span>{w.hidden(noise.hidden)}</span>}
        <span className="tag">{w.noise(noise.score)}</span>
        <Link className="note" href={`/rules/${encodeURIComponent(alert.rule.id)}`}>{w.ruleLink}</Link>
      </p>
    </section>
  );
}
