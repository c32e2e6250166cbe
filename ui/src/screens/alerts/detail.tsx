/** One alert: why it was raised, from what, and what can be done with that knowledge. */
import { useEffect, useMemo, useRef, useState } from 'react';
import { Link } from 'wouter';
import { ApiError } from '../../api/client';
import { useAlert } from '../../api/queries';
import type { Alert } from '../../api/types';
import { carriedFields, entitiesOf } from '../../lib/fields';
import { printFilter } from '../../lib/filter';
import { useKeys } from '../../lib/keys';
import { millis, number, span } from '../../lib/time';
import { findEntities, spanMark } from '../../lib/text';
import { Icon, SeverityWord } from '../../parts/icons';
import { Failure, Skeleton } from '../../parts/panel';
import { Ongoing } from '../../parts/ongoing';
import { Text } from '../../parts/text';
import { Ago, FullTime } from '../../parts/time';
import { Value } from '../../parts/value';
import { t } from '../../strings';
import { copy } from '../../lib/copy';
import { Activity } from './activity';
import { After, IncidentOf, Known, Record } from './context';
import { Contributions } from './contributions';
import { Related } from './related';
import { Actions } from './triage';
import { Why } from './why';

interface DetailProps {
  id: string;
  close: () => void;
  step: (by: number) => void;
  /** Place in the list; below zero when the list does not hold it. */
  place: number;
  of: number;
}

export function Detail({ id, close, step, place, of }: DetailProps) {
  const query = useAlert(id);
  const alert = query.data;
  const name = alert?.rule.name;
  useEffect(() => {
    if (name !== undefined) document.title = t.title(name);
  }, [name]);
  const gone = query.error instanceof ApiError && query.error.status === 404;
  return (
    <aside className="detail" aria-label={t.detail.label(name ?? id)} data-severity={alert?.tocsin.alert.severity}>
      <Toolbar alert={alert} close={close} step={step} place={place} of={of} />
      {!alert && !query.error && <Skeleton rows={10} />}
      {!alert && gone && (
        <div className="state">
          <Icon name="search" size={28} />
          <h2>{t.detail.gone}</h2>
          <p>{t.detail.goneText}</p>
        </div>
      )}
      {!alert && query.error && !gone && <Failure error={query.error} retry={query.refetch} />}
      {alert && <Body alert={alert} partial={query.isPlaceholderData} />}
    </aside>
  );
}

interface ToolbarProps extends Omit<DetailProps, 'id'> {
  alert: Alert | undefined;
}

function Toolbar({ alert, close, step, place, of }: ToolbarProps) {
  const [said, setSaid] = useState('');
  const say = (done: boolean) => {
    setSaid(done ? t.detail.copied : t.detail.copyFailed);
    setTimeout(() => setSaid(''), 2000);
  };
  const link = async () => alert && say(await copy(`${location.origin}/alerts/${encodeURIComponent(alert.tocsin.alert.id)}`));
  const json = async () => alert && say(await copy(JSON.stringify(alert, null, 2)));
  useKeys({ y: () => void link() });
  return (
    <div className="toolbar">
      <button type="button" className="icon-button" onClick={() => step(-1)} disabled={place <= 0} aria-label={t.detail.previous} title={`${t.detail.previous} (k)`}><Icon name="up" /></button>
      <button type="button" className="icon-button" onClick={() => step(1)} disabled={place < 0 || place >= of - 1} aria-label={t.detail.next} title={`${t.detail.next} (j)`}><Icon name="down" /></button>
      <span className="gap" />
      <span role="status" className="note">{said}</span>
      <button type="button" className="icon-button" onClick={() => void link()} aria-label={t.detail.copyLink} title={`${t.detail.copyLink} (y)`}><Icon name="link" /></button>
      <button type="button" className="icon-button" onClick={() => void json()} aria-label={t.detail.copyJson} title={t.detail.copyJson}><Icon name="copy" /></button>
      <button type="button" className="icon-button" onClick={close} aria-label={t.detail.close} title={`${t.detail.close} (Esc)`}><Icon name="close" /></button>
    </div>
  );
}

const showLink = (value: string) => (
  <Link href={`/alerts${printFilter({ q: value })}`} title={t.detail.show(value)}><Text text={value} /></Link>
);

/** True for a moment after the alert changed under the reader's eyes. */
function useChanged(version: number): boolean {
  const before = useRef(version);
  const [changed, setChanged] = useState(false);
  useEffect(() => {
    if (before.current === version) return undefined;
    before.current = version;
    setChanged(true);
    const timer = setTimeout(() => setChanged(false), 2500);
    return () => clearTimeout(timer);
  }, [version]);
  return changed;
}

/** `partial`: from a list that leaves the raw lines out; the whole is on its way. */
function Body({ alert, partial }: { alert: Alert; partial: boolean }) {
  const core = alert.tocsin.alert;
  const entities = useMemo(() => entitiesOf(alert), [alert]);
  const fields = useMemo(() => carriedFields(alert), [alert]);
  const marks = useMemo(() => findEntities(core.reason, entities), [core.reason, entities]);
  const changed = useChanged(core.version);
  return (
    <div className="scroller" tabIndex={0} role="region" aria-label={alert.rule.name}>
      <header>
        <p className="line">
          <SeverityWord severity={core.severity} />
          <span className="tag" data-testid="status">{core.disposition ? t.triage.closedAs(t.disposition[core.disposition]) : t.status[core.status]}</span>
          {core.owner !== undefined && <span className="tag"><Text text={t.triage.owner(core.owner)} /></span>}
          {core.tags?.map((tag) => <span key={tag} className="tag"><Text text={tag} /></span>)}
          {core.historical && <span className="tag" title={t.detail.historical}>{t.alerts.historical}</span>}
          <Ongoing alert={alert} />
          <span className={changed ? 'note changed on' : 'note changed'}>{changed ? t.detail.updated : <Ago time={core.last_seen} />}</span>
        </p>
        <h2 id="detail-title" tabIndex={-1}><Text text={alert.rule.name} /></h2>
        <p className="why" data-testid="reason"><Text text={core.reason} marks={marks} entity={showLink} /></p>
        <Attack alert={alert} />
        <Actions key={core.id} alert={alert} />
      </header>
      <Facts alert={alert} />
      <Why alert={alert} />
      <Matched alert={alert} />
      <Contributions alert={alert} entities={entities} partial={partial} />
      <After alert={alert} />
      <Known fields={fields} />
      <IncidentOf alert={alert} />
      <Related alert={alert} />
      <Record alert={alert} />
      <Activity alert={alert} />
      <Fields fields={fields} />
      <Rule alert={alert} />
      <details className="raw">
        <summary>{t.detail.raw}</summary>
        <pre className="mono" tabIndex={0}><Json alert={alert} /></pre>
      </details>
    </div>
  );
}

function Json({ alert }: { alert: Alert }) {
  const lines = useMemo(() => JSON.stringify(alert, null, 2).split('\n'), [alert]);
  return lines.map((line, at) => <span key={at}><Text text={line} />{'\n'}</span>);
}

/** Technique ids are links only when they look like one. */
const TECHNIQUE = /^T\d{4}(?:\.\d{3})?$/i;

function Attack({ alert }: { alert: Alert }) {
  const techniques = alert.threat?.technique?.id ?? [];
  const tactics = alert.threat?.tactic?.name ?? [];
  if (techniques.length + tactics.length === 0) return null;
  return (
    <p className="attack">
      <span className="note">{t.detail.attack}</span>
      {tactics.map((tactic) => <span key={tactic} className="tag"><Text text={tactic.replaceAll(/[-_]/g, ' ')} /></span>)}
      {techniques.map((id) => {
        if (!TECHNIQUE.test(id)) return <span key={id} className="tag mono"><Text text={id} /></span>;
        const href = `https://attack.mitre.org/techniques/${id.toUpperCase().replace('.', '/')}/`;
        return (
          <a key={id} className="tag mono" href={href} target="_blank" rel="noopener noreferrer" aria-label={t.detail.technique(id.toUpperCase())}>
            {id.toUpperCase()}
          </a>
        );
      })}
    </p>
  );
}

function Facts({ alert }: { alert: Alert }) {
  const core = alert.tocsin.alert;
  const group = Object.entries(core.group);
  return (
    <dl className="facts" aria-label={t.detail.facts}>
      <div><dt>{t.detail.count}</dt><dd className="strong" data-testid="count">{number(core.count)}</dd></div>
      <div><dt>{t.detail.findingsLabel}</dt><dd className="strong">{number(core.findings)}</dd></div>
      <div><dt>{t.detail.lasted}</dt><dd className="strong">{span(millis(core.last_seen) - millis(core.first_seen))}</dd></div>
      <div><dt>{t.detail.firstSeen}</dt><dd><FullTime time={core.first_seen} /></dd></div>
      <div><dt>{t.detail.lastSeen}</dt><dd><FullTime time={core.last_seen} /></dd></div>
      <div className="group">
        <dt>{t.detail.group}</dt>
        <dd>
          {group.length === 0 && t.detail.noGroup}
          {group.map(([field, value]) => (
            <span key={field} className="mono"><span className="field">{field}</span> <Value field={field} value={value} className="mono" /></span>
          ))}
        </dd>
      </div>
    </dl>
  );
}

function Matched({ alert }: { alert: Alert }) {
  const { matches } = alert.tocsin.alert;
  if (matches.length === 0) return null;
  return (
    <section>
      <h3>{t.detail.matched}</h3>
      <ul className="matched mono">
        {matches.map((match, at) => (
          <li key={at}>
            <span className="field" title={t.detail.matchedIn(match.selection)}>{match.field === '' ? t.detail.rawLine : <Text text={match.field} />}</span>
            <span className="value"><Text text={match.value} marks={[spanMark(match)]} /></span>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Fields({ fields }: { fields: [name: string, values: string[]][] }) {
  if (fields.length === 0) return null;
  return (
    <section>
      <h3>{t.detail.fields}</h3>
      <table className="fields mono">
        <tbody>
          {fields.map(([name, values]) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td>{values.map((value, at) => <span key={at}><Value field={name} value={value} className="mono" /></span>)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

const HTTP = /^https?:\/\//i;

function Rule({ alert }: { alert: Alert }) {
  const { rule } = alert;
  const references = rule.reference ?? [];
  return (
    <section className="rule">
      <h3>{t.detail.rule}</h3>
      {rule.description && <p><Text text={rule.description} /></p>}
      <dl className="lines">
        {rule.ruleset && <div><dt>{t.detail.pack}</dt><dd><Text text={rule.ruleset} /></dd></div>}
        <div><dt>{t.detail.ruleId}</dt><dd className="mono"><Text text={rule.id} /></dd></div>
        {references.length > 0 && (
          <div>
            <dt>{t.detail.references}</dt>
            <dd>
              {references.map((reference) => (HTTP.test(reference)
                ? <a key={reference} href={reference} target="_blank" rel="noopener noreferrer"><Text text={reference} /></a>
                : <Text key={reference} text={reference} />))}
            </dd>
          </div>
        )}
      </dl>
    </section>
  );
}
