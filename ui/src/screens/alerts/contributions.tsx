/** The raw lines that made the alert, oldest first, with the matched parts and entities marked. */
import { useMemo, useState } from 'react';
import type { Alert, Contribution, MatchSpan } from '../../api/types';
import { usePrefs } from '../../lib/prefs';
import { clock, date, fullTime, millis, span } from '../../lib/time';
import { findEntities, lineMarks } from '../../lib/text';
import { Skeleton } from '../../parts/panel';
import { Text } from '../../parts/text';
import { t } from '../../strings';

/** Of a long run only this many lines are shown at each end. */
const ENDS = 4;

/** What to draw: all lines, or both ends and how many are left out. Pure. */
export function ends<T>(lines: readonly T[], all: boolean): { head: readonly T[]; left: number; tail: readonly T[] } {
  if (all || lines.length <= 2 * ENDS + 1) return { head: lines, left: 0, tail: [] };
  return { head: lines.slice(0, ENDS), left: lines.length - 2 * ENDS, tail: lines.slice(-ENDS) };
}

interface LineProps {
  event: Contribution;
  matches: readonly MatchSpan[];
  entities: readonly string[];
  /** Time since the first line. */
  since: number;
}

function RawLine({ event, matches, entities, since }: LineProps) {
  const { zone } = usePrefs();
  const marks = useMemo(
    () => [...lineMarks(event.line, matches), ...findEntities(event.line, entities)],
    [event.line, matches, entities],
  );
  const at = millis(event.time);
  const hit = marks.some((mark) => mark.kind === 'match');
  return (
    <li className={hit ? 'hit' : ''}>
      <span className="when">
        <time dateTime={event.time} title={fullTime(at, zone)}>{clock(at, zone)}</time>
        <span>{since > 0 ? `+${span(since)}` : date(at, zone)}</span>
      </span>
      <span className="raw-line">
        {event.line === '' ? <i className="note">{t.detail.noLine}</i> : <Text text={event.line} marks={marks} />}
      </span>
    </li>
  );
}

interface ContributionsProps {
  alert: Alert;
  entities: readonly string[];
  /** The lines are still on their way. */
  partial: boolean;
}

export function Contributions({ alert, entities, partial }: ContributionsProps) {
  const { events, matches, count } = alert.tocsin.alert;
  const [all, setAll] = useState(false);
  const { head, left, tail } = ends(events, all);
  const first = millis(events[0]?.time ?? '');
  const line = (event: Contribution, at: number) => (
    <RawLine key={`${event.event_id} ${at}`} event={event} matches={matches} entities={entities} since={millis(event.time) - first} />
  );
  return (
    <section className="contributions">
      <h3>
        {t.detail.contributing}
        {events.length > 0 && events.length < count && <span className="note">{t.detail.shownOf(events.length, count)}</span>}
      </h3>
      {events.length === 0 && partial && <Skeleton rows={4} />}
      {events.length === 0 && !partial && <p className="note">{t.detail.noEvents}</p>}
      <ol className="mono" data-testid="lines">
        {head.map(line)}
        {left > 0 && (
          <li className="fold"><button type="button" className="text-button" onClick={() => setAll(true)}>{t.detail.more(left)}</button></li>
        )}
        {tail.map((event, at) => line(event, head.length + left + at))}
      </ol>
      {all && events.length > 2 * ENDS + 1 && (
        <button type="button" className="text-button" onClick={() => setAll(false)}>{t.detail.fewer}</button>
      )}
    </section>
  );
}
