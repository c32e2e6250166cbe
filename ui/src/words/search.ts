/** Words of the Search screen, and of what other screens share with it: ranges, values. */
import { LOCALE } from '../strings';

const digits = new Intl.NumberFormat(LOCALE);
const n = (value: number) => digits.format(value);
const many = (value: number, one: string, more: string) => `${n(value)} ${value === 1 ? one : more}`;

const last: Record<string, string> = {
  '15m': 'Last 15 minutes',
  '1h': 'Last hour',
  '4h': 'Last 4 hours',
  '24h': 'Last 24 hours',
  '7d': 'Last 7 days',
  '30d': 'Last 30 days',
};

export const w = {
  title: 'Search',
  box: 'Query',
  placeholder: 'Search events, for example  event.outcome: failure and source.ip: 192.0.2.0/24',
  hint: 'Enter searches, Shift+Enter starts a line, the arrow keys choose a completion',
  run: 'Search',
  cancel: 'Cancel',
  cancelled: 'The search was cancelled',
  again: 'Search again',
  wrongAt: (position: number) => `At character ${n(position)}: `,
  completions: 'Completions',
  coverage: (part: string) => `${part} of events`,
  events: (count: number) => many(count, 'event', 'events'),

  range: {
    label: 'Time range',
    presets: 'Relative',
    last: (text: string) => last[text] ?? `Last ${text}`,
    all: 'All time',
    between: (from: string, to: string) => `${from} – ${to}`,
    open: '…',
    since: (from: string) => `Since ${from}`,
    until: (to: string) => `Until ${to}`,
    typed: 'From – to',
    from: 'From',
    to: 'To',
    fromHint: '-4h, yesterday, 2026-11-20 08:15',
    toHint: 'now',
    apply: 'Apply',
    wrong: 'Cannot be read as a range. Write -4h, today, yesterday, 2026-11-20 or 2026-11-20 08:15; the start before the end.',
    zone: (zone: string) => `Times without a zone are in ${zone}.`,
    earlier: 'Earlier',
    later: 'Later',
  },

  summary: {
    found: (count: number) => many(count, 'event', 'events'),
    took: (ms: number) => `in ${n(ms)} ms`,
    partial: 'The time limit came first: this is what was found until then, more may match.',
    missing: (why: string) => `Archived days are missing: ${why}`,
    archived: 'with days from the archive, which takes longer',
    loaded: (count: number) => `${n(count)} loaded`,
    newest: 'Newest first',
    oldest: 'Oldest first',
    capped: (count: number) => `The first ${n(count)} are shown. Narrow the search, or export it.`,
    loading: 'Loading more …',
  },

  chart: { title: 'Events over time', hint: 'Drag to choose a stretch of time' },

  live: {
    start: 'Live',
    stop: 'Stop',
    on: 'Live: newest on top',
    held: (count: number) => `${n(count)} new – show`,
    skipped: (count: number) => `${n(count)} went by too fast to show`,
    failed: 'Live view stopped',
    waiting: 'Waiting for the next event that matches …',
  },

  fields: {
    title: 'Fields',
    filter: 'Filter fields',
    columns: 'Columns',
    hide: 'Hide fields',
    show: 'Show fields',
    none: 'No event has been stored yet',
    noneMatch: 'No field is called so',
    open: (name: string) => `Top values of ${name}`,
    add: (name: string) => `Add column ${name}`,
    remove: (name: string) => `Remove column ${name}`,
    values: 'Top values of what was found',
    noValues: 'None of these events has it',
    partial: 'Counted as far as time allowed',
    exists: 'Only events that have it',
    share: (part: string) => `in ${part} of all stored events`,
    include: (value: string) => `Only events with ${value}`,
    exclude: (value: string) => `Without events with ${value}`,
    uncountable: 'Its values cannot be counted',
  },

  row: {
    time: 'Time',
    line: 'Event',
    expand: 'Show all fields',
    collapse: 'Hide fields',
    copyJson: 'Copy as JSON',
    copyLink: 'Copy link',
    copied: 'Copied',
    around: 'Surrounding events',
    more: (count: number) => `Show all ${n(count)} characters`,
    fields: 'Fields of the event',
    table: 'Events found',
  },

  value: {
    menu: (value: string) => `What to do with ${value}`,
    include: 'Only events with it',
    exclude: 'Without events with it',
    only: 'Search for this alone',
    group: 'Top values of the field',
    alerts: 'Alerts with it',
    alertsInclude: 'Only alerts with it',
    alertsExclude: 'Without alerts with it',
    alertsGroup: (part: string) => ({ rule: 'Group alerts by rule', source: 'Group alerts by source address', user: 'Group alerts by user', host: 'Group alerts by host' })[part] ?? 'Group alerts',
    events: 'Search events with it',
    entity: 'Open its page',
    lookUp: 'Look it up at VirusTotal',
    copy: 'Copy',
  },

  empty: {
    noData: 'No events have been stored',
    noDataText: 'Nothing arrives, or nothing was kept. See Sources for what is connected.',
    sources: 'Open Sources',
    filtered: 'No event matches',
    filteredText: (count: number, where: string) => `${many(count, 'event is', 'events are')} stored; none of them matches in this range (${where}).`,
    clear: 'Clear the query',
    wider: 'Search all time',
  },

  more: {
    menu: 'Export and more',
    csv: 'Export as CSV',
    ndjson: 'Export as NDJSON',
    curl: 'Copy as curl',
    link: 'Copy link',
    exporting: (count: number) => `Exporting: ${n(count)} events so far`,
    exported: (count: number) => `Exported ${many(count, 'event', 'events')}`,
    exportedCut: (count: number, total: number) => `Exported the first ${n(count)} of ${n(total)} events`,
    failed: (why: string) => `The export failed: ${why}`,
  },
} as const;
