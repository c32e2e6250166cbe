/** The rows of the list, only those in sight being in the document. */
import { useVirtualizer } from '@tanstack/react-virtual';
import { memo, useEffect, useRef, useSyncExternalStore, type MouseEvent } from 'react';
import type { Alert } from '../../api/types';
import { originOf, targetOf } from '../../lib/fields';
import { number } from '../../lib/time';
import { SeverityWord } from '../../parts/icons';
import { Ongoing } from '../../parts/ongoing';
import { Text } from '../../parts/text';
import { Clock } from '../../parts/time';
import { t } from '../../strings';

const ROW_PX = 32;
/** On narrow screens a row has two lines. */
const CARD_PX = 62;
const OVERSCAN_ROWS = 12;
/** The next page is asked for this many rows before the end. */
const AHEAD_ROWS = 30;

const narrow = matchMedia('(max-width: 760px)');
const useNarrow = () =>
  useSyncExternalStore(
    (listener) => {
      narrow.addEventListener('change', listener);
      return () => narrow.removeEventListener('change', listener);
    },
    () => narrow.matches,
  );

interface RowProps {
  alert: Alert;
  index: number;
  top: number;
  current: boolean;
  open: boolean;
  pick: (id: string) => void;
}

/** A plain click belongs to the row; with a key held, the link opens a tab of its own. */
function leaveToRow(event: MouseEvent) {
  if (event.ctrlKey || event.metaKey || event.shiftKey) event.stopPropagation();
  else event.preventDefault();
}

const rowId = (id: string) => `row-${id}`;

const Row = memo(function Row({ alert, index, top, current, open, pick }: RowProps) {
  const core = alert.tocsin.alert;
  const origin = originOf(alert);
  const target = targetOf(alert);
  const classes = ['row', `sev-${core.severity}`, current && 'current', open && 'open', core.status !== 'new' && 'done'];
  return (
    // The grid itself has the focus and the keys; a row only takes the pointer.
    // oxlint-disable-next-line jsx-a11y/click-events-have-key-events, jsx-a11y/interactive-supports-focus
    <div
      role="row"
      id={rowId(core.id)}
      aria-rowindex={index + 2}
      aria-selected={current}
      className={classes.filter(Boolean).join(' ')}
      style={{ transform: `translateY(${top}px)` }}
      onClick={() => pick(core.id)}
    >
      <span role="gridcell" className="c-severity"><SeverityWord severity={core.severity} /></span>
      <span role="gridcell" className="c-seen"><Clock time={alert['@timestamp']} /></span>
      <span role="gridcell" className="c-alert">
        <a href={`/alerts/${encodeURIComponent(core.id)}`} tabIndex={-1} onClick={leaveToRow}><Text text={alert.rule.name} /></a>
        <Ongoing alert={alert} />
        {core.historical && <i className="tag">{t.alerts.historical}</i>}
        <span className="reason"><Text text={core.reason} /></span>
      </span>
      <span role="gridcell" className="c-source mono">{origin === undefined ? t.none : <Text text={origin} />}</span>
      <span role="gridcell" className="c-target mono">{target === undefined ? t.none : <Text text={target} />}</span>
      <span role="gridcell" className="c-count num">{number(core.count)}</span>
      <span role="gridcell" className="c-status">{t.status[core.status]}</span>
    </div>
  );
});

function Head() {
  const { columns } = t.alerts;
  return (
    <div role="row" aria-rowindex={1} className="row head">
      <span role="columnheader" className="c-severity">{columns.severity}</span>
      <span role="columnheader" className="c-seen">{columns.raised}</span>
      <span role="columnheader" className="c-alert">{columns.alert}</span>
      <span role="columnheader" className="c-source">{columns.source}</span>
      <span role="columnheader" className="c-target">{columns.target}</span>
      <span role="columnheader" className="c-count num">{columns.count}</span>
      <span role="columnheader" className="c-status">{columns.status}</span>
    </div>
  );
}

interface ListProps {
  alerts: readonly Alert[];
  total: number;
  /** Where the keyboard is. */
  cursor: string | undefined;
  /** The alert shown beside the list. */
  open: string | undefined;
  pick: (id: string) => void;
  /** Asks for the next page; absent when there is none or it is on its way. */
  more: (() => unknown) | undefined;
}

export function List({ alerts, total, cursor, open, pick, more }: ListProps) {
  const box = useRef<HTMLDivElement>(null);
  const size = useNarrow() ? CARD_PX : ROW_PX;
  const rows = useVirtualizer({
    count: alerts.length,
    getScrollElement: () => box.current,
    estimateSize: () => size,
    overscan: OVERSCAN_ROWS,
    scrollPaddingStart: ROW_PX,
    getItemKey: (index) => alerts[index]?.tocsin.alert.id ?? index,
  });
  useEffect(() => rows.measure(), [rows, size]);
  const at = alerts.findIndex((alert) => alert.tocsin.alert.id === cursor);
  const scrolled = useRef(false);
  useEffect(() => {
    if (at < 0) return;
    // A link into the list: put the row in the middle. From then on move as little as needed.
    rows.scrollToIndex(at, { align: scrolled.current ? 'auto' : 'center' });
    scrolled.current = true;
  }, [at, rows]);
  const items = rows.getVirtualItems();
  const lastSeen = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (more && lastSeen >= alerts.length - AHEAD_ROWS) void more();
  }, [more, lastSeen, alerts.length]);
  return (
    <div
      ref={box}
      id="alert-list"
      className="list"
      role="grid"
      tabIndex={0}
      aria-label={t.alerts.title}
      aria-rowcount={total + 1}
      aria-activedescendant={items.some((item) => item.index === at) && cursor !== undefined ? rowId(cursor) : undefined}
    >
      <Head />
      <div role="rowgroup" style={{ height: rows.getTotalSize() }}>
        {items.map((item) => {
          const alert = alerts[item.index];
          if (!alert) return null;
          const id = alert.tocsin.alert.id;
          return (
            <Row key={item.key} alert={alert} index={item.index} top={item.start} current={id === cursor} open={id === open} pick={pick} />
          );
        })}
      </div>
    </div>
  );
}
