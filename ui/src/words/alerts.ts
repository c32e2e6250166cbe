/** Words of the list of alerts: groups, facets, selection, what is done to many. */
import { t } from '../strings';
import type { Facet } from '../api/types';
import type { Grouping } from '../lib/filter';
import { many, n } from './count';

const facet: Record<Facet, string> = {
  severity: 'Severity',
  status: 'Status',
  disposition: 'Closed as',
  owner: 'Worked on by',
  rule: 'Rule',
  tactic: 'Tactic',
  source: 'Source address',
  user: 'User',
  host: 'Host',
};

const grouping: Record<Grouping | '', string> = {
  '': 'None',
  rule: 'Rule',
  source: 'Source address',
  user: 'User',
  host: 'Host',
  incident: 'Incident',
  rule_source: 'Rule and address',
};

export const w = {
  facet,
  grouping,
  groupBy: 'Group by',
  groups: (count: number) => many(count, 'group', 'groups'),
  groupsCut: (shown: number) => `the worst ${n(shown)} are shown`,
  groupTitle: (by: Grouping | '', title: string, query: Record<string, string>) => {
    if (by === 'incident') return query['incident'] === '0' ? 'No incident' : title;
    if (by === 'rule_source') return query['source'] === '-' ? title : `${title} – ${query['source'] ?? ''}`;
    return title === '-' ? `No ${grouping[by].toLowerCase()}` : title;
  },
  groupRow: (severity: string, title: string, alerts: number) => `${severity}: ${title}, ${many(alerts, 'alert', 'alerts')}`,
  sources: (count: number) => many(count, 'address', 'addresses'),
  rules: (count: number) => many(count, 'rule', 'rules'),
  open: (open: number) => (open === 0 ? 'all closed' : `${n(open)} open`),
  falsePositives: (part: string) => `${part} false positives`,
  spark: (title: string) => `${title} over time`,
  expand: 'Show its alerts',
  collapse: 'Hide its alerts',

  exception: 'Hidden by exception',
  facets: 'Narrow down',
  showFacets: 'Show facets',
  hideFacets: 'Hide facets',
  any: (name: string) => `Any ${name.toLowerCase()}`,
  none: (name: string) => `No ${name.toLowerCase()}`,
  nobody: 'nobody',
  word: (name: Facet, value: string) => {
    if (name === 'severity') return t.severity[value as keyof typeof t.severity] ?? value;
    if (name === 'status') return t.status[value as keyof typeof t.status] ?? value;
    if (name === 'disposition') return t.disposition[value as keyof typeof t.disposition] ?? value;
    if (name === 'tactic') return value.replaceAll(/[-_]/g, ' ');
    return value;
  },
  without: (name: Facet) => (name === 'owner' ? 'nobody' : '–'),
  chip: (name: string, value: string) => `${name}: ${value}`,
  not: (name: string) => `Not ${name.toLowerCase()}`,
  drop: (name: string) => `Any ${name.toLowerCase()} again`,

  histogram: 'Alerts over time',
  histogramHint: 'Drag to choose a stretch of time',

  select: (what: string) => `Select ${what}`,
  selectAll: 'Select all that match',
  selected: (count: number) => `${n(count)} selected`,
  allSelected: (count: number) => `all ${n(count)} that match are selected`,
  one: 'the marked alert',
  group: (count: number) => `the marked group: ${many(count, 'alert', 'alerts')}`,
  deselect: 'Select none',
  actions: 'What to do about them',
  working: 'Working …',
  acknowledged: (count: number) => `${many(count, 'alert', 'alerts')} acknowledged`,
  closed: (count: number, as: string) => `${many(count, 'alert', 'alerts')} closed as ${as}`,
  taken: (count: number, name: string) => `${many(count, 'alert', 'alerts')} assigned to ${name}`,
  reopened: (count: number) => `${many(count, 'alert', 'alerts')} opened again`,
  nothing: 'Nothing was to be changed',
  undone: (count: number) => `${many(count, 'alert', 'alerts')} as before`,
  loadingRow: 'Loading …',
} as const;
