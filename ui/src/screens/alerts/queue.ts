/** The list as it is worked through: its rows, where the keyboard is, what is selected. */
import { useQuery } from '@tanstack/react-query';
import { useCallback, useEffect, useMemo, useState } from 'react';
import { pageQuery, PAGE_ALERTS, useFacets } from '../../api/triage';

import { getJson } from '../../api/client';
import { API, queryClient } from '../../api/queries';
import type { Alert, AlertPage, Facets } from '../../api/types';
import { filterParams, type AlertFilter } from '../../lib/filter';
import { w } from '../../words/alerts';
import type { Target } from './bulk';
import { groupKey, layOut, placeOf, rowOf, type Layout, type Section } from './layout';
import type { Selection } from './list';
import { useNews } from './news';

const NONE: Alert[] = [];
const WHOLE = 'all';
const NOTHING: Selection = { ids: new Set(), groups: new Set(), all: false };

/** Just after the newest alert that is shown: what comes later does not belong to this reading. */
const justAfter = (time: string | undefined) => (time === undefined ? '' : new Date(Date.parse(time) + 1).toISOString());

/** Groups as they were when the list was read. */
function useGroups(filter: AlertFilter, round: number) {
  const params = filterParams(filter);
  return useQuery({
    queryKey: ['alerts', 'groups', params, filter.by, round],
    queryFn: ({ signal }) => getJson<Facets>(`${API}/alerts/facets`, { ...params, group: filter.by }, signal),
    enabled: filter.by !== '',
    staleTime: Number.POSITIVE_INFINITY,
    refetchOnWindowFocus: false,
    refetchOnReconnect: false,
  });
}

export function useQueue(filter: AlertFilter) {
  const [round, setRound] = useState(0);
  const [opened, setOpened] = useState<ReadonlySet<string>>(new Set());
  const params = useMemo(() => filterParams(filter), [filter]);
  const first = useQuery(pageQuery({ params, page: 0, until: '', round }));
  const groups = useGroups(filter, round);
  const facets = useFacets(useMemo(() => ({ ...filter, by: '' as const }), [filter]), round);
  const query = filter.by === '' ? first : groups;
  const total = (filter.by === '' ? first.data?.total : groups.data?.total) ?? 0;
  const until = filter.to !== '' ? filter.to : justAfter(first.data?.alerts[0]?.['@timestamp']);
  const layout = useMemo((): Layout => {
    if (filter.by === '') return layOut([{ key: WHOLE, query: {}, count: total, open: true }]);
    const sections = groups.data?.groups.map((group): Section => {
      const key = groupKey(group.query);
      return { key, group, query: group.query, count: group.alerts, open: opened.has(key) };
    });
    return layOut(sections ?? []);
  }, [filter.by, total, groups.data, opened]);
  const question = useCallback(
    (section: Section, page: number) => ({ params: { ...params, ...section.query }, page, until: section.key === WHOLE && page === 0 ? '' : until, round }),
    [params, until, round],
  );
  const alerts = first.data?.alerts ?? NONE;
  const news = useNews(filter, alerts, (first.data?.total ?? 0) <= alerts.length);
  const { clear } = news;
  const reload = useCallback(() => {
    clear();
    setRound((before) => before + 1);
  }, [clear]);
  // An empty list has no rows that could move: news may come in by itself.
  const empty = query.data !== undefined && layout.rows === 0 && news.count > 0;
  useEffect(() => {
    if (!empty) return undefined;
    const timer = setTimeout(reload);
    return () => clearTimeout(timer);
  }, [empty, reload]);
  const turn = useCallback((key: string) => setOpened((before) => {
    const after = new Set(before);
    if (!after.delete(key)) after.add(key);
    return after;
  }), []);
  return { query, facets, total, layout, question, news, reload, turn, alerts };
}

export type Queue = ReturnType<typeof useQueue>;

/** The alert of a row, when its page has come. */
export function alertIn({ layout, question }: Queue, row: number): Alert | undefined {
  const place = placeOf(layout, row);
  if (!place || place.at < 0) return undefined;
  const { queryKey } = pageQuery(question(place.section, Math.floor(place.at / PAGE_ALERTS)));
  return queryClient.getQueryData<AlertPage>(queryKey)?.alerts[place.at % PAGE_ALERTS];
}

/** The alert of a row, fetched if need be. */
export async function fetchAlertIn({ layout, question }: Queue, row: number): Promise<Alert | undefined> {
  const place = placeOf(layout, row);
  if (!place || place.at < 0) return undefined;
  const page = await queryClient.fetchQuery(pageQuery(question(place.section, Math.floor(place.at / PAGE_ALERTS))));
  return page.alerts[place.at % PAGE_ALERTS];
}

/** The row of an alert, if a page that has come holds it. */
export function rowWith({ layout, question }: Queue, id: string): number {
  for (const section of layout.sections) {
    if (!section.open) continue;
    for (let page = 0; page * PAGE_ALERTS < section.count; page += 1) {
      const held = queryClient.getQueryData<AlertPage>(pageQuery(question(section, page)).queryKey);
      const at = held?.alerts.findIndex((alert) => alert.tocsin.alert.id === id) ?? -1;
      if (at >= 0) return rowOf(layout, section.key, page * PAGE_ALERTS + at);
      // Beyond a gap nothing was read, but for what was jumped to.
      if (!held && page > 20) break;
    }
  }
  return -1;
}

export function useSelection(queue: Queue, filter: AlertFilter) {
  const [selection, setSelection] = useState(NOTHING);
  const [of, setOf] = useState(filter);
  if (of !== filter) {
    setOf(filter);
    setSelection(NOTHING);
  }
  const { layout } = queue;
  const select = (row: number) => {
    const place = placeOf(layout, row);
    if (!place) return;
    const id = place.at < 0 ? undefined : alertIn(queue, row)?.tocsin.alert.id;
    setSelection((before) => {
      const [ids, groups] = [new Set(before.ids), new Set(before.groups)];
      if (id !== undefined && !ids.delete(id)) ids.add(id);
      if (place.at < 0 && !groups.delete(place.section.key)) groups.add(place.section.key);
      return { ids, groups, all: false };
    });
  };
  const range = (from: number, to: number) => {
    const added: string[] = [];
    for (let row = Math.min(from, to); row <= Math.max(from, to); row += 1) {
      const id = alertIn(queue, row)?.tocsin.alert.id;
      if (id !== undefined) added.push(id);
    }
    setSelection((before) => ({ ...before, ids: new Set([...before.ids, ...added]), all: false }));
  };
  const all = () => setSelection((before) => ({ ...NOTHING, all: !before.all }));
  const clear = () => setSelection(NOTHING);
  const some = selection.all || selection.ids.size + selection.groups.size > 0;
  return { selection, select, range, all, clear, some };
}

/** Ids of one query. */
const IDS_MAX = 500;

/** What is to be changed: what is selected, or else the row that is marked. */
export function targetOf(queue: Queue, filter: AlertFilter, selection: Selection, cursor: number): Target | undefined {
  const params = filterParams(filter);
  const { sections } = queue.layout;
  if (selection.all) return { queries: [params], hit: () => true, count: queue.total, words: w.allSelected(queue.total) };
  const chosen = sections.filter((section) => selection.groups.has(section.key));
  const place = placeOf(queue.layout, cursor);
  if (chosen.length + selection.ids.size === 0) {
    if (!place) return undefined;
    if (place.at < 0) return ofSections([place.section], params, w.group(place.section.count));
    const id = alertIn(queue, cursor)?.tocsin.alert.id;
    return id === undefined ? undefined : { queries: [{ id }], hit: (alert) => alert.tocsin.alert.id === id, count: 1, words: w.one };
  }
  const ids = [...selection.ids];
  const count = chosen.reduce((sum, section) => sum + section.count, ids.length);
  const groups = ofSections(chosen, params, '');
  const queries: Record<string, string>[] = [...groups.queries];
  for (let at = 0; at < ids.length; at += IDS_MAX) queries.push({ id: ids.slice(at, at + IDS_MAX).join(',') });
  return { queries, hit: (alert) => selection.ids.has(alert.tocsin.alert.id) || groups.hit(alert), count, words: w.selected(count) };
}

const has = (alert: Alert, query: Record<string, string>) => Object.entries(query).every(([name, value]) => VALUES[name]?.(alert) === value);

function ofSections(sections: readonly Section[], params: Record<string, string>, words: string): Target {
  return {
    queries: sections.map((section) => ({ ...params, ...section.query })),
    hit: (alert) => sections.some((section) => has(alert, section.query)),
    count: sections.reduce((sum, section) => sum + section.count, 0),
    words,
  };
}

const text = (alert: Alert, first: string, second: string) => {
  const value = (alert[first] as Record<string, unknown> | undefined)?.[second];
  return value === undefined ? '-' : String(value);
};

const VALUES: Record<string, (alert: Alert) => string> = {
  rule: (alert) => alert.rule.id,
  source: (alert) => text(alert, 'source', 'ip'),
  user: (alert) => text(alert, 'user', 'name'),
  host: (alert) => text(alert, 'host', 'name'),
  incident: (alert) => String(alert.tocsin.alert.incident ?? 0),
};

