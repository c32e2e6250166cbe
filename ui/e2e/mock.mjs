// A stand-in for `tocsin run`: serves ui/dist with the real content security policy and made-up
// answers of the API, so that the page can be tried and tested without building the server.
//   node e2e/mock.mjs [--port 7700] [--quiet]
// POST /__mock {"mode":"normal|clear|empty","beat":true,"fail":["/api/v1/overview"],"problem":false}
import { createReadStream, existsSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { alertOfLines, load, makeAlert, makeHistory, random, SEVERITIES } from './mockdata.mjs';

const DIST = fileURLToPath(new URL('../dist/', import.meta.url));
export const CSP = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types ui";
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.woff2': 'font/woff2', '.txt': 'text/plain; charset=utf-8' };
const RANGE_S = { '15m': [900, 15], '1h': [3600, 60], '24h': [86_400, 900], '7d': [604_800, 7200] };
const INGEST_MAX_BYTES = 1_000_000;
const NEW_ALERT_EVERY_S = 7;

const t = (seconds) => new Date(seconds * 1000).toISOString();
const blank = () => Object.fromEntries(SEVERITIES.map((word) => [word, 0]));

const FACETS = ['severity', 'status', 'disposition', 'owner', 'rule', 'tactic', 'source', 'user', 'host'];

/** Values that an alert has for a facet. */
function valuesOf(alert, name) {
  const core = alert.tocsin.alert;
  if (name === 'rule') return [alert.rule.id];
  if (name === 'tactic') return alert.threat?.tactic?.name ?? [];
  if (name === 'source') return [alert.source.ip];
  if (name === 'user') return [alert.user.name];
  if (name === 'host') return [alert.host.name];
  if (name === 'owner') return [core.owner ?? '-'];
  return core[name] === undefined ? [] : [core[name]];
}

/** Without its lines. */
const bare = (alert) => ({ ...alert, tocsin: { alert: { ...alert.tocsin.alert, events: [], matches: [] } } });

const COUNTRIES = ['US', 'CN', 'DE', 'BR', 'NL', 'RU', 'VN', 'IN', 'FR'];

/** A condition that holds. */
const leaf = (what, wanted, found) => ({ what, matched: true, wanted, found: [[what, found]] });

class World {
  constructor(alertCount) {
    this.rng = random(20_261_121);
    this.started = Date.now();
    this.alerts = makeHistory(this.rng, alertCount, Date.now());
    this.total = 4_211_733;
    this.failures = new Map();
    this.activity = new Map();
    this.undos = [];
    this.changes = 0;
    this.clients = new Set();
    this.control = { mode: 'normal', beat: true, fail: [], problem: false, arrivals: true };
    this.beats = 0;
  }

  get shown() {
    return this.control.mode === 'normal' ? this.alerts : [];
  }

  rate(ms = Date.now()) {
    return this.control.mode === 'empty' ? 0 : Math.max(0, load(ms) + 8 * (this.rng() - 0.5));
  }

  send(event, data) {
    for (const client of this.clients) client.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  raise(alert) {
    this.alerts.unshift(alert);
    this.send('alert', alert);
  }

  beat() {
    if (!this.control.beat) return;
    this.beats += 1;
    const rate = this.rate();
    this.total += Math.round(rate);
    this.send('tick', { time: new Date().toISOString(), events_per_second: rate, events_total: this.total, alerts_total: this.shown.length, dropped_total: this.control.problem ? 17 : 0, lag_ms: 20 + Math.floor(30 * this.rng()) });
    if (this.control.mode === 'normal' && this.control.arrivals && this.beats % NEW_ALERT_EVERY_S === 0) this.raise(makeAlert(this.rng, Date.now()));
  }

  overview(last) {
    const [width, bucket] = RANGE_S[last] ?? RANGE_S['24h'];
    const to = Date.now();
    const from = to - width * 1000;
    const start = Math.floor(from / 1000 / bucket) * bucket;
    const steps = Array.from({ length: Math.ceil((to / 1000 - start) / bucket) }, (_, at) => start + at * bucket);
    const part = (seconds) => Math.min(1, (to / 1000 - seconds) / bucket);
    const busy = this.control.mode === 'empty' ? 0 : 1;
    const within = this.shown.filter((alert) => Date.parse(alert.tocsin.alert.last_seen) >= from);
    const alerts = steps.map((seconds) => ({ t: t(seconds), ...blank() }));
    const bySeverity = blank();
    const byRule = new Map();
    const sources = new Map();
    for (const alert of within) {
      const core = alert.tocsin.alert;
      bySeverity[core.severity] += 1;
      const slot = alerts[Math.floor((Date.parse(core.last_seen) / 1000 - start) / bucket)];
      if (slot) slot[core.severity] += 1;
      const rule = byRule.get(alert.rule.id) ?? { rule_id: alert.rule.id, title: alert.rule.name, count: 0 };
      rule.count += 1;
      byRule.set(alert.rule.id, rule);
      const source = sources.get(alert.source.ip) ?? { value: alert.source.ip, events: 0, alerts: 0 };
      source.alerts += 1;
      source.events += core.count * 3;
      sources.set(alert.source.ip, source);
    }
    const events = steps.map((seconds) => ({ t: t(seconds), count: Math.round(busy * load(seconds * 1000) * bucket * part(seconds)) }));
    const failed = (seconds, at) => alerts[at].high * 22 + alerts[at].critical * 40 + bucket / 120 + (bucket / 200) * (1 + Math.sin(seconds / 1700));
    return {
      range: { from: new Date(from).toISOString(), to: new Date(to).toISOString(), bucket_seconds: bucket },
      events: { total: events.reduce((sum, point) => sum + point.count, 0), series: events },
      alerts: { total: within.length, by_severity: bySeverity, by_rule: [...byRule.values()].toSorted((a, b) => b.count - a.count), series: alerts },
      logins: { series: steps.map((seconds, at) => ({ t: t(seconds), failed: Math.round(busy * failed(seconds, at)), succeeded: Math.round(busy * part(seconds) * (bucket / 90) * (1.4 + Math.sin(seconds / 5200))) })) },
      top_sources: busy ? [...sources.values(), { value: '10.0.0.7', events: Math.round(width / 30), alerts: 0 }].toSorted((a, b) => b.events - a.events).slice(0, 10) : [],
      newest_alerts: within.slice(0, 12).map((alert) => ({ ...alert, tocsin: { alert: { ...alert.tocsin.alert, events: [] } } })),
    };
  }

  /** Sums of events, made up: for panels. */
  search({ aggs }) {
    const terms = aggs?.by?.terms;
    const values = terms?.field === 'source.geo.country_iso_code' ? COUNTRIES : terms ? this.alerts.slice(0, 300).map((alert) => alert.host.name) : [];
    const counts = new Map();
    for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 997);
    const buckets = [...counts].map(([key, count], at) => ({ key, doc_count: Math.round(count / (at + 1)), sum: { value: count * 1000 } }));
    return { events: [], total: this.control.mode === 'empty' ? 0 : this.total, next: null, partial: false, took_ms: 3, aggregations: { by: { buckets } } };
  }

  /** The same answer to the same question until something happens. */
  once(what, query, compute) {
    const { skip: _, limit: __, cursor: ___, lines: ____, ...asked } = Object.fromEntries(query);
    const key = `${what} ${JSON.stringify(asked)}`;
    const state = `${this.alerts.length} ${this.changes} ${this.control.mode}`;
    if (this.held !== state) {
      this.held = state;
      this.answers = new Map();
    }
    if (!this.answers.has(key)) this.answers.set(key, compute());
    return this.answers.get(key);
  }

  /** Alerts that a query asks for, `but` for one of its parameters. */
  matching(query, but) {
    return this.once(`matching ${but}`, query, () => this.select(query, but));
  }

  select(query, but) {
    const given = (name) => (name === but ? '' : (query.get(name) ?? ''));
    const several = (name) => given(name).split(',').filter(Boolean);
    const asked = (query.get('q') ?? '').toLowerCase();
    const from = Date.parse(query.get('from') ?? '') || (RANGE_S[query.get('last')] ? Date.now() - RANGE_S[query.get('last')][0] * 1000 : 0);
    const to = Date.parse(query.get('to') ?? '') || Infinity;
    const ids = new Set((query.get('id') ?? '').split(',').filter(Boolean));
    const [severity, status, disposition] = [several('severity'), several('status'), several('disposition')];
    return this.shown.filter((alert) => {
      const core = alert.tocsin.alert;
      const seen = Date.parse(alert['@timestamp']);
      if (seen < from || seen >= to) return false;
      if (ids.size > 0 && !ids.has(core.id)) return false;
      if (severity.length > 0 && !severity.includes(core.severity)) return false;
      if (status.length > 0 && !status.includes(core.status)) return false;
      if (disposition.length > 0 && !disposition.includes(core.disposition)) return false;
      for (const name of ['rule', 'source', 'user', 'host', 'owner', 'tactic']) {
        if (given(name) !== '' && !valuesOf(alert, name).includes(given(name))) return false;
      }
      return asked === '' || `${alert.rule.name} ${core.reason} ${alert.source.ip} ${alert.user.name} ${alert.host.name}`.toLowerCase().includes(asked);
    });
  }

  list(query) {
    const found = this.matching(query);
    const bySeverity = this.once('severities', query, () => {
      const counts = blank();
      for (const alert of this.matching(query, 'severity')) counts[alert.tocsin.alert.severity] += 1;
      return counts;
    });
    const offset = Number(query.get('cursor') ?? query.get('skip') ?? 0);
    const limit = Number(query.get('limit') ?? 100);
    const next = offset + limit < found.length ? String(offset + limit) : null;
    const page = found.slice(offset, offset + limit);
    return { alerts: query.get('lines') === 'false' ? page.map(bare) : page, total: found.length, by_severity: bySeverity, next };
  }

  facets(query) {
    return this.once('facets', query, () => this.count(query));
  }

  count(query) {
    const found = this.matching(query);
    const facets = {};
    for (const name of FACETS) {
      const counts = new Map();
      for (const alert of this.matching(query, name)) for (const value of valuesOf(alert, name)) counts.set(value, (counts.get(value) ?? 0) + 1);
      facets[name] = [...counts].map(([value, count]) => ({ value, count })).toSorted((a, b) => b.count - a.count).slice(0, 12);
    }
    const times = found.map((alert) => Date.parse(alert['@timestamp']) / 1000);
    const from = Math.min(...times, Date.now() / 1000);
    const width = [60, 300, 900, 3600, 21_600, 86_400].find((each) => (Date.now() / 1000 - from) / each < 60) ?? 86_400;
    const start = Math.floor(from / width);
    const series = Array.from({ length: Math.max(1, Math.floor(Date.now() / 1000 / width) - start + 1) }, (_, at) => ({ time: t((start + at) * width), by_severity: blank() }));
    for (const alert of found) series[Math.floor(Date.parse(alert['@timestamp']) / 1000 / width) - start].by_severity[alert.tocsin.alert.severity] += 1;
    const groups = new Map();
    const by = query.get('group') ?? '';
    for (const alert of by === '' ? [] : found) {
      const parts = by === 'rule_source' ? ['rule', 'source'] : [by];
      const asked = Object.fromEntries(parts.map((name) => [name, valuesOf(alert, name)[0] ?? '-']));
      const key = JSON.stringify(asked);
      const group = groups.get(key) ?? { query: asked, title: by === 'source' ? asked.source : by === 'rule' || by === 'rule_source' ? alert.rule.name : Object.values(asked)[0], alerts: 0, open: 0, closed: 0, false_positive: 0, severity: 'informational', sources: 0, rules: 1, first: alert['@timestamp'], last: alert['@timestamp'], spark: Array(12).fill(0) };
      group.alerts += 1;
      group[alert.tocsin.alert.status === 'closed' ? 'closed' : 'open'] += 1;
      if (SEVERITIES.indexOf(alert.tocsin.alert.severity) < SEVERITIES.indexOf(group.severity)) group.severity = alert.tocsin.alert.severity;
      group.spark[Math.min(11, Math.floor((12 * (Date.parse(alert['@timestamp']) / 1000 - from)) / (Date.now() / 1000 - from + 1)))] += 1;
      groups.set(key, group);
    }
    const worst = [...groups.values()].toSorted((a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity) || b.last.localeCompare(a.last));
    return { total: found.length, facets, titles: Object.fromEntries(this.alerts.map((alert) => [alert.rule.id, alert.rule.name])), series, bucket_seconds: width, groups: worst.slice(0, 1000), groups_total: groups.size };
  }

  /** Changes all that a query finds; remembers what they were. */
  changeMany({ query, change }) {
    const before = [];
    for (const alert of this.matching(new URLSearchParams(query))) {
      const { status, disposition, owner } = alert.tocsin.alert;
      before.push([alert, { status, disposition, owner: owner ?? '' }]);
      this.change(alert, change);
    }
    this.undos.push(before);
    return { changed: before.length, undo: String(this.undos.length - 1) };
  }

  undo(word) {
    const before = this.undos[Number(word)] ?? [];
    for (const [alert, was] of before) this.change(alert, was);
    return { restored: before.length, left: 0 };
  }

  status() {
    const bySeverity = blank();
    const byRule = {};
    for (const alert of this.shown) {
      bySeverity[alert.tocsin.alert.severity] += 1;
      byRule[alert.rule.name] = (byRule[alert.rule.name] ?? 0) + 1;
    }
    const empty = this.control.mode === 'empty';
    const problem = this.control.problem;
    const now = new Date().toISOString();
    return {
      version: '0.1.0',
      uptime_seconds: Math.floor((Date.now() - this.started) / 1000) + 93_784,
      events: { received: empty ? 0 : this.total, stored: empty ? 0 : this.total - (problem ? 17 : 0), dropped: problem ? 17 : 0, per_second: this.rate(), lag_ms: 31 },
      alerts: { total: this.shown.length, by_severity: bySeverity, by_rule: byRule },
      inputs: empty ? [] : [
        { name: 'auth', source: '/var/log/auth.log', received: 812_204, dropped: {}, last_event: now, problem: null },
        { name: 'nginx', source: '/var/log/nginx/access.log', received: 3_311_020, dropped: {}, last_event: now, problem: problem ? 'permission denied; add tocsin to the group adm' : null },
        { name: 'syslog-udp', source: '127.0.0.1:5514', received: 88_509, dropped: problem ? { 'line too long': 17 } : {}, last_event: now, problem: null },
      ],
      channels: [{ name: 'alert-log', pending: 0, delivered: this.shown.length, failed: 0, problem: null }, { name: 'mail', pending: 0, delivered: 41, failed: 0, problem: null }],
      rules: { loaded: 38, refused: 0 },
      silent: this.control.silent ? { total: 1, sources: [{ source: 'openssh.sshd', host: 'web-9', last: now, alert: this.shown[0]?.tocsin.alert.id ?? null, blind: ['Login brute force from one address', 'Password spraying from one address'] }] } : { total: 0, sources: [] },
    };
  }

  /** Does what a person wants of an alert, and remembers it. */
  change(alert, wanted) {
    const core = alert.tocsin.alert;
    if (wanted.version !== undefined && wanted.version !== core.version) return undefined;
    const before = { status: core.status, disposition: core.disposition, owner: core.owner };
    core.status = wanted.disposition ? 'closed' : (wanted.status ?? core.status);
    core.disposition = core.status === 'closed' ? (wanted.disposition ?? core.disposition) : undefined;
    if (wanted.owner !== undefined) core.owner = wanted.owner === '' ? undefined : wanted.owner;
    core.version += 1;
    this.changes += 1;
    const steps = Object.keys(before).filter((what) => before[what] !== core[what]).map((what) => ({ what, from: before[what] ?? null, to: core[what] ?? null }));
    const entry = { time: new Date().toISOString(), who: wanted.by ?? 'somebody', version: core.version, steps, comment: wanted.comment ?? null };
    this.activity.set(core.id, [...(this.activity.get(core.id) ?? []), entry]);
    this.send('alert', alert);
    return alert;
  }

  /** Counts failed logins by address, as the real thing does, so that tests can attack. */
  ingest(body) {
    const events = Array.isArray(body) ? body : body.events;
    for (const event of events) {
      const line = String(event.raw ?? event.message ?? '');
      const ip = /Failed password .* from (\S+) port/.exec(line)?.[1];
      if (ip === undefined) continue;
      const lines = [...(this.failures.get(ip) ?? []), line];
      this.failures.set(ip, lines);
      if (lines.length === 5) this.raise(alertOfLines(this.rng, ip, lines));
    }
    return { accepted: events.length, refused: 0, errors: [] };
  }
}

function sendFile(request, response, path) {
  const inside = normalize(path).replace(/^(\.\.[/\\])+/, '');
  let file = join(DIST, inside);
  // The address of an entity may end like the name of a file.
  const asset = extname(inside) !== '' && !inside.startsWith('/entities/');
  if (!existsSync(file) || !statSync(file).isFile()) {
    if (asset) {
      response.writeHead(404).end();
      return;
    }
    file = join(DIST, 'index.html');
  }
  const headers = {
    'content-type': TYPES[extname(file)] ?? 'application/octet-stream',
    'content-security-policy': CSP,
    'x-content-type-options': 'nosniff',
    'cache-control': inside.startsWith('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache',
    vary: 'accept-encoding',
  };
  if (/\bgzip\b/.test(request.headers['accept-encoding'] ?? '') && existsSync(`${file}.gz`)) {
    response.writeHead(200, { ...headers, 'content-encoding': 'gzip' });
    createReadStream(`${file}.gz`).pipe(response);
    return;
  }
  response.writeHead(200, headers);
  createReadStream(file).pipe(response);
}

/** What has nothing to say, whatever the state. */
const PLAIN = {
  searches: { searches: [] },
  dashboards: { dashboards: [] },
  rules: { rules: [], total: 0, problems: [] },
  'rules/noise': { rules: [] },
  sources: { sources: [] },
  'sources/unparsed': { shapes: [], forgotten: 0 },
  silence: { sources: [] },
  risk: { entities: [], total: 0, threshold: 100, half_life_hours: 24 },
  intel: { feeds: [], indicators: 0, bytes: 0 },
  'intel/hunts': { hunts: [] },
  'intel/indicators': { indicators: [] },
  context: { databases: [], attribution: [], hosts: 0, users: 0, networks: 0, problems: {} },
  'context/addresses/192.0.2.1': { ip: '192.0.2.1', country_iso_code: null, country_name: null, region_name: null, city_name: null, as_number: null, as_organization: null, attribution: [] },
  exceptions: { exceptions: [] },
  bans: { mode: 'dry_run', bans: [], next: null },
  'notices/dead': { notices: [], total: 0 },
  fields: { fields: [], complete: true },
  backtests: { backtests: [] },
};

const json = (response, body, status = 200) =>
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' }).end(JSON.stringify(body));

const refuse = (response, status, message) => json(response, { error: { message, request_id: 'mock-7f3a' } }, status);

async function bodyOf(request) {
  let text = '';
  for await (const chunk of request) {
    text += chunk;
    if (text.length > INGEST_MAX_BYTES) throw new Error('body too large');
  }
  return JSON.parse(text);
}

function api(world, request, response, url) {
  const path = url.pathname;
  if (world.control.fail.includes(path)) return refuse(response, 500, 'the store is not reachable');
  if (path === '/api/v1/me') return json(response, { accounts: false, setup: true, name: null, role: 'admin' });
  if (path === '/api/v1/overview') return json(response, world.overview(url.searchParams.get('last') ?? '24h'));
  if (path === '/api/v1/alerts') return json(response, world.list(url.searchParams));
  const plain = PLAIN[path.slice('/api/v1/'.length)];
  if (plain) return json(response, plain);
  if (path === '/api/v1/alerts/facets') return json(response, world.facets(url.searchParams));
  if (path === '/api/v1/status') return json(response, world.status());
  if (path === '/api/v1/stream') {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    world.clients.add(response);
    request.on('close', () => world.clients.delete(response));
    return response.write(': hello\n\n');
  }
  const [, id, part] = /^\/api\/v1\/alerts\/([^/]+)(\/activity|\/why)?$/.exec(path) ?? [];
  const found = world.alerts.find((alert) => alert.tocsin.alert.id === id);
  if (found && part === '/why') return json(response, whyOf(found));
  if (found && part) return json(response, { activity: world.activity.get(id) ?? [] });
  if (found && request.method === 'PATCH') {
    return bodyOf(request).then((wanted) => {
      const changed = world.change(found, wanted);
      return changed ? json(response, changed) : refuse(response, 409, `alert ${id} was changed by ben since`);
    });
  }
  return found ? json(response, found) : refuse(response, 404, 'no such alert');
}

/** The conditions of an alert, made up. */
function whyOf(alert) {
  const core = alert.tocsin.alert;
  const condition = { what: 'and', matched: true, parts: [leaf('source.ip', ['any value'], alert.source.ip), { what: 'not', matched: true, parts: [{ what: 'user.name', matched: false, wanted: ['backup'], found: [['user.name', alert.user.name]] }] }] };
  const first = core.events[0];
  return {
    rule_id: alert.rule.id,
    in_force: true,
    takes: core.count > 4 ? { kind: 'event_count', tests: ['gte 5'], within: '1m', by: Object.keys(core.group), rules: ['one'] } : null,
    counted: core.count,
    field: null,
    parts: first ? [{ rule_id: 'one', events: core.events.length, event_id: first.event_id, time: first.time, stored: true, explanation: { rule_id: 'one', title: 'One failed login', matched: true, log_source: { what: 'log source category: authentication', matched: true }, condition } }] : [],
  };
}

/** Starts the stand-in; resolves to its address and a way to stop it. */
export async function startMock({ port = 0, alertCount = 412 } = {}) {
  const world = new World(alertCount);
  const server = createServer((request, response) => {
    const url = new URL(request.url, 'http://mock');
    if (request.method === 'POST') {
      bodyOf(request)
        .then((body) => {
          if (url.pathname === '/ingest') return json(response, world.ingest(body));
          if (url.pathname === '/api/v1/alerts/change') return json(response, world.changeMany(body));
          if (url.pathname === '/api/v1/alerts/undo') return json(response, world.undo(body.undo));
          if (url.pathname === '/api/v1/search') return json(response, world.search(body));
          if (url.pathname === '/__mock') return json(response, Object.assign(world.control, body));
          return refuse(response, 404, 'no such route');
        })
        .catch((error) => refuse(response, 400, error.message));
      return;
    }
    if (url.pathname.startsWith('/api/')) api(world, request, response, url);
    else sendFile(request, response, url.pathname === '/' ? '/index.html' : decodeURIComponent(url.pathname));
  });
  const timer = setInterval(() => world.beat(), 1000);
  await new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
  const stop = async () => {
    clearInterval(timer);
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { base: `http://127.0.0.1:${server.address().port}`, stop };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const at = process.argv.indexOf('--port');
  const { base } = await startMock({ port: at > 0 ? Number(process.argv[at + 1]) : 7700 });
  console.log(`mock at ${base}`);
}
