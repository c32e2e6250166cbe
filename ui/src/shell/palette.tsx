/**
 * The palette: one box from which every screen, rule, alert, address and setting is reached. In:
 * what somebody types. Out: another address, or a changed preference. Loaded when it is first opened.
 */
import { useQuery } from '@tanstack/react-query';
import { useEffect, useMemo, useRef, useState, type KeyboardEvent } from 'react';
import { useLocation } from 'wouter';
import { getJson } from '../api/client';
import { useNamedRules } from '../api/content';
import { API } from '../api/queries';
import { stateOf, useSearches } from '../api/searches';
import type { AlertPage } from '../api/types';
import { printFilter } from '../lib/filter';
import { clause } from '../lib/kql';
import { setPrefs } from '../lib/prefs';
import { useRested } from '../lib/rested';
import { searchPath } from '../lib/search';
import { Icon, type IconName } from '../parts/icons';
import { Text } from '../parts/text';
import { t } from '../strings';
import { w } from '../words/palette';

interface Item {
  key: string;
  kind: string;
  name: string;
  icon: IconName;
  to?: string;
  does?: () => void;
}

const SCREENS = ['overview', 'alerts', 'search', 'rules', 'entities', 'sources', 'settings'] as const;

const go = (name: string, icon: IconName, to: string): Item => ({ key: `go ${to}`, kind: w.go, name, icon, to });
const act = (name: string, icon: IconName, does: () => void): Item => ({ key: `do ${name}`, kind: w.act, name, icon, does });

const FIXED: readonly Item[] = [
  ...SCREENS.map((screen) => go(t.nav[screen], screen, `/${screen}`)),
  go(w.openAlerts, 'alerts', `/alerts${printFilter({ status: ['new'] })}`),
  go(w.critical, 'alerts', `/alerts${printFilter({ severity: ['critical', 'high'] })}`),
  go(w.failures, 'search', searchPath({ q: 'event.category: authentication and event.outcome: failure', last: '24h' })),
  go(w.matrix, 'rules', '/rules?view=matrix'),
  go(w.unparsed, 'sources', '/sources#unparsed'),
  go(w.channels, 'settings', '/settings/channels'),
  go(w.bans, 'settings', '/settings/bans'),
  go(w.exceptions, 'settings', '/settings/lists'),
  go(w.audit, 'settings', '/settings/audit'),
  ...(['dark', 'light', 'system'] as const).map((theme) => act(w.theme[theme], 'display', () => setPrefs({ theme }))),
  ...(['utc', 'local'] as const).map((zone) => act(w.zone[zone], 'display', () => setPrefs({ zone }))),
];

const ADDRESS = /^(?:\d{1,3}(?:\.\d{1,3}){3}|[\da-f]*:[\da-f:]+)$/i;
const WORD = /^[\w.@$\\-]{1,64}$/;
const FOUND_MAX = 6;

/** What a text may mean: an address, a user, a host, words in alerts or events. Pure. */
export function meant(text: string): Item[] {
  if (text === '') return [];
  const entity = (kind: string, name: string): Item => ({ key: `${kind} ${text}`, kind: w.entity, name, icon: 'entities', to: `/entities/${kind}/${encodeURIComponent(text)}` });
  const address = ADDRESS.test(text);
  const quoted = address ? clause('related.ip', text) : `"${text.replaceAll(/["\\]/g, '\\$&')}"`;
  return [
    ...(address ? [entity('address', w.address(text))] : []),
    { key: 'alerts', kind: w.find, name: w.alerts(text), icon: 'alerts', to: `/alerts${printFilter({ q: text })}` },
    { key: 'events', kind: w.find, name: w.events(text), icon: 'search', to: searchPath({ q: quoted }) },
    ...(!address && WORD.test(text) ? [entity('user', w.user(text)), entity('host', w.host(text))] : []),
  ];
}

/** Whether all words of `asked` begin a word of `name` or occur in it. */
export const fits = (name: string, asked: string) => {
  const low = name.toLowerCase();
  return asked.toLowerCase().split(/\s+/).every((word) => low.includes(word));
};

function useFound(text: string): Item[] {
  const asked = useRested(text).trim();
  const rules = useNamedRules();
  const alerts = useQuery({
    queryKey: ['palette', asked],
    queryFn: ({ signal }) => getJson<AlertPage>(`${API}/alerts`, { q: asked, limit: '4', lines: 'false' }, signal),
    enabled: asked.length > 1,
    staleTime: 10_000,
  });
  const kept = useSearches().data;
  const trimmed = text.trim();
  return useMemo(() => {
    const fixed = FIXED.filter((item) => fits(`${item.kind} ${item.name}`, trimmed));
    const saved = (kept?.searches ?? []).filter((one) => fits(`${w.kept} ${one.name}`, trimmed)).map((one): Item => ({ key: `kept ${one.id}`, kind: w.kept, name: one.name, icon: 'save', to: searchPath(stateOf(one)) }));
    if (trimmed === '') return [...saved, ...fixed];
    const named = rules?.filter((rule) => fits(rule.title, trimmed) || rule.id === trimmed).slice(0, FOUND_MAX) ?? [];
    const raised = asked === trimmed ? (alerts.data?.alerts ?? []) : [];
    return [
      ...(ADDRESS.test(trimmed) ? meant(trimmed) : []),
      ...saved.slice(0, FOUND_MAX),
      ...fixed,
      ...named.map((rule): Item => ({ key: `rule ${rule.id}`, kind: w.rule, name: rule.title, icon: 'rules', to: `/rules/${encodeURIComponent(rule.id)}` })),
      ...raised.map((alert): Item => ({ key: `alert ${alert.tocsin.alert.id}`, kind: w.alert, name: `${alert.rule.name}: ${alert.tocsin.alert.reason}`, icon: 'alerts', to: `/alerts/${encodeURIComponent(alert.tocsin.alert.id)}` })),
      ...(ADDRESS.test(trimmed) ? [] : meant(trimmed)),
    ];
  }, [trimmed, asked, rules, alerts.data, kept]);
}

export function Palette({ close }: { close: () => void }) {
  const box = useRef<HTMLDialogElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const [text, setText] = useState('');
  const [at, setAt] = useState(0);
  const [, navigate] = useLocation();
  const items = useFound(text);
  const chosen = Math.min(at, items.length - 1);
  useEffect(() => box.current?.showModal(), []);
  useEffect(() => {
    list.current?.children[chosen]?.scrollIntoView({ block: 'nearest' });
  }, [chosen]);
  const run = (item: Item | undefined) => {
    if (!item) return;
    box.current?.close();
    item.does?.();
    if (item.to !== undefined) navigate(item.to);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const by = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
    if (event.key === 'Enter') run(items[chosen]);
    else if (by !== 0) setAt((chosen + by + items.length) % Math.max(1, items.length));
    else return;
    event.preventDefault();
  };
  return (
    <dialog ref={box} className="help palette" aria-label={w.title} onClose={close}>
      <input
        type="text"
        role="combobox"
        aria-expanded
        aria-controls="palette-list"
        aria-activedescendant={items.length > 0 ? `palette-${chosen}` : undefined}
        aria-label={w.box}
        placeholder={w.box}
        value={text}
        spellCheck={false}
        autoComplete="off"
        onChange={(event) => {
          setText(event.target.value);
          setAt(0);
        }}
        onKeyDown={onKeyDown}
      />
      <div ref={list} className="options" id="palette-list" role="listbox" aria-label={w.title}>
        {items.map((item, index) => (
          // The box has the keys.
          // oxlint-disable-next-line jsx-a11y/click-events-have-key-events, jsx-a11y/interactive-supports-focus
          <div key={item.key} id={`palette-${index}`} role="option" aria-selected={index === chosen} onClick={() => run(item)} onMouseMove={() => setAt(index)}>
            <Icon name={item.icon} size={14} />
            <span className="what"><Text text={item.name} /></span>
            <span className="note">{item.kind}</span>
          </div>
        ))}
      </div>
      {items.length === 0 && <p className="note">{w.none}</p>}
      <p className="foot note">{w.hint}</p>
    </dialog>
  );
}
