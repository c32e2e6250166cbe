/** The rows of the list: only those in sight are in the document, only their pages are fetched. */
import { useQueries } from '@tanstack/react-query';
import { useVirtualizer } from '@tanstack/react-virtual';
import { memo, useEffect, useMemo, useRef, useSyncExternalStore } from 'react';
import { pageQuery, PAGE_ALERTS } from '../../api/triage';
import type { Alert } from '../../api/types';
import type { Grouping } from '../../lib/filter';
import { Failure } from '../../parts/panel';
import { usePaced } from '../../lib/paced';
import { t } from '../../strings';
import { pagesFor, placeOf, type Layout, type Section } from './layout';
import { AlertRow, BlankRow, GroupRow, Head, rowId } from './row';

const ROW_PX = 32;
/** On narrow screens a row has two lines. */
const CARD_PX = 62;
const OVERSCAN_ROWS = 5;
/** Which pages are in sight is looked at no more often; what is flung past is not fetched. */
const PACE_MS = 80;

const narrow = matchMedia('(max-width: 760px)');
const useNarrow = () =>
  useSyncExternalStore(
    (listener) => {
      narrow.addEventListener('change', listener);
      return () => narrow.removeEventListener('change', listener);
    },
    () => narrow.matches,
  );

/** Which rows are selected. */
export interface Selection {
  ids: ReadonlySet<string>;
  groups: ReadonlySet<string>;
  all: boolean;
}

export interface ListProps {
  layout: Layout;
  by: Grouping | '';
  /** What to ask for a page of a section. */
  question: (section: Section, page: number) => Parameters<typeof pageQuery>[0];
  /** Row where the keyboard is; below zero: nowhere. */
  cursor: number;
  /** The alert shown beside the list. */
  open: string | undefined;
  selection: Selection;
  pick: (index: number) => void;
  toggle: (index: number) => void;
  select: (index: number) => void;
  selectAll: () => void;
}

/** Alerts of the pages in sight, by section and page. */
function usePages(layout: Layout, first: number, last: number, question: ListProps['question']) {
  const wanted = pagesFor(layout, first, last, PAGE_ALERTS);
  // The same list as long as the same pages are in sight.
  const key = wanted.map(({ section, page }) => `${section.key} ${page}`).join('\n');
  // oxlint-disable-next-line react/exhaustive-deps
  const pages = useMemo(() => wanted, [key, layout]);
  return useQueries({
    queries: pages.map(({ section, page }) => pageQuery(question(section, page))),
    combine: (answers) => ({
      alerts: new Map(pages.map(({ section, page }, at) => [`${section.key} ${page}`, answers[at]?.data?.alerts])),
      failed: answers.find((answer) => answer.error !== null),
    }),
  });
}

export const List = memo(function List({ layout, by, question, cursor, open, selection, pick, toggle, select, selectAll }: ListProps) {
  const box = useRef<HTMLDivElement>(null);
  const size = useNarrow() ? CARD_PX : ROW_PX;
  const rows = useVirtualizer({
    count: layout.rows,
    getScrollElement: () => box.current,
    estimateSize: () => size,
    overscan: OVERSCAN_ROWS,
    useFlushSync: false,
    scrollPaddingStart: ROW_PX,
  });
  useEffect(() => rows.measure(), [rows, size]);
  const scrolled = useRef(false);
  useEffect(() => {
    if (cursor < 0) return;
    // A link into the list: put the row in the middle. From then on move as little as needed.
    rows.scrollToIndex(cursor, { align: scrolled.current ? 'auto' : 'center' });
    scrolled.current = true;
  }, [cursor, rows]);
  const items = rows.getVirtualItems();
  const first = usePaced(items[0]?.index ?? 0, PACE_MS);
  const last = usePaced(items.at(-1)?.index ?? 0, PACE_MS);
  const { alerts, failed } = usePages(layout, first, last, question);
  const active = items.find((item) => item.index === cursor);
  const at = active && placeOf(layout, cursor);
  const marked = at && (at.at < 0 ? `group-${cursor}` : alertAt(alerts, at)?.tocsin.alert.id);
  return (
    <>
      {failed?.error && <Failure still error={failed.error} retry={failed.refetch} />}
      <div
        ref={box}
        id="alert-list"
        className="list"
        role={by === '' ? 'grid' : 'treegrid'}
        tabIndex={0}
        aria-label={t.alerts.title}
        aria-multiselectable
        aria-rowcount={layout.rows + 1}
        aria-activedescendant={marked === undefined ? undefined : rowId(marked)}
      >
        <Head all={layout.rows > 0} allSelected={selection.all} toggleAll={selectAll} />
        <div role="rowgroup" style={{ height: rows.getTotalSize() }}>
          {items.map((item) => {
            const place = placeOf(layout, item.index);
            if (!place) return null;
            const common = { index: item.index, top: item.start, current: item.index === cursor };
            if (place.at < 0) {
              const chosen = selection.all || selection.groups.has(place.section.key);
              return <GroupRow key={item.key} {...common} section={place.section} by={by} selected={chosen} toggle={toggle} select={select} />;
            }
            const alert = alertAt(alerts, place);
            if (!alert) return <BlankRow key={item.key} {...common} />;
            const { id } = alert.tocsin.alert;
            const chosen = selection.all || selection.ids.has(id) || selection.groups.has(place.section.key);
            return <AlertRow key={item.key} {...common} alert={alert} level={by === '' ? undefined : 2} open={id === open} selected={chosen} pick={pick} select={select} />;
          })}
        </div>
      </div>
    </>
  );
});

function alertAt(alerts: ReadonlyMap<string, Alert[] | undefined>, place: { section: Section; at: number }): Alert | undefined {
  return alerts.get(`${place.section.key} ${Math.floor(place.at / PAGE_ALERTS)}`)?.[place.at % PAGE_ALERTS];
}
