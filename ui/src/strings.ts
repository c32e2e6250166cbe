/** Every word the page shows, in one place. English only for now; a second language is a second `t`. */
import type { Disposition, Range, Severity, Status } from './api/types';

export const LOCALE = 'en';

const rules = new Intl.PluralRules(LOCALE);
const digits = new Intl.NumberFormat(LOCALE);

/** `1 alert`, `1,042 alerts`. */
const count = (n: number, one: string, many: string) =>
  `${digits.format(n)} ${rules.select(n) === 'one' ? one : many}`;

const severity: Record<Severity, string> = {
  critical: 'critical',
  high: 'high',
  medium: 'medium',
  low: 'low',
  informational: 'info',
};

const status: Record<Status, string> = { new: 'new', acknowledged: 'acknowledged', closed: 'closed' };

const disposition: Record<Disposition, string> = {
  true_positive: 'true positive',
  benign_true_positive: 'benign true positive',
  false_positive: 'false positive',
  duplicate: 'duplicate',
  test: 'test',
};

const dispositionWord = (value: string) => disposition[value as Disposition] ?? value;

/** What an entry of the history changed, in words. */
function step(what: string, from: string | null, to: string | null): string {
  if (what === 'status') return to === 'new' ? 'opened it again' : `${to ?? ''} it`;
  if (what === 'disposition') return to === null ? `no longer ${dispositionWord(from ?? '')}` : `as ${dispositionWord(to)}`;
  if (what === 'owner') return to === null ? 'gave it back' : `assigned it to ${to}`;
  return `${what}: ${from ?? '–'} → ${to ?? '–'}`;
}

const range: Record<Range, string> = { '15m': '15 min', '1h': '1 hour', '24h': '24 hours', '7d': '7 days' };

const rangeWords: Record<Range, string> = {
  '15m': 'the last 15 minutes',
  '1h': 'the last hour',
  '24h': 'the last 24 hours',
  '7d': 'the last 7 days',
};

export const t = {
  name: 'Tocsin',
  skip: 'Skip to content',
  title: (screen: string) => `${screen} · Tocsin`,
  severity,
  status,
  disposition,
  range,
  nav: { label: 'Main', overview: 'Overview', alerts: 'Alerts', search: 'Search', rules: 'Rules', entities: 'Entities', sources: 'Sources', settings: 'Settings' },
  ago: (age: string) => `${age} ago`,
  none: '–',
  person: 'Signed in as',
  palette: 'Go to or find …',

  error: {
    unreachable: 'The server cannot be reached',
    timeout: (seconds: number) => `No answer within ${seconds} s`,
    notJson: 'The server’s answer cannot be read',
    status: (code: number) => `The server answered ${code}`,
    retry: 'Try again',
    request: (id: string) => `request ${id}`,
    refresh: 'Could not refresh; this is the last answer',
    crash: 'This part of the page failed to draw',
    notFound: 'There is no such page',
    home: 'Go to the overview',
  },

  health: {
    label: 'System health',
    connecting: 'connecting…',
    rate: (perSecond: string) => `${perSecond} events/s`,
    lag: (ms: string) => `lag ${ms}`,
    dropped: (n: number) => `${digits.format(n)} dropped`,
    problems: (n: number) => count(n, 'problem', 'problems'),
    stale: (age: string) => `no news for ${age}`,
    offline: 'not connected',
    open: 'Show system health',
    ok: 'Everything is working',
    warn: 'Working, with problems',
    bad: 'Not connected: what you see may be out of date',
    silent: (n: number) => `${digits.format(n)} silent`,
  },

  banner: {
    stale: (age: string) => `Live updates stopped ${age} ago. What you see may be out of date.`,
    never: 'The live stream does not answer. What you see does not update.',
    retry: 'Reconnect now',
  },

  display: {
    open: 'Display settings',
    theme: 'Theme',
    system: 'System',
    dark: 'Dark',
    light: 'Light',
    zone: 'Times in',
    local: (zone: string) => `Local (${zone})`,
    utc: 'UTC',
    name: 'Your name, for what you do to alerts',
    keys: 'Single-letter keyboard shortcuts',
  },

  help: {
    open: 'Keyboard shortcuts',
    title: 'Keyboard shortcuts',
    close: 'Close',
    move: 'Next / previous alert',
    enter: 'Open the alert',
    escape: 'Close the alert; again: clear the filters',
    search: 'Filter alerts',
    load: 'Show new alerts',
    copy: 'Copy link to the alert',
    acknowledge: 'Acknowledge the open alert',
    closeAs: 'Close it as true positive … test',
    take: 'Assign it to me',
    assign: 'Assign and tag it',
    comment: 'Comment on it',
    undo: 'Undo the last change',
    select: 'Select; Shift selects up to here',
    selectAll: 'Select all that match',
    unfold: 'Show or hide the alerts of a group',
    value: 'What to do with a value of the marked alert',
    facets: 'Show or hide the facets',
    block: 'Block the address',
    except: 'Do not alert about it again',
    goOverview: 'Go to Overview',
    goAlerts: 'Go to Alerts',
    goSearch: 'Go to Search',
    goRules: 'Go to Rules',
    goSettings: 'Go to Settings',
    goEntities: 'Go to Entities',
    goSources: 'Go to Sources & health',
    expand: 'Search: show or hide the fields of an event',
    again: 'Search: ask again',
    live: 'Search: live view on and off',
    saveRule: 'Search: save as rule',
    kept: 'Kept searches: open, keep (Search)',
    shift: 'The stretch of time before / after',
    severities: 'Only critical … informational; again: all',
    palette: 'Go anywhere, find anything',
    help: 'This help',
    off: 'Single-letter shortcuts are switched off in the display settings.',
    licences: 'Licences of third-party code',
    or: 'or',
    next: 'then',
  },

  overview: {
    title: 'Overview',
    range: 'Time range',
    zone: (zone: string) => `times in ${zone}`,
    live: 'Events per second, live',
    liveSpark: (low: string, high: string) => `Between ${low} and ${high} events per second in the last minutes`,
    liveCaption: (total: string, words: string) => `${total} events in ${words}`,
    waiting: 'waiting for the first heartbeat',
    alerts: 'Alerts',
    alertsTotal: (n: number) => count(n, 'alert', 'alerts'),
    severityLink: (n: number, word: string) => `Show ${count(n, `${word} alert`, `${word} alerts`)}`,
    logins: 'Logins',
    failed: 'failed',
    succeeded: 'successful',
    share: (percent: string) => `${percent} of all attempts failed`,
    noLogins: 'no login attempt seen',
    alertsOverTime: 'Alerts over time',
    loginsOverTime: 'Logins over time',
    eventsOverTime: 'Events over time',
    events: 'events',
    topSources: 'Top source addresses',
    topRules: 'Top rules',
    newest: 'Newest alerts',
    all: 'All alerts',
    source: 'Address',
    rule: 'Rule',
    value: 'Events',
    alertCount: 'Alerts',
    noSources: 'No event carried a source address',
    noRules: 'No rule fired',
    rangeWords,
  },

  clear: {
    title: 'All clear',
    text: (events: number, words: string) =>
      `${count(events, 'event was', 'events were')} checked in ${words}; no rule matched.`,
    rules: (n: number) => `${count(n, 'rule is', 'rules are')} watching.`,
    doubt: (n: number) =>
      `No alert, but ${count(n, 'problem', 'problems')}: something may go unseen. See system health above.`,
  },

  empty: {
    title: (words: string) => `No events in ${words}`,
    text: 'Nothing arrives, so nothing can be detected. This does not mean that all is well.',
    steps: 'Send a first event:',
    syslog: 'Point syslog at this machine, port 5514',
    http: 'Or post a line to the ingest address',
    files: 'Or name a log file in tocsin.yml',
    wider: 'Look further back',
  },

  chart: {
    table: 'Show as table',
    chart: 'Show as chart',
    time: 'Time',
    summary: (name: string, total: string, from: string, to: string) => `${name}: ${total} from ${from} to ${to}`,
    open: 'Click a bar to see its alerts',
    quiet: 'Nothing in this range',
  },

  alerts: {
    title: 'Alerts',
    label: 'Alerts, newest first',
    search: 'Filter alerts',
    placeholder: 'Filter by address, user, host, rule or text',
    severity: 'Severity',
    range: 'Time range',
    between: (from: string, to: string) => `${from} – ${to}`,
    clear: 'Clear filters',
    total: (n: number) => count(n, 'alert', 'alerts'),
    shown: (n: number) => `${digits.format(n)} loaded`,
    fresh: (n: number) => `${digits.format(n)} new`,
    freshHint: 'show',
    missed: 'Refresh: some news may have been missed',
    columns: {
      severity: 'Severity',
      raised: 'Raised',
      alert: 'Alert',
      source: 'Source',
      target: 'Target',
      count: 'Events',
      status: 'Status',
    },
    row: (severityWord: string, rule: string) => `${severityWord}: ${rule}`,
    historical: 'historical',
    ongoing: 'ongoing',
    rule: (title: string) => `Rule: ${title}`,
    filtered: (total: number) => `No match among ${count(total, 'alert', 'alerts')}`,
    filteredText: 'Alerts exist, but the filter hides all of them.',
    none: 'No alert yet',
    noneText: (events: number, loaded: number) =>
      `${count(events, 'event', 'events')} checked by ${count(loaded, 'rule', 'rules')} since the start; none matched.`,
    noEvents: 'No events have arrived',
    pick: 'Choose an alert to see why it was raised',
  },

  detail: {
    label: (rule: string) => `Alert: ${rule}`,
    close: 'Close alert',
    previous: 'Previous alert',
    next: 'Next alert',
    copyLink: 'Copy link',
    copyJson: 'Copy JSON',
    copied: 'Copied',
    copyFailed: 'Could not copy',
    gone: 'There is no such alert',
    goneText: 'It may have been removed by retention, or the link is wrong.',
    facts: 'Facts',
    events: (n: number) => count(n, 'event', 'events'),
    findings: (n: number) => count(n, 'match of the rule', 'matches of the rule'),
    firstSeen: 'First seen',
    lastSeen: 'Last seen',
    lasted: 'Lasted',
    count: 'Events',
    findingsLabel: 'Matches',
    group: 'One alert per',
    noGroup: 'rule',
    matched: 'What matched',
    matchedIn: (selection: string) => `selection ${selection}`,
    rawLine: 'raw line',
    contributing: 'Contributing events',
    shownOf: (shown: number, total: number) => `${digits.format(shown)} of ${digits.format(total)} shown`,
    more: (n: number) => `${count(n, 'more line', 'more lines')} in between`,
    fewer: 'Show fewer lines',
    noEvents: 'This alert keeps no raw lines.',
    noLine: 'no raw line',
    fields: 'Fields',
    rule: 'Rule',
    ruleId: 'Id',
    pack: 'Pack',
    references: 'References',
    attack: 'ATT&CK',
    technique: (id: string) => `${id}: open at attack.mitre.org`,
    related: 'Also involving',
    relatedNone: 'No other alert involves it.',
    relatedAll: (n: number) => `All ${digits.format(n)}`,
    raw: 'Alert as JSON',
    historical: 'Historical: read back from before Tocsin watched; nobody was notified.',
    show: (value: string) => `Show alerts with ${value}`,
    updated: 'updated just now',
    raised: 'Raised',
  },

  triage: {
    label: 'What to do about it',
    acknowledge: 'Acknowledge',
    acknowledged: 'Acknowledged',
    closeAs: 'Close as …',
    closedAs: (what: string) => `Closed as ${what}`,
    reopen: 'Open again',
    reopened: 'Open again',
    take: 'Take it',
    taken: (name: string) => `Assigned to ${name}`,
    undo: 'Undo',
    owner: (name: string) => `with ${name}`,
    activity: 'Activity',
    comment: 'Comment',
    send: 'Add comment',
    said: 'said',
    step,
  },

  control: (code: string) => `Invisible character ${code}`,
} as const;
