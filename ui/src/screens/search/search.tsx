/** Search: what was collected, by query, time and field; live if wanted; and rules made of queries. */
import { useCallback, useEffect, useMemo, useState } from 'react';
import { useLocation, useSearch } from 'wouter';
import { ApiError } from '../../api/client';
import { cancelSearch, ROWS_MAX, useRows, type Question } from '../../api/history';
import { queryClient } from '../../api/queries';
import type { EcsEvent } from '../../lib/event';
import { useKeys } from '../../lib/keys';
import { valuesIn } from '../../lib/kql';
import { nowMs } from '../../lib/now';
import { resolved, shifted } from '../../lib/range';
import { parseSearch, printSearch, type SearchState } from '../../lib/search';
import { Failure, Guard, Skeleton } from '../../parts/panel';
import { TimeRangePicker } from '../../parts/timerange';
import { Icon } from '../../parts/icons';
import { t } from '../../strings';
import { w as r } from '../../words/rule';
import { w } from '../../words/search';
import '../../styles/search.css';
import { QUERY_ID, QueryBox } from './box';
import { Histogram } from './histogram';
import { KEPT_ID, Kept } from './kept';
import { useLive, type Live } from './live';
import { More } from './more';
import { Nothing } from './nothing';
import { Results } from './results';
import { SaveRule } from './saverule';
import { Sidebar } from './sidebar';
import '../../styles/alerts.css';

/** The search in the URL, the same object until the URL changes. */
function useSearchState(): [SearchState, (patch: Partial<SearchState>) => void] {
  const search = useSearch();
  const [, navigate] = useLocation();
  const state = useMemo(() => parseSearch(search), [search]);
  const set = useCallback((patch: Partial<SearchState>) => navigate(`/search${printSearch({ ...state, ...patch })}`), [navigate, state]);
  return [state, set];
}

/** The question that the URL asks, with its time made absolute; `again` asks it anew. */
function useQuestion(state: SearchState): [Question, () => void] {
  const [round, setRound] = useState(0);
  const { q, last, from, to, order } = state;
  const question = useMemo((): Question => {
    const run = nowMs();
    return { q, ...resolved({ last, from, to }, run), order, run, round };
  }, [q, last, from, to, order, round]);
  const again = useCallback(() => {
    void queryClient.invalidateQueries({ queryKey: ['fields'] });
    setRound((before) => before + 1);
  }, []);
  return [question, again];
}

/** Which rows are open and where the keyboard is. */
function useRowsState(events: readonly EcsEvent[], question: Question) {
  const [cursor, setCursor] = useState(-1);
  const [opened, setOpened] = useState<ReadonlySet<string>>(new Set());
  const [of, setOf] = useState(question);
  if (of !== question) {
    setOf(question);
    setCursor(-1);
    setOpened(new Set());
  }
  const toggle = useCallback((id: string) => setOpened((before) => {
    const after = new Set(before);
    if (!after.delete(id)) after.add(id);
    return after;
  }), []);
  const step = (by: number) => setCursor((at) => Math.min(events.length - 1, Math.max(0, at + by)));
  return { cursor, setCursor, opened, toggle, step };
}

const idAt = (events: readonly EcsEvent[], at: number) => {
  const event = events[at]?.['event'] as { id?: string } | undefined;
  return event?.id ?? String(at);
};

function useRowKeys(rows: ReturnType<typeof useRowsState>, events: readonly EcsEvent[]) {
  const open = () => rows.cursor >= 0 && rows.toggle(idAt(events, rows.cursor));
  useKeys({
    j: () => rows.step(1),
    k: () => rows.step(-1),
    ArrowDown: () => rows.step(1),
    ArrowUp: () => rows.step(-1),
    Enter: open,
    o: open,
  });
}

export function Search() {
  const [state, set] = useSearchState();
  const [question, again] = useQuestion(state);
  const [live, setLive] = useState(false);
  const [saving, setSaving] = useState(false);
  const [fields, setFields] = useState(() => innerWidth > 900);
  const query = useRows(question);
  const pages = query.data?.pages;
  const found = useMemo(() => pages?.flatMap((page) => page.events) ?? [], [pages]);
  const [away, setAway] = useState(false);
  const rows = useRowsState(found, question);
  const tail = useLive(live, state.q, away || rows.opened.size > 0);
  const events = live ? tail.events : found;
  const marks = useMemo(() => valuesIn(state.q), [state.q]);
  useEffect(() => {
    document.title = t.title(state.q === '' ? w.title : state.q);
  }, [state.q]);
  useRowKeys(rows, events);
  useKeys({
    Escape: () => (saving ? setSaving(false) : query.isFetching ? void cancelSearch() : undefined),
    '/': () => document.getElementById(QUERY_ID)?.focus(),
    '[': () => set(shifted(state, -1, Date.now())),
    ']': () => set(shifted(state, 1, Date.now())),
    r: again,
    l: () => setLive(!live),
    s: () => setSaving(true),
    w: () => document.getElementById(KEPT_ID)?.click(),
  });
  const error = query.error instanceof ApiError && query.error.status === 400 ? query.error : undefined;
  const busy = query.isFetching && !query.isFetchingNextPage;
  return (
    <div className={`searching${saving ? ' split' : ''}${fields ? ' with-fields' : ''}`}>
      <h1 className="hidden">{w.title}</h1>
      <section className="asking" aria-label={w.title}>
        <Bar state={state} set={set} question={question} again={again} error={error} busy={busy && !live} live={live} setLive={setLive} saving={saving} setSaving={setSaving} total={pages?.[0]?.total ?? 0} />
        {!live && !error && <Histogram question={question} pick={(from, to) => set({ last: '', from, to })} />}
        <Summary query={query} live={live} tail={tail} state={state} set={set} fields={fields} setFields={setFields} shown={events.length} />
        <div className={query.isPlaceholderData && !live ? 'found old' : 'found'}>
          {fields && <Sidebar state={state} set={set} question={question} />}
          <Body query={query} again={again} events={events} live={live} state={state} set={set} refused={error !== undefined}>
            <Results
              events={events}
              total={live ? events.length : (pages?.[0]?.total ?? 0)}
              columns={state.columns}
              marks={marks}
              cursor={rows.cursor}
              setCursor={rows.setCursor}
              opened={rows.opened}
              toggle={rows.toggle}
              more={!live && query.hasNextPage && !query.isFetchingNextPage && !query.error ? query.fetchNextPage : undefined}
              scrolled={setAway}
            />
          </Body>
        </div>
      </section>
      {saving && <Guard><SaveRule q={state.q} close={() => setSaving(false)} /></Guard>}
    </div>
  );
}

interface BarProps {
  state: SearchState;
  set: (patch: Partial<SearchState>) => void;
  question: Question;
  again: () => void;
  error: ApiError | undefined;
  busy: boolean;
  live: boolean;
  setLive: (on: boolean) => void;
  saving: boolean;
  setSaving: (on: boolean) => void;
  total: number;
}

function Bar({ state, set, question, again, error, busy, live, setLive, saving, setSaving, total }: BarProps) {
  return (
    <div className="searchbar" role="search">
      <QueryBox q={state.q} last={state.last} run={(q) => (q === state.q ? again() : set({ q }))} error={error} />
      <TimeRangePicker range={state} set={set} />
      {busy
        ? <button type="button" className="button" onClick={() => void cancelSearch()}><Icon name="stop" size={12} />{w.cancel}<kbd>{'Esc'}</kbd></button>
        : <button type="button" className="button" onClick={again}><Icon name="search" size={12} />{w.run}<kbd>{'r'}</kbd></button>}
      <button type="button" className="button" aria-pressed={live} onClick={() => setLive(!live)}><Icon name={live ? 'stop' : 'play'} size={12} />{live ? w.live.stop : w.live.start}<kbd>{'l'}</kbd></button>
      <button type="button" className="button" aria-pressed={saving} onClick={() => setSaving(!saving)}><Icon name="rules" size={13} />{r.rule.save}<kbd>{'s'}</kbd></button>
      <Kept state={state} />
      <More state={state} question={question} total={total} />
    </div>
  );
}

type Query = ReturnType<typeof useRows>;

interface SummaryProps {
  query: Query;
  live: boolean;
  tail: Live;
  state: SearchState;
  set: (patch: Partial<SearchState>) => void;
  fields: boolean;
  setFields: (on: boolean) => void;
  shown: number;
}

function Summary({ query, live, tail, state, set, fields, setFields, shown }: SummaryProps) {
  const first = query.data?.pages[0];
  const partial = query.data?.pages.some((page) => page.partial) ?? false;
  const missing = query.data?.pages.find((page) => page.missing)?.missing;
  return (
    <div className="summary">
      <button type="button" className="icon-button small" aria-pressed={fields} aria-label={fields ? w.fields.hide : w.fields.show} title={fields ? w.fields.hide : w.fields.show} onClick={() => setFields(!fields)}><Icon name="columns" size={14} /></button>
      <h2 aria-live="polite" data-testid="found">{live ? w.live.on : first ? w.summary.found(first.total) : w.title}</h2>
      {!live && first && <span className="note">{w.summary.took(first.took_ms)}</span>}
      {!live && first && shown < first.total && <span className="note">{shown >= ROWS_MAX ? w.summary.capped(shown) : w.summary.loaded(shown)}</span>}
      {!live && query.data?.pages.some((page) => page.archived) && <span className="note">{w.summary.archived}</span>}
      {!live && partial && <span className="note warn" role="alert"><Icon name="warn" size={13} />{missing ? w.summary.missing(missing) : w.summary.partial}</span>}
      {live && tail.skipped > 0 && <span className="note warn">{w.live.skipped(tail.skipped)}</span>}
      {live && tail.error && <span className="note warn" role="alert">{`${w.live.failed}: ${tail.error.message}`}</span>}
      <span className="gap" />
      {live && tail.held > 0 && <button type="button" className="news" onClick={tail.release}>{w.live.held(tail.held)}</button>}
      {!live && query.isFetchingNextPage && <span className="note" role="status">{w.summary.loading}</span>}
      {!live && (
        <button type="button" className="text-button" onClick={() => set({ order: state.order === 'desc' ? 'asc' : 'desc' })}>
          {state.order === 'desc' ? w.summary.newest : w.summary.oldest}
        </button>
      )}
    </div>
  );
}

interface BodyProps {
  query: Query;
  again: () => void;
  events: readonly EcsEvent[];
  live: boolean;
  state: SearchState;
  set: (patch: Partial<SearchState>) => void;
  refused: boolean;
  children: React.ReactNode;
}

/** The rows, or why there are none. */
function Body({ query, again, events, live, state, set, refused, children }: BodyProps) {
  if (live) return events.length > 0 ? children : <div className="state"><Icon name="play" size={28} /><p role="status">{w.live.waiting}</p></div>;
  if (refused) return <div className="state"><Icon name="cross" size={28} /><p><b>{query.error?.message}</b></p></div>;
  if (query.isPlaceholderData || query.isFetching) {
    if (query.data && events.length > 0) return children;
    return <Skeleton rows={14} />;
  }
  if (query.error && events.length === 0) return <Failure error={query.error} retry={query.refetch} />;
  if (!query.data) return <div className="state"><h2>{w.cancelled}</h2><button type="button" className="button" onClick={again}>{w.again}</button></div>;
  if (events.length === 0) return <Nothing state={state} set={set} />;
  return (
    <div className="column">
      {query.error && <Failure still error={query.error} retry={query.fetchNextPage} />}
      {children}
    </div>
  );
}
