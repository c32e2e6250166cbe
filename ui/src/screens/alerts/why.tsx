/** Why an alert was raised: what had to come together, and each condition with the values it met. */
import { useState, type ReactNode } from 'react';
import { Link } from 'wouter';
import { useWhy, type Explained, type Why as Told, type WhyPart } from '../../api/why';
import type { Alert } from '../../api/types';
import { Icon } from '../../parts/icons';
import { Failure, Skeleton } from '../../parts/panel';
import { Text } from '../../parts/text';
import { Value } from '../../parts/value';
import { w } from '../../words/why';

/** So many wanted values are shown; the rest is behind a button. */
const WANTED_MAX = 6;

export function Why({ alert }: { alert: Alert }) {
  const { id, version } = alert.tocsin.alert;
  const query = useWhy(id, version);
  const why = query.data;
  return (
    <section className="why-fired" data-testid="why">
      <h3>{w.title}</h3>
      {query.error && <Failure error={query.error} retry={query.refetch} />}
      {!why && !query.error && <Skeleton rows={3} />}
      {why && !why.in_force && <p className="note">{w.changed}</p>}
      {why && <Sentence why={why} alert={alert} />}
      {why?.takes && <Needed why={why} />}
      {why?.in_force && why.parts.map((part) => <Part key={part.rule_id} part={part} counted={why.takes !== null} />)}
    </section>
  );
}

/** In words, for who has not met such rules: what came, how much of it, of whom. */
function Sentence({ why, alert }: { why: Told; alert: Alert }) {
  const { takes, counted, field, parts } = why;
  const of = Object.entries(alert.tocsin.alert.group).map(([name, value]) => `${name} ${value}`).join(', ');
  if (!takes) return parts.length === 0 ? null : <p className="sentence" data-testid="sentence">{w.single}</p>;
  const steps = parts.map((part) => w.step(part.events, part.explanation?.title ?? part.rule_id));
  const [test] = takes.tests;
  const said = takes.kind.startsWith('temporal')
    ? w.sequence(steps, takes.kind === 'temporal_ordered', takes.within, of)
    : counted === null || test === undefined ? null : w.enough(w.counted(takes.kind, field, counted), w.limit(test), takes.within, of);
  return said === null ? null : <p className="sentence" data-testid="sentence"><Text text={said} /></p>;
}

/** `52 events ≥ 20 within 5m per source.ip`. */
function Needed({ why }: { why: Told }) {
  const { takes, counted, field } = why;
  if (!takes) return null;
  const numbers = takes.tests.length > 0;
  return (
    <p className="needed">
      <Icon name="check" size={15} />
      {numbers
        ? <b>{counted === null ? w.kind(takes.kind, field) : w.counted(takes.kind, field, counted)}</b>
        : <b>{takes.kind === 'temporal_ordered' ? w.inOrder : w.allOf}</b>}
      {takes.tests.map((test) => <span key={test} className="tag mono">{w.needs(test)}</span>)}
      <span>{w.within(takes.within)}</span>
      {takes.by.length > 0 && <span>{w.per} {takes.by.map((name) => <span key={name} className="mono field"><Text text={name} /> </span>)}</span>}
    </p>
  );
}

function Part({ part, counted }: { part: WhyPart; counted: boolean }) {
  const { explanation } = part;
  return (
    <div className="why-part">
      {counted && (
        <p className="of">
          <Link href={`/rules/${encodeURIComponent(part.rule_id)}`}><Text text={explanation?.title ?? part.rule_id} /></Link>
          <span className="note">{w.events(part.events)}</span>
        </p>
      )}
      {!explanation && <p className="note">{w.gone}</p>}
      {explanation && (
        <ul className="tree">
          <Node node={explanation.log_source} />
          <Node node={explanation.condition} />
        </ul>
      )}
    </div>
  );
}

const words: Record<string, string> = { and: w.and, or: w.or, not: w.not };

/** One condition; those inside a joint that has only one are drawn in its place. */
function Node({ node }: { node: Explained }): ReactNode {
  const parts = node.parts ?? [];
  const joint = words[node.what];
  if ((node.what === 'and' || node.what === 'or') && parts.length === 1 && parts[0]) return <Node node={parts[0]} />;
  const source = node.what.startsWith('log source');
  return (
    <li className={node.matched ? 'met' : 'unmet'}>
      <p>
        <Icon name={node.matched ? 'check' : 'cross'} size={13} />
        <span className="hidden">{node.matched ? w.met : w.unmet}</span>
        {joint === undefined ? <b className="mono"><Text text={node.what} /></b> : <i>{joint}</i>}
        {node.found && <Found found={node.found} />}
        {node.found === undefined && node.wanted !== undefined && node.wanted.length > 0 && <span className="note">{w.absent}</span>}
        {node.wanted && node.wanted.length > 0 && !isSame(node) && <Wanted wanted={node.wanted} />}
      </p>
      {!source && parts.length > 0 && <ul>{parts.map((part, at) => <Node key={at} node={part} />)}</ul>}
    </li>
  );
}

const textOf = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value));

/** Whether what was wanted is, word for word, what is there. */
const isSame = ({ found, wanted }: Explained) => wanted?.length === 1 && found?.length === 1 && textOf(found[0]?.[1]) === wanted[0];

function Found({ found }: { found: [string, unknown][] }) {
  return (
    <span className="found-values">
      {found.slice(0, 8).map(([field, value], at) => (
        <span key={at}><span className="note">{w.has}</span> <Value field={field} value={textOf(value)} className="mono" /></span>
      ))}
    </span>
  );
}

function Wanted({ wanted }: { wanted: string[] }) {
  const [all, setAll] = useState(false);
  const shown = all ? wanted : wanted.slice(0, WANTED_MAX);
  return (
    <span className="wanted">
      <span className="note">{w.wanted}</span>
      {shown.map((value, at) => <code key={at}><Text text={value} /></code>)}
      {!all && wanted.length > WANTED_MAX && <button type="button" className="text-button" onClick={() => setAll(true)}>{w.more(wanted.length - WANTED_MAX)}</button>}
    </span>
  );
}

