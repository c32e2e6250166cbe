/** Words of what a rule is written, tried and compared with. */
import { LOCALE } from '../strings';

const digits = new Intl.NumberFormat(LOCALE);
const n = (value: number) => digits.format(value);
const many = (value: number, one: string, more: string) => `${n(value)} ${value === 1 ? one : more}`;

export const w = {
  rule: {
    save: 'Save as rule',
    title: 'Save as rule',
    close: 'Close',
    name: 'Title',
    namePlaceholder: 'What it finds, in a few words',
    level: 'Severity',
    text: 'Rule (Sigma)',
    draft: 'Writing the rule …',
    redraft: 'Write it again from the query',
    fine: 'The rule can be loaded',
    problems: (count: number) => many(count, 'problem', 'problems'),
    backtest: 'Backtest over stored history',
    backtestHint: 'What this rule would have raised, allow-list applied',
    running: (done: number, total: number) => `${n(done)} of ${n(total)} events`,
    raised: (alerts: number, findings: number) => `${many(alerts, 'alert', 'alerts')} from ${many(findings, 'match', 'matches')}`,
    over: (events: number, ms: number) => `${many(events, 'event', 'events')} in ${n(ms)} ms`,
    perDay: (perDay: string) => `about ${perDay} alerts a day`,
    quiet: 'It would not have fired.',
    noisy: 'That is a lot: narrow the query, or group the alerts.',
    groups: 'Most of them',
    samples: 'First alerts',
    store: 'Save and switch on',
    stored: (path: string) => `Saved as ${path}; it is in force within a second.`,
    copy: 'Copy',
    download: 'Download',
    untitled: 'Give it a title first',
    findings: 'matches',
    changed: (fresh: number, gone: number, same: number) => `${many(fresh, 'alert', 'alerts')} more, ${n(gone)} fewer, ${n(same)} as before`,
    unchanged: (same: number) => `It changes no alert: ${many(same, 'alert', 'alerts')} as before`,
    changedMatches: (fresh: number, gone: number, same: number) => `${many(fresh, 'match', 'matches')} more, ${n(gone)} fewer, ${n(same)} as before`,
    newAlerts: (count: number) => `New alerts: ${n(count)}`,
    goneAlerts: (count: number) => `Alerts that are gone: ${n(count)}`,
    newMatches: (count: number) => `New matches: ${n(count)}`,
    goneMatches: (count: number) => `Matches that are gone: ${n(count)}`,
    cut: 'There were more alerts than are compared.',
    before: (alerts: number, findings: number) => `The rule in force: ${many(alerts, 'alert', 'alerts')} from ${many(findings, 'match', 'matches')}`,
    wasBefore: 'alerts, rule in force',
    isAfter: 'alerts, as edited',
    costs: (time: string) => `It takes ${time} of each event.`,
  },
} as const;
