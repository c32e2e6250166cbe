/** One event opened in place: its line, its fields, and what to do with each value. */
import { useMemo, useState } from 'react';
import { useLocation } from 'wouter';
import { copy } from '../../lib/copy';
import { flat, idOf, lineOf, timeOf, type EcsEvent } from '../../lib/event';
import { clause, excluding, including } from '../../lib/kql';
import { NO_SEARCH, parseSearch, searchPath } from '../../lib/search';
import { findEntities } from '../../lib/text';
import { millis } from '../../lib/time';
import { Icon } from '../../parts/icons';
import { Text } from '../../parts/text';
import { Value } from '../../parts/value';
import { t } from '../../strings';
import { w } from '../../words/search';

/** A longer line is cut until asked for. */
const LINE_CHARS_MAX = 2000;
/** Around an event, each side. */
const AROUND_MS = 60_000;

export function Fields({ event, marks }: { event: EcsEvent; marks: readonly string[] }) {
  const fields = useMemo(() => flat(event).filter(([name]) => name !== 'event.original'), [event]);
  return (
    <div className="event-fields" role="group" aria-label={w.row.fields}>
      <Line event={event} marks={marks} />
      <Tools event={event} />
      <table className="fields mono">
        <tbody>
          {fields.map(([name, values]) => (
            <tr key={name}>
              <th scope="row"><Text text={name} /></th>
              <td>{values.map((value, at) => <FieldValue key={at} field={name} value={value} />)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Line({ event, marks }: { event: EcsEvent; marks: readonly string[] }) {
  const whole = lineOf(event);
  const [all, setAll] = useState(false);
  const line = all ? whole : whole.slice(0, LINE_CHARS_MAX);
  const found = useMemo(() => findEntities(line, marks).map((mark) => ({ ...mark, kind: 'match' as const })), [line, marks]);
  return (
    <>
      <pre className="raw-line mono" tabIndex={0}><Text text={line} marks={found} /></pre>
      {!all && whole.length > LINE_CHARS_MAX && <button type="button" className="text-button" onClick={() => setAll(true)}>{w.row.more(whole.length)}</button>}
    </>
  );
}

function FieldValue({ field, value }: { field: string; value: string }) {
  const [, navigate] = useLocation();
  const go = (how: typeof including) => {
    const now = location.pathname === '/search' ? parseSearch(location.search) : NO_SEARCH;
    navigate(searchPath({ ...now, q: how(now.q, clause(field, value)) }));
  };
  const short = value.slice(0, 60);
  return (
    <span className="field-value">
      <Value field={field} value={value} />
      <button type="button" className="icon-button small" aria-label={w.fields.include(short)} title={w.value.include} onClick={() => go(including)}><Icon name="plus" size={12} /></button>
      <button type="button" className="icon-button small" aria-label={w.fields.exclude(short)} title={w.value.exclude} onClick={() => go(excluding)}><Icon name="minus" size={12} /></button>
    </span>
  );
}

const iso = (ms: number) => new Date(ms).toISOString();

function Tools({ event }: { event: EcsEvent }) {
  const [, navigate] = useLocation();
  const [said, setSaid] = useState('');
  const say = async (text: string) => {
    setSaid((await copy(text)) ? w.row.copied : t.detail.copyFailed);
    setTimeout(() => setSaid(''), 2000);
  };
  const at = millis(timeOf(event));
  const around = () => navigate(searchPath({ ...NO_SEARCH, last: '', from: iso(at - AROUND_MS), to: iso(at + AROUND_MS) }));
  const link = `${location.origin}${searchPath({ ...NO_SEARCH, q: clause('event.id', idOf(event)), last: '' })}`;
  return (
    <p className="tools">
      <button type="button" className="text-button" onClick={() => void say(JSON.stringify(event, null, 2))}>{w.row.copyJson}</button>
      <button type="button" className="text-button" onClick={() => void say(link)}>{w.row.copyLink}</button>
      <button type="button" className="text-button" onClick={around}>{w.row.around}</button>
      <span role="status" className="note">{said}</span>
    </p>
  );
}
