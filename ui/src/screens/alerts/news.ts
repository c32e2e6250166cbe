/** Alerts that arrived since the list was drawn. They wait: rows never move under the hands. */
import { useCallback, useEffect, useRef, useState } from 'react';
import type { Alert } from '../../api/types';
import { accepts, type AlertFilter } from '../../lib/filter';
import { arrived } from '../../lib/merge';
import { stream } from '../../live/stream';

export interface News {
  /** New alerts that the filter would show. */
  count: number;
  /** The stream was interrupted: there may be more. */
  missed: boolean;
  clear: () => void;
}

interface Heard {
  filter: AlertFilter;
  ids: ReadonlySet<string>;
  missed: boolean;
}

const NONE: ReadonlySet<string> = new Set();

/** `alerts` is what the list shows, and `whole` whether that is all there is. */
export function useNews(filter: AlertFilter, alerts: readonly Alert[], whole: boolean): News {
  // What was heard belongs to the filter it was heard under.
  const [heard, setHeard] = useState<Heard>({ filter, ids: NONE, missed: false });
  const latest = useRef({ filter, alerts, whole });
  useEffect(() => {
    latest.current = { filter, alerts, whole };
  });
  useEffect(
    () => stream.onRecovery(() => setHeard({ filter: latest.current.filter, ids: NONE, missed: true })),
    [],
  );
  useEffect(
    () =>
      stream.onAlerts((news) => {
        const { filter: asked, alerts: shown, whole: all } = latest.current;
        const now = Date.now();
        const fresh = arrived(shown, all, news)
          .filter((alert) => accepts(asked, alert, now))
          .map((alert) => alert.tocsin.alert.id);
        if (fresh.length === 0) return;
        setHeard((old) => {
          const current = old.filter === asked;
          return { filter: asked, ids: new Set([...(current ? old.ids : NONE), ...fresh]), missed: current && old.missed };
        });
      }),
    [],
  );
  const clear = useCallback(() => setHeard({ filter: latest.current.filter, ids: NONE, missed: false }), []);
  if (heard.filter !== filter) return { count: 0, missed: false, clear };
  return { count: heard.ids.size, missed: heard.missed, clear };
}
