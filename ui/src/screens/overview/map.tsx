/** The world, darker where more comes from; beside it the countries by number. Loaded when needed. */
import { useState } from 'react';
import { useLocation } from 'wouter';
import type { Range } from '../../api/types';
import { clause } from '../../lib/kql';
import { searchPath } from '../../lib/search';
import { big, number } from '../../lib/time';
import { Text } from '../../parts/text';
import { Value } from '../../parts/value';
import { w } from '../../words/panels';
import type { Row } from './ask';
import world from './countries.json';

const FIELD = 'source.geo.country_iso_code';
const LISTED = 7;
/** Steps of colour; the highest is the most. */
const STEPS = 5;

/** How dark a country is: by the magnitude of its number, not by the number. Pure. */
export function step(events: number, most: number): number {
  if (events <= 0) return 0;
  return Math.max(1, Math.ceil((STEPS * Math.log(events + 1)) / Math.log(most + 1)));
}

export function WorldMap({ rows, range }: { rows: Row[]; range: Range }) {
  const [, navigate] = useLocation();
  const [over, setOver] = useState<Row>();
  const by = new Map(rows.map((row) => [row.value.toUpperCase(), row]));
  const most = Math.max(...rows.map((row) => row.events));
  const total = rows.reduce((sum, row) => sum + row.events, 0);
  return (
    <div className="world">
      <svg viewBox={`0 0 ${world.width} ${world.height}`} role="img" aria-label={w.mapLabel(rows.length, total)}>
        {Object.entries(world.countries).map(([code, path]) => {
          const row = by.get(code);
          // The list has the same for the keyboard.
          return (
            // oxlint-disable-next-line jsx-a11y/click-events-have-key-events, jsx-a11y/no-static-element-interactions
            <path
              key={code}
              d={path}
              className={`step-${row ? step(row.events, most) : 0}`}
              onMouseEnter={() => setOver(row)}
              onMouseLeave={() => setOver(undefined)}
              onClick={row && (() => navigate(searchPath({ q: clause(FIELD, row.value), last: range })))}
            />
          );
        })}
      </svg>
      <div>
        <p className="note" aria-hidden="true">{over ? w.countryTitle(w.country(over.value), over.events) : '\u00a0'}</p>
        <ol>
          {rows.slice(0, LISTED).map((row) => (
            <li key={row.value}>
              <Value field={FIELD} value={row.value} className="mono" />
              <span><Text text={w.country(row.value)} /></span>
              <b title={number(row.events)}>{big(row.events)}</b>
            </li>
          ))}
        </ol>
      </div>
    </div>
  );
}
