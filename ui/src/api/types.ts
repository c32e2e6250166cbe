/** The wire format of the HTTP API, as the server writes it. No behaviour here. */

export const SEVERITIES = ['critical', 'high', 'medium', 'low', 'informational'] as const;
export type Severity = (typeof SEVERITIES)[number];

export const STATUSES = ['new', 'acknowledged', 'closed'] as const;
export type Status = (typeof STATUSES)[number];

export const DISPOSITIONS = ['true_positive', 'benign_true_positive', 'false_positive', 'duplicate', 'test'] as const;
export type Disposition = (typeof DISPOSITIONS)[number];

export const RANGES = ['15m', '1h', '24h', '7d'] as const;
export type Range = (typeof RANGES)[number];

export type BySeverity = Record<Severity, number>;

/** A contributing event: enough of it to show why the alert was raised. */
export interface Contribution {
  event_id: string;
  time: string;
  rule_id: string;
  /** The raw line; whatever an attacker wrote. */
  line: string;
}

/** A matched value; `start` and `end` are byte offsets into the UTF-8 form of `value`. */
export interface MatchSpan {
  selection: string;
  /** Empty for a keyword match in the raw line. */
  field: string;
  value: string;
  start: number;
  end: number;
}

export interface AlertCore {
  id: string;
  severity: Severity;
  status: Status;
  disposition?: Disposition;
  owner?: string;
  tags?: string[];
  incident?: number;
  group: Record<string, string>;
  count: number;
  findings: number;
  reason: string;
  first_seen: string;
  last_seen: string;
  historical: boolean;
  events: Contribution[];
  matches: MatchSpan[];
  version: number;
}

/** An alert as nested ECS; fields that the UI does not name are reached with `fieldTexts`. */
export interface Alert {
  '@timestamp': string;
  rule: {
    id: string;
    name: string;
    description?: string | null;
    ruleset?: string | null;
    reference?: string[];
  };
  threat?: { technique?: { id?: string[] }; tactic?: { name?: string[] } };
  message: string;
  tocsin: { alert: AlertCore };
  [field: string]: unknown;
}

export interface Overview {
  range: { from: string; to: string; bucket_seconds: number };
  events: { total: number; series: { t: string; count: number }[] };
  alerts: {
    total: number;
    by_severity: BySeverity;
    by_rule: { rule_id: string; title: string; count: number }[];
    series: ({ t: string } & BySeverity)[];
  };
  logins: { series: { t: string; failed: number; succeeded: number }[] };
  top_sources: { value: string; events: number; alerts: number }[];
  newest_alerts: Alert[];
}

/** Alerts that have something in common. */
export interface AlertGroup {
  /** What to ask the list for. */
  query: Record<string, string>;
  title: string;
  alerts: number;
  open: number;
  closed: number;
  false_positive: number;
  severity: Severity;
  sources: number;
  rules: number;
  first: string;
  last: string;
  spark: number[];
}

export const FACETS = ['severity', 'status', 'disposition', 'owner', 'rule', 'tactic', 'source', 'user', 'host'] as const;
export type Facet = (typeof FACETS)[number];

/** What a list of alerts is made of. */
export interface Facets {
  total: number;
  facets: Record<Facet, { value: string; count: number }[]>;
  titles: Record<string, string>;
  series: { time: string; by_severity: BySeverity }[];
  bucket_seconds: number;
  groups: AlertGroup[];
  groups_total: number;
}

export interface AlertPage {
  alerts: Alert[];
  total: number;
  /** As if no severity were asked for. */
  by_severity: BySeverity;
  next: string | null;
}

export interface InputStatus {
  name: string;
  source: string;
  received: number;
  dropped: Record<string, number>;
  last_event: string | null;
  problem: string | null;
}

export interface ChannelStatus {
  name: string;
  pending: number;
  delivered: number;
  failed: number;
  problem: string | null;
}

export interface SystemStatus {
  version: string;
  uptime_seconds: number;
  events: { received: number; stored: number; dropped: number; per_second: number; lag_ms: number };
  alerts: { total: number; by_severity: BySeverity; by_rule: Record<string, number> };
  inputs: InputStatus[];
  channels: ChannelStatus[];
  rules: { loaded: number; refused: number };
  store?: { documents: number; archived_documents: number; disk_bytes: number; archived_bytes: number; retention_days: number; retention_bytes: number };
  /** Who has stopped sending, with the rules that are blind by it. */
  silent?: { total: number; sources: { source: string; host: string; last: string | null; alert: string | null; blind: string[] }[] };
  /** What is wrong with the whole, with the remedy. */
  problem?: string | null;
}

/** One heartbeat of `/api/v1/stream`. */
export interface Tick {
  time: string;
  events_per_second: number;
  events_total: number;
  alerts_total: number;
  dropped_total: number;
  lag_ms: number;
}

/** What is wanted of an alert; what is left away stays. */
export interface AlertChange {
  status?: Status;
  disposition?: Disposition;
  /** An empty text is nobody. */
  owner?: string;
  add_tags?: string[];
  remove_tags?: string[];
  comment?: string;
  /** The version that was seen. */
  version?: number;
  by?: string;
}

export interface Step {
  what: string;
  from: string | null;
  to: string | null;
}

/** What somebody did to an alert. */
export interface Activity {
  time: string;
  who: string;
  /** The alert's version after it. */
  version: number;
  steps: Step[];
  comment: string | null;
}
