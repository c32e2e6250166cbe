/** Words of why an alert was raised, what came after, and what is known. */
import { LOCALE } from '../strings';

const n = new Intl.NumberFormat(LOCALE, { maximumFractionDigits: 2 });
const many = (value: number, one: string, more: string) => `${n.format(value)} ${value === 1 ? one : more}`;

const operators: Record<string, string> = { gte: '≥', gt: '>', lte: '≤', lt: '<', eq: '=', neq: '≠' };

const kinds: Record<string, (field: string) => string> = {
  event_count: () => 'events',
  value_count: (field) => `different values of ${field}`,
  value_sum: (field) => (field === 'tocsin.attempts' ? 'attempts' : `sum of ${field}`),
  value_avg: (field) => `average of ${field}`,
  value_median: (field) => `median of ${field}`,
  value_percentile: (field) => `percentile of ${field}`,
};

export const w = {
  title: 'Why it fired',
  changed: 'The rule is no longer in force, so its conditions cannot be shown.',
  gone: 'The event is no longer stored, so its values cannot be shown.',
  counted: (kind: string, field: string | null, value: number | null) => (value === null ? '' : `${n.format(value)} ${kinds[kind]?.(field ?? 'a field') ?? kind}`),
  needs: (test: string) => test.replace(/^\w+/, (word) => operators[word] ?? word),
  kind: (kind: string, field: string | null) => kinds[kind]?.(field ?? 'a field') ?? kind,
  together: (count: number) => `${many(count, 'rule', 'rules')} within`,
  within: (span: string) => `within ${span}`,
  per: 'per',
  single: 'One event met every condition of the rule:',
  step: (events: number, title: string) => `${n.format(events)} × “${title}”`,
  sequence: (steps: readonly string[], ordered: boolean, span: string, of: string) =>
    `${ordered ? 'First ' : ''}${steps.join(ordered ? ', then ' : ' and ')}, within ${span}${of === '' ? '' : `, all with ${of}`}.`,
  limit: (test: string) => test.replace(/^gte (.*)$/, '$1 or more').replace(/^gt (.*)$/, 'more than $1').replace(/^lte (.*)$/, '$1 or fewer').replace(/^lt (.*)$/, 'fewer than $1').replace(/^eq (.*)$/, 'exactly $1'),
  enough: (counted: string, limit: string, span: string, of: string) => `${counted} within ${span}${of === '' ? '' : `, all with ${of}`}; ${limit} raise an alert.`,
  inOrder: 'in this order',
  allOf: 'all of these',
  events: (count: number) => many(count, 'event of this alert', 'events of this alert'),
  and: 'all of',
  or: 'any of',
  not: 'not',
  met: 'holds',
  unmet: 'does not hold',
  has: 'is',
  absent: 'not there',
  wanted: 'wanted',
  more: (count: number) => `and ${n.format(count)} more`,

  after: 'What came after',
  afterNone: 'Nothing in the hour after.',
  afterSoon: 'Nothing yet.',
  afterAll: 'All in Search',

  known: 'What is known',
  record: 'This rule so far',
  recordOf: (alerts: number) => `${many(alerts, 'alert', 'alerts')} in 30 days`,
  open: (count: number) => `${n.format(count)} open`,
  hidden: (count: number) => `${n.format(count)} hidden by exceptions`,
  noise: (score: number) => `noise ${n.format(score)} of 100`,
  ruleLink: 'Open the rule',
  incident: (alerts: number, rules: number) => `Part of an incident: ${many(alerts, 'alert', 'alerts')} of ${many(rules, 'rule', 'rules')}`,
  incidentAll: 'All its alerts',
} as const;
