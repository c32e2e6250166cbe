/** Alerts: the list that is worked through, with the chosen alert beside it. */
import { useCallback, useEffect, useMemo, useState } from 'react';
import { useLocation, useSearch } from 'wouter';
import { queryClient, useAlerts, type AlertPages } from '../../api/queries';
import { SEVERITIES, type Alert } from '../../api/types';
import { isFiltered, NO_FILTER, parseFilter, printFilter, type AlertFilter } from '../../lib/filter';
import { useKeys } from '../../lib/keys';
import { number } from '../../lib/time';
import { Failure, Guard, Skeleton } from '../../parts/panel';
import { t } from '../../strings';
import { Detail } from './detail';
import { FilterBar, SEARCH_ID } from './filterbar';
import { List } from './list';
import { Nothing } from './nothing';
import { useNews } from './news';

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

const NONE: Alert[] = [];

/** All that the list and its neighbours need to know. */
function useQueue(filter: AlertFilter) {
  const query = useAlerts(filter);
  const pages = query.data?.pages;
  const alerts = useMemo(() => pages?.flatMap((page) => page.alerts) ?? NONE, [pages]);
  const news = useNews(filter, alerts, !query.hasNextPage);
  const { refetch } = query;
  const { clear } = news;
  const reload = useCallback(() => {
    clear();
    queryClient.setQueryData<AlertPages>(['alerts', 'list', filter], (old) =>
      old && { pages: old.pages.slice(0, 1), pageParams: old.pageParams.slice(0, 1) });
    void refetch();
  }, [clear, filter, refetch]);
  // An empty list has no rows that could move: news may come in by itself.
  const empty = query.data !== undefined && alerts.length === 0 && news.count > 0;
  useEffect(() => {
    if (empty) reload();
  }, [empty, reload]);
  return { query, alerts, total: pages?.[0]?.total ?? 0, news, reload };
}

export function Alerts({ id }: { id: string | undefined }) {
  const [filter, setFilter] = useFilter(id);
  const [, navigate] = useLocation();
  const queue = useQueue(filter);
  const [cursor, setCursor] = useState<string | undefined>(id);
  const search = printFilter(filter);
  const open = useCallback(
    (next: string | undefined, replace: boolean) => {
      if (next !== undefined) setCursor(next);
      navigate(`/alerts${next === undefined ? '' : `/${encodeURIComponent(next)}`}${search}`, { replace });
    },
    [navigate, search],
  );
  useEffect(() => {
    if (id === undefined) document.title = t.title(t.alerts.title);
  }, [id]);
  const at = queue.alerts.findIndex((alert) => alert.tocsin.alert.id === (id ?? cursor));
  const step = (by: number) => {
    const next = queue.alerts[at < 0 ? 0 : Math.min(queue.alerts.length - 1, Math.max(0, at + by))]?.tocsin.alert.id;
    if (next === undefined) return;
    setCursor(next);
    if (id !== undefined) open(next, true);
  };
  const close = () => {
    if (id !== undefined) {
      open(undefined, false);
      document.getElementById('alert-list')?.focus();
    } else if (isFiltered(filter)) setFilter(NO_FILTER);
  };
  useKeys({
    j: () => step(1),
    k: () => step(-1),
    ArrowDown: () => step(1),
    ArrowUp: () => step(-1),
    Enter: () => openAndFocus(queue.alerts[Math.max(0, at)]?.tocsin.alert.id, open),
    o: () => openAndFocus(queue.alerts[Math.max(0, at)]?.tocsin.alert.id, open),
    Escape: close,
    '.': queue.reload,
    '/': () => document.getElementById(SEARCH_ID)?.focus(),
    ...severityKeys(filter, setFilter),
  });
  return (
    <div className={`alerts${id === undefined ? '' : ' split'}${queue.query.isPlaceholderData ? ' old' : ''}`}>
      <h1 className="hidden">{t.alerts.title}</h1>
      <section className="queue" aria-label={t.alerts.label}>
        <FilterBar filter={filter} set={setFilter} ruleTitle={queue.alerts.find((alert) => alert.rule.id === filter.rule)?.rule.name} />
        <Summary queue={queue} />
        <Rows queue={queue} filter={filter} clear={() => setFilter(NO_FILTER)} cursor={id ?? cursor} pick={(next) => open(next, id !== undefined)} open={id} />
      </section>
      {id !== undefined && (
        <Guard key={id}>
          <Detail id={id} close={close} step={step} place={at} of={queue.alerts.length} />
        </Guard>
      )}
    </div>
  );
}

function openAndFocus(id: string | undefined, open: (id: string, replace: boolean) => void) {
  if (id === undefined) return;
  open(id, false);
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

type Queue = ReturnType<typeof useQueue>;

function Summary({ queue }: { queue: Queue }) {
  const { query, alerts, total, news } = queue;
  return (
    <div className="summary">
      <h2 data-testid="total">{query.data ? t.alerts.total(total) : t.alerts.title}</h2>
      {alerts.length < total && query.data && <span className="note">{t.alerts.shown(alerts.length)}</span>}
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
  cursor: string | undefined;
  open: string | undefined;
  pick: (id: string) => void;
}

function Rows({ queue, filter, clear, cursor, open, pick }: RowsProps) {
  const { query, alerts, total } = queue;
  if (!query.data) {
    return query.error ? <Failure error={query.error} retry={query.refetch} /> : <Skeleton rows={14} />;
  }
  return (
    <>
      {query.error && <Failure still error={query.error} retry={() => (query.isFetchNextPageError ? query.fetchNextPage() : query.refetch())} />}
      {alerts.length === 0 ? (
        <Nothing filtered={isFiltered(filter)} clear={clear} />
      ) : (
        <List
          alerts={alerts}
          total={total}
          cursor={cursor}
          open={open}
          pick={pick}
          more={query.hasNextPage && !query.isFetchingNextPage && !query.error ? query.fetchNextPage : undefined}
        />
      )}
      {query.isFetchingNextPage && <p className="note loading" role="status">{t.alerts.loadingMore} {number(alerts.length)}</p>}
    </>
  );
}
