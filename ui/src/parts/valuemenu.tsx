/** What there is to do with a value, where it is shown. In: field and value. Out: another address. */
import { useEffect, useRef, type KeyboardEvent } from 'react';
import { useLocation } from 'wouter';
import { copy } from '../lib/copy';
import { entityPath } from '../lib/event';
import { excludingValue, parseFilter, partOf, printFilter, wanting } from '../lib/filter';
import { clause, excluding, including } from '../lib/kql';
import { NO_SEARCH, parseSearch, searchPath, type SearchState } from '../lib/search';
import { w } from '../words/search';
import { Icon, type IconName } from './icons';
import { Text } from './text';
import { SHOWN_CHARS, type Asked } from './value';

/** The search that is on the page, or the one to start with. */
function searchNow(): SearchState {
  return location.pathname === '/search' ? parseSearch(location.search) : NO_SEARCH;
}

interface Act {
  name: string;
  icon: IconName;
  to?: string;
  does?: () => void;
}

const PRIVATE = /^(?:10\.|127\.|169\.254\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|::1$|f[cd]|fe80:)/i;

/** Where others know more about a value; nothing of what is only ours is told to anybody. */
export function lookUp(field: string, value: string): string | undefined {
  const at = (kind: string) => `https://www.virustotal.com/gui/${kind}/${encodeURIComponent(value)}`;
  if (/\.hash\.(?:md5|sha1|sha256)$/.test(field)) return at('file');
  if (/(?:^|\.)ip$|^related\.ip$/.test(field)) return PRIVATE.test(value) ? undefined : at('ip-address');
  return /^(?:dns\.question\.name|url\.domain|destination\.domain)$/.test(field) && value.includes('.') ? at('domain') : undefined;
}

/** What there is to do with the list of alerts that is on the page. */
function actsOfAlerts(field: string, value: string): Act[] {
  const filter = parseFilter(location.search);
  const to = (patch: Partial<typeof filter>) => location.pathname + printFilter({ ...filter, ...patch });
  const part = partOf(field);
  const only: Act = { name: w.value.alertsInclude, icon: 'plus', to: to(part === undefined ? { q: value } : wanting(filter, part, value)) };
  if (part === undefined) return [only];
  return [
    only,
    { name: w.value.alertsExclude, icon: 'minus', to: to(excludingValue(filter, part, value)) },
    { name: w.value.alertsGroup(part), icon: 'chart', to: to({ by: part }) },
  ];
}

function actsOf({ field, value }: Asked): Act[] {
  const now = searchNow();
  const one = clause(field, value);
  const entity = entityPath(field, value);
  const outside = lookUp(field, value);
  const leads: Act[] = [
    ...(entity === undefined ? [] : [{ name: w.value.entity, icon: 'arrow' as const, to: entity }]),
    ...(outside === undefined ? [] : [{ name: w.value.lookUp, icon: 'link' as const, does: () => void window.open(outside, '_blank', 'noopener,noreferrer') }]),
    { name: w.value.copy, icon: 'copy', does: () => void copy(value) },
  ];
  if (/^\/alerts(?:\/|$)/.test(location.pathname)) {
    return [
      ...actsOfAlerts(field, value),
      // A rule's name is no field of events.
      ...(field === 'rule.id' ? [] : [{ name: w.value.events, icon: 'search' as const, to: searchPath({ ...NO_SEARCH, q: one }) }]),
      ...leads,
    ];
  }
  return [
    { name: w.value.include, icon: 'plus', to: searchPath({ ...now, q: including(now.q, one) }) },
    { name: w.value.exclude, icon: 'minus', to: searchPath({ ...now, q: excluding(now.q, one) }) },
    { name: w.value.only, icon: 'search', to: searchPath({ ...now, q: one }) },
    { name: w.value.group, icon: 'chart', to: searchPath({ ...now, by: field }) },
    { name: w.value.alerts, icon: 'alerts', to: `/alerts${printFilter({ q: value })}` },
    ...leads,
  ];
}

const MENU_WIDTH_PX = 240;
const EDGE_PX = 8;

/** Puts the menu beside what was clicked, inside the window. */
function place(menu: HTMLElement, anchor: HTMLElement) {
  const box = anchor.getBoundingClientRect();
  const height = menu.offsetHeight;
  const below = box.bottom + 4;
  menu.style.left = `${Math.max(EDGE_PX, Math.min(box.left, innerWidth - MENU_WIDTH_PX - EDGE_PX))}px`;
  menu.style.top = `${below + height < innerHeight - EDGE_PX ? below : Math.max(EDGE_PX, box.top - height - 4)}px`;
}

export function Menu({ asked: current, hide }: { asked: Asked; hide: () => void }) {
  const menu = useRef<HTMLDivElement>(null);
  const [, navigate] = useLocation();
  useEffect(() => {
    const element = menu.current;
    if (!element) return;
    element.showPopover();
    place(element, current.anchor);
    element.querySelector('button')?.focus();
  }, [current]);
  const leave = () => {
    hide();
    // A cell of a grid cannot be focused; its grid has the keys.
    if (current.anchor.isConnected) (current.anchor.closest<HTMLElement>('button, [role=grid], [role=treegrid]') ?? current.anchor).focus({ preventScroll: true });
  };
  const run = (act: Act) => {
    leave();
    act.does?.();
    if (act.to !== undefined) navigate(act.to);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const items = [...(menu.current?.querySelectorAll('button') ?? [])];
    const at = items.findIndex((item) => item === document.activeElement);
    const by = event.key === 'ArrowDown' || event.key === 'j' ? 1 : event.key === 'ArrowUp' || event.key === 'k' ? -1 : 0;
    if (event.key === 'Escape' || event.key === 'Tab') leave();
    else if (by !== 0) items[(at + by + items.length) % items.length]?.focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div
      ref={menu}
      popover="manual"
      role="menu"
      tabIndex={-1}
      className="menu value-menu"
      aria-label={w.value.menu(current.value.slice(0, SHOWN_CHARS))}
      onKeyDown={onKeyDown}
      onBlur={(event) => !event.currentTarget.contains(event.relatedTarget) && hide()}
    >
      <p className="mono" role="presentation"><span className="field"><Text text={current.field} /></span> <Text text={current.value.slice(0, SHOWN_CHARS)} /></p>
      {actsOf(current).map((act) => (
        <button key={act.name} type="button" role="menuitem" tabIndex={-1} onClick={() => run(act)}>
          <Icon name={act.icon} size={13} />{act.name}
        </button>
      ))}
    </div>
  );
}
