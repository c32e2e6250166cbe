/** Alerts that arrived since the list was drawn. They wait: rows never move under the hands. */
import { useCallback, useEffect, useRef, useState } from 'react';
import type { Alert } from '../../api/types';
import { accepts, type AlertFilter } from '../../lib/filter';
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

export function useNews(filter: AlertFilter, alerts: readonly Alert[]): News {
  // What was heard belongs to the filter it was heard under.
  const [heard, setHeard] = useState<Heard>({ filter, ids: NONE, missed: false });
  const latest = useRef({ filter, alerts });
  useEffect(() => {
    latest.current = { filter, alerts };
  });
  useEffect(
    () => stream.onRecovery(() => setHeard({ filter: latest.current.filter, ids: NONE, missed: true })),
    [],
  );
  useEffect(
    () =>
      stream.onAlert((alert) => {
        const { filter: asked, alerts: shown } = latest.current;
        const id = alert.tocsin.alert.id;
        if (shown.some((old) => old.tocsin.alert.id === id) || !accepts(asked, alert, Date.now())) return;
        setHeard((old) => {
          const ids = old.filter === asked ? old.ids : NONE;
          const missed = old.filter === asked && old.missed;
          return ids.has(id) ? old : { filter: asked, ids: new Set([...ids, id]), missed };
        });
      }),
    [],
  );
  const clear = useCallback(() => setHeard({ filter: latest.current.filter, ids: NONE, missed: false }), []);
  if (heard.filter !== filter) return { count: 0, missed: false, clear };
  return { count: heard.ids.size, missed: heard.missed, clear };
}
