/** Alerts: the list that is worked through, with the chosen alert beside it. */
import { useCallback, useEffect, useMemo, useRef, useState, type ReactNode } from 'react';
import { useLocation, useSearch } from 'wouter';
import { SEVERITIES, type Facets } from '../../api/types';
import { isFiltered, NO_FILTER, parseFilter, printFilter, type AlertFilter } from '../../lib/filter';
import { useKeys } from '../../lib/keys';
import { shifted } from '../../lib/range';
import { Icon } from '../../parts/icons';
import { Failure, Guard, Skeleton } from '../../parts/panel';
import { showValue } from '../../parts/value';
import { t } from '../../strings';
import { w } from '../../words/alerts';
import { Bulk } from './bulk';
import { Detail } from './detail';
import { FacetList } from './facets';
import { FilterBar, SEARCH_ID } from './filterbar';
import { AlertHistogram } from './histogram';
import { placeOf, rowOf } from './layout';
import { List } from './list';
import { Nothing } from './nothing';
import { rowId } from './row';
import { alertIn, fetchAlertIn, rowWith, targetOf, useQueue, useSelection, type Queue } from './queue';
import '../../styles/alerts.css';

/** The filter in the URL, the same object until the URL changes. */
function useFilter(id: string | undefined): [AlertFilter, (patch: Partial<AlertFilter>) => void] {
  const search = useSearch();
  const [, navigate] = useLocation();
  const filter = useMemo(() => parseFilter(search), [search]);
  const path = id === undefined ? '/alerts' : `/alerts/${encodeURIComponent(id)}`;
  const set = useCallback(
    (patch: Partial<AlertFilter>) => navigate(`${path}${printFilter({ ...filter, ...patch })}`, { replace: 'q' in patch }),
    [filter, navigate, path],
  );
  return [filter, set];
}

export function Alerts({ id }: { id: string | undefined }) {
  const [filter, setFilter] = useFilter(id);
  const queue = useQueue(filter);
  const chosen = useSelection(queue, filter);
  const nav = useNavigation(id, filter, queue);
  const [facets, setFacets] = useState(() => innerWidth > FACETS_PX_MIN);
  const { cursor, setCursor, step, openRow, close } = nav;
  useEffect(() => {
    if (id === undefined) document.title = t.title(t.alerts.title);
  }, [id]);
  const turn = useActs({ id, filter, setFilter, queue, chosen, nav, facets, setFacets });
  const pick = useStable((row: number) => openRow(row, false));
  const toggle = useStable((row: number) => turn(row));
  const select = useStable((row: number) => {
    setCursor(row);
    chosen.select(row);
  });
  const selectAll = useStable(chosen.all);
  const target = targetOf(queue, filter, chosen.selection, id === undefined ? cursor : -1);
  const counts = queue.facets.data;
  return (
    <div className={`alerts${id === undefined ? '' : ' split'}${queue.query.isPlaceholderData ? ' old' : ''}`}>
      <h1 className="hidden">{t.alerts.title}</h1>
      <section className="queue" aria-label={t.alerts.label}>
        <FilterBar filter={filter} set={setFilter} counts={counts} />
        <AlertHistogram counts={counts} pick={(from, to) => setFilter({ last: '', from, to })} />
        <Summary queue={queue} by={filter.by} facets={facets} setFacets={setFacets} />
        {(id === undefined || chosen.some) && <Bulk target={target} selected={chosen.some} clear={chosen.clear} keys={id === undefined} />}
        <div className={facets ? 'with-facets' : 'found'}>
          {facets && <FacetList filter={filter} set={setFilter} counts={counts} />}
          <div className="rows">
            <Rows queue={queue} filter={filter} clear={() => setFilter({ ...NO_FILTER, by: filter.by })}>
              <List layout={queue.layout} by={filter.by} question={queue.question} cursor={cursor} open={id} selection={chosen.selection} pick={pick} toggle={toggle} select={select} selectAll={selectAll} />
            </Rows>
          </div>
        </div>
      </section>
      {id !== undefined && (
        <Guard key={id}>
          <Detail id={id} close={close} step={step} place={cursor} of={queue.layout.rows} />
        </Guard>
      )}
    </div>
  );
}

interface ActsProps {
  id: string | undefined;
  filter: AlertFilter;
  setFilter: (patch: Partial<AlertFilter>) => void;
  queue: Queue;
  chosen: ReturnType<typeof useSelection>;
  nav: ReturnType<typeof useNavigation>;
  facets: boolean;
  setFacets: (on: boolean) => void;
}

/** The keys of the list; gives back what opens and closes a group. */
function useActs({ id, filter, setFilter, queue, chosen, nav, facets, setFacets }: ActsProps) {
  const { cursor, setCursor, step, openRow } = nav;
  const escape = () => {
    if (id !== undefined) nav.close();
    else if (chosen.some) chosen.clear();
    else if (isFiltered(filter)) setFilter({ ...NO_FILTER, by: filter.by });
  };
  const turn = (row: number, wanted?: boolean) => {
    const place = placeOf(queue.layout, row);
    if (!place?.section.group || (wanted !== undefined && place.section.open === wanted)) return;
    setCursor(rowOf(queue.layout, place.section.key, -1));
    queue.turn(place.section.key);
  };
  const enter = () => (placeOf(queue.layout, cursor)?.at === -1 ? turn(cursor) : openRow(Math.max(0, cursor), true));
  useKeys({
    j: () => step(1),
    k: () => step(-1),
    ArrowDown: () => step(1),
    ArrowUp: () => step(-1),
    ArrowRight: () => turn(cursor, true),
    ArrowLeft: () => turn(cursor, false),
    Enter: enter,
    o: enter,
    x: () => cursor >= 0 && chosen.select(cursor),
    X: () => cursor >= 0 && chosen.range(nav.anchor, cursor),
    '*': chosen.all,
    Escape: escape,
    '.': queue.reload,
    '/': () => document.getElementById(SEARCH_ID)?.focus(),
    f: () => setFacets(!facets),
    v: () => valueMenu(queue, cursor),
    '[': () => setFilter(shifted(filter, -1, Date.now())),
    ']': () => setFilter(shifted(filter, 1, Date.now())),
    ...severityKeys(filter, setFilter),
  });
  return turn;
}

/** The menu of where the marked alert came from. */
function valueMenu(queue: Queue, row: number) {
  const alert = alertIn(queue, row);
  const cell = alert && document.getElementById(rowId(alert.tocsin.alert.id))?.querySelector<HTMLElement>('[data-field]');
  if (cell) showValue(cell.dataset['field'] ?? '', cell.dataset['value'] ?? '', cell);
}

/** Facets are there from the start on windows wider than this. */
const FACETS_PX_MIN = 1500;

/** A function that stays the same and does what the newest one does: rows need not be drawn anew. */
function useStable<A extends unknown[]>(work: (...args: A) => void): (...args: A) => void {
  const latest = useRef(work);
  useEffect(() => {
    latest.current = work;
  });
  return useCallback((...args: A) => latest.current(...args), []);
}

/** Where the keyboard is, and which alert is open. */
function useNavigation(id: string | undefined, filter: AlertFilter, queue: Queue) {
  const [, navigate] = useLocation();
  const [row, setRow] = useState(-1);
  const [anchor, setAnchor] = useState(-1);
  const search = printFilter(filter);
  const open = useCallback(
    (next: string | undefined, replace: boolean) => navigate(`/alerts${next === undefined ? '' : `/${encodeURIComponent(next)}`}${search}`, { replace }),
    [navigate, search],
  );
  // An open alert is where the keyboard is, if the list has it.
  const cursor = id === undefined || alertIn(queue, row)?.tocsin.alert.id === id ? row : rowWith(queue, id);
  const setCursor = (next: number) => {
    setRow(next);
    setAnchor(next);
  };
  const openRow = (next: number, focus: boolean) => {
    setCursor(next);
    void fetchAlertIn(queue, next).then((alert) => {
      if (!alert) return;
      open(alert.tocsin.alert.id, id !== undefined);
      if (focus) focusDetail();
    });
  };
  const step = (by: number) => {
    const last = queue.layout.rows - 1;
    let next = Math.min(last, Math.max(0, cursor < 0 ? 0 : cursor + by));
    // Headings are no alerts to be shown.
    if (id !== undefined) while (placeOf(queue.layout, next)?.at === -1 && next + by >= 0 && next + by <= last) next += by;
    if (last < 0) return;
    setRow(next);
    setAnchor(next);
    if (id !== undefined && next !== cursor) openRow(next, false);
  };
  const close = () => {
    open(undefined, false);
    document.getElementById('alert-list')?.focus();
  };
  return { cursor, setCursor, anchor, openRow, step, close };
}

function focusDetail() {
  // After the pane is drawn: the heading takes the focus, so that a screen reader reads on there.
  requestAnimationFrame(() => document.getElementById('detail-title')?.focus({ preventScroll: true }));
}

/** 1 … 5: only this severity; the same again: all. */
function severityKeys(filter: AlertFilter, set: (patch: Partial<AlertFilter>) => void) {
  return Object.fromEntries(
    SEVERITIES.map((severity, at) => [
      String(at + 1),
      () => set({ severity: filter.severity.length === 1 && filter.severity[0] === severity ? [] : [severity] }),
    ]),
  );
}

/** News is read out no more often than this. */
const ANNOUNCE_EVERY_MS = 5000;

/** Tells a screen reader, at a pace that can be listened to. */
function Announce({ text }: { text: string }) {
  const [said, setSaid] = useState('');
  useEffect(() => {
    if (text === said) return undefined;
    const timer = setTimeout(() => setSaid(text), ANNOUNCE_EVERY_MS);
    return () => clearTimeout(timer);
    // A change of `text` must not put the announcement off.
    // oxlint-disable-next-line react/exhaustive-deps
  }, [said, text === said]);
  return <span role="status" className="hidden">{said}</span>;
}

interface SummaryProps {
  queue: Queue;
  by: AlertFilter['by'];
  facets: boolean;
  setFacets: (on: boolean) => void;
}

function Summary({ queue, by, facets, setFacets }: SummaryProps) {
  const { query, total, news, layout } = queue;
  const groups = by === '' ? undefined : (query.data as Facets | undefined)?.groups_total;
  return (
    <div className="summary">
      <button type="button" className="icon-button small" aria-pressed={facets} aria-label={facets ? w.hideFacets : w.showFacets} title={`${facets ? w.hideFacets : w.showFacets} (f)`} onClick={() => setFacets(!facets)}><Icon name="columns" size={14} /></button>
      <h2 data-testid="total">{query.data ? t.alerts.total(total) : t.alerts.title}</h2>
      {groups !== undefined && <span className="note">{w.groups(groups)}</span>}
      {groups !== undefined && groups > layout.sections.length && <span className="note">{w.groupsCut(layout.sections.length)}</span>}
      <span className="gap" />
      <Announce text={news.count > 0 ? t.alerts.fresh(news.count) : ''} />
      <span>
        {(news.count > 0 || news.missed) && (
          <button type="button" className="news" onClick={queue.reload}>
            {news.missed ? t.alerts.missed : t.alerts.fresh(news.count)}
            {!news.missed && <span>{t.alerts.freshHint}</span>}
            <kbd>{'.'}</kbd>
          </button>
        )}
      </span>
    </div>
  );
}

interface RowsProps {
  queue: Queue;
  filter: AlertFilter;
  clear: () => void;
  children: ReactNode;
}

/** The rows, or why there are none. */
function Rows({ queue, filter, clear, children }: RowsProps) {
  const { query, layout } = queue;
  if (!query.data) {
    return query.error ? <Failure error={query.error} retry={query.refetch} /> : <Skeleton rows={14} />;
  }
  return (
    <>
      {query.error && <Failure still error={query.error} retry={query.refetch} />}
      {layout.rows === 0 ? <Nothing filtered={isFiltered(filter)} clear={clear} /> : children}
    </>
  );
}
