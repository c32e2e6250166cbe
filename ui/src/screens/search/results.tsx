/** The events found: rows that open in place, only those in sight being in the document. */
import { useVirtualizer } from '@tanstack/react-virtual';
import { memo, useEffect, useMemo, useRef, type KeyboardEvent } from 'react';
import { idOf, lineOf, timeOf, valuesAt, type EcsEvent } from '../../lib/event';
import { findEntities } from '../../lib/text';
import { usePrefs } from '../../lib/prefs';
import { fullTime, millis, preciseTime } from '../../lib/time';
import { Icon } from '../../parts/icons';
import { Text } from '../../parts/text';
import { Value } from '../../parts/value';
import { w } from '../../words/search';
import { Fields } from './fields';

const ROW_PX = 30;
const OVERSCAN_ROWS = 10;
/** The next page is asked for this many rows before the end. */
const AHEAD_ROWS = 30;
/** Of a line, before it is opened. */
const LINE_CHARS = 500;

interface RowProps {
  event: EcsEvent;
  index: number;
  columns: readonly string[];
  marks: readonly string[];
  open: boolean;
  current: boolean;
  toggle: (index: number) => void;
}

const rowId = (index: number) => `event-${index}`;

const Row = memo(function Row({ event, index, columns, marks, open, current, toggle }: RowProps) {
  const { zone } = usePrefs();
  const at = millis(timeOf(event));
  const line = lineOf(event).slice(0, LINE_CHARS);
  const found = useMemo(() => findEntities(line, marks).map((mark) => ({ ...mark, kind: 'match' as const })), [line, marks]);
  return (
    <>
      {/* The grid itself has the focus and the keys; a row only takes the pointer. */}
      {/* oxlint-disable-next-line jsx-a11y/click-events-have-key-events, jsx-a11y/interactive-supports-focus */}
      <div role="row" id={rowId(index)} aria-level={1} aria-rowindex={index + 2} aria-expanded={open} aria-selected={current} className={current ? 'event current' : 'event'} onClick={() => toggle(index)}>
        <span role="gridcell" className="twist"><Icon name={open ? 'down' : 'forth'} size={12} /></span>
        <span role="gridcell" className="when mono"><time dateTime={timeOf(event)} title={fullTime(at, zone)}>{preciseTime(at, zone)}</time></span>
        {columns.map((column) => <span key={column} role="gridcell" className="cell mono"><Cell event={event} column={column} /></span>)}
        {columns.length === 0 && <span role="gridcell" className="cell line mono"><Text text={line} marks={found} /></span>}
      </div>
      {open && (
        <div role="row" aria-level={2} className="opened">
          <div role="gridcell"><Fields event={event} marks={marks} /></div>
        </div>
      )}
    </>
  );
});

function Cell({ event, column }: { event: EcsEvent; column: string }) {
  const values = valuesAt(event, column);
  return values.map((value, at) => <Value key={at} field={column} value={value} />);
}

function Head({ columns }: { columns: readonly string[] }) {
  return (
    <div role="row" aria-rowindex={1} className="event head">
      <span role="columnheader" className="twist"><span className="hidden">{w.row.expand}</span></span>
      <span role="columnheader">{w.row.time}</span>
      {columns.map((column) => <span key={column} role="columnheader"><Text text={column} /></span>)}
      {columns.length === 0 && <span role="columnheader">{w.row.line}</span>}
    </div>
  );
}

interface ResultsProps {
  events: readonly EcsEvent[];
  total: number;
  columns: readonly string[];
  marks: readonly string[];
  cursor: number;
  setCursor: (index: number) => void;
  opened: ReadonlySet<string>;
  toggle: (id: string) => void;
  more: (() => unknown) | undefined;
  /** Called as the list leaves its top or comes back. */
  scrolled?: (away: boolean) => void;
}

const keyOf = (event: EcsEvent | undefined, index: number) => (event === undefined ? String(index) : idOf(event) || String(index));

export function Results({ events, total, columns, marks, cursor, setCursor, opened, toggle, more, scrolled }: ResultsProps) {
  const box = useRef<HTMLDivElement>(null);
  const rows = useVirtualizer({
    count: events.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW_PX,
    overscan: OVERSCAN_ROWS,
    scrollPaddingStart: ROW_PX,
    getItemKey: (index) => keyOf(events[index], index),
  });
  const items = rows.getVirtualItems();
  const lastSeen = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (more && lastSeen >= events.length - AHEAD_ROWS) void more();
  }, [more, lastSeen, events.length]);
  useEffect(() => {
    if (cursor >= 0) rows.scrollToIndex(cursor, { align: 'auto' });
  }, [cursor, rows]);
  const turn = (index: number) => {
    setCursor(index);
    toggle(keyOf(events[index], index));
  };
  const onKeyDown = (key: KeyboardEvent) => {
    if (key.target !== box.current || (key.key !== 'ArrowRight' && key.key !== 'ArrowLeft')) return;
    const id = keyOf(events[cursor], cursor);
    if (cursor >= 0 && opened.has(id) === (key.key === 'ArrowLeft')) toggle(id);
    key.preventDefault();
  };
  const tracks = columns.length === 0 ? 'minmax(0, 1fr)' : `repeat(${columns.length}, minmax(120px, 1fr))`;
  return (
    <div
      ref={box}
      id="events"
      className="events"
      role="treegrid"
      tabIndex={0}
      aria-label={w.row.table}
      aria-rowcount={total + 1}
      aria-activedescendant={cursor >= 0 && items.some((item) => item.index === cursor) ? rowId(cursor) : undefined}
      style={{ '--tracks': `24px 150px ${tracks}` } as React.CSSProperties}
      onKeyDown={onKeyDown}
      onScroll={scrolled && ((event) => scrolled(event.currentTarget.scrollTop > ROW_PX))}
    >
      <Head columns={columns} />
      <div role="rowgroup" style={{ height: rows.getTotalSize() }}>
        {items.map((item) => {
          const event = events[item.index];
          if (!event) return null;
          return (
            <div key={item.key} ref={rows.measureElement} data-index={item.index} role="presentation" className="slot" style={{ transform: `translateY(${item.start}px)` }}>
              <Row event={event} index={item.index} columns={columns} marks={marks} open={opened.has(String(item.key))} current={item.index === cursor} toggle={turn} />
            </div>
          );
        })}
      </div>
    </div>
  );
}
