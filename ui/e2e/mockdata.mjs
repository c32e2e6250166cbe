// Made-up alerts and sums in the API's format, seeded: the same on every run but for the clock.

export const SEVERITIES = ['critical', 'high', 'medium', 'low', 'informational'];
const NUMBERS = { critical: 99, high: 73, medium: 47, low: 21, informational: 1 };

/** Small seeded generator (mulberry32): good enough to make things up. */
export function random(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

const RULES = [
  { id: 'ssh_brute_force', name: 'SSH brute force', pack: 'openssh', severity: 'high', technique: ['T1110.001'], tactic: ['credential-access'], weight: 9, description: 'Five or more failed SSH logins from one address within a minute.' },
  { id: 'ssh_brute_force_success', name: 'SSH brute force, then success', pack: 'openssh', severity: 'critical', technique: ['T1110', 'T1078'], tactic: ['credential-access', 'initial-access'], weight: 1, description: 'An address that guessed passwords got in.' },
  { id: 'web_sql_injection', name: 'SQL injection in a URL', pack: 'web', severity: 'high', technique: ['T1190'], tactic: ['initial-access'], weight: 4, description: 'A request carries SQL where data should be.' },
  { id: 'web_restricted_path', name: 'Restricted path asked for', pack: 'web', severity: 'medium', technique: ['T1595.003'], tactic: ['reconnaissance'], weight: 7, description: 'Somebody asks for files that should not be public.' },
  { id: 'port_scan', name: 'Port scan', pack: 'firewall', severity: 'medium', technique: ['T1046'], tactic: ['discovery'], weight: 5, description: 'One address tried more than fifteen ports in half a minute.' },
  { id: 'sudo_denied', name: 'sudo by someone not in sudoers', pack: 'linux', severity: 'medium', technique: ['T1548.003'], tactic: ['privilege-escalation'], weight: 2, description: 'A user without the right tried to become root.' },
  { id: 'user_created', name: 'Account created', pack: 'linux', severity: 'low', technique: ['T1136.001'], tactic: ['persistence'], weight: 2, description: 'A new local account exists.' },
  { id: 'log_gap', name: 'First login from a new address', pack: 'openssh', severity: 'informational', technique: [], tactic: [], weight: 2, description: 'A user logged in from an address not seen before.' },
];

const USERS = ['root', 'admin', 'deploy', 'postgres', 'git', 'backup', 'svc-web'];
const HOSTS = ['web-01', 'web-02', 'db-01', 'bastion', 'mail-01'];

const two = (n) => String(n).padStart(2, '0');
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const stamp = (ms) => {
  const at = new Date(ms);
  const day = String(at.getUTCDate()).padStart(2, ' ');
  return `${MONTHS[at.getUTCMonth()]} ${day} ${two(at.getUTCHours())}:${two(at.getUTCMinutes())}:${two(at.getUTCSeconds())}`;
};

const hex = (rng, digits) => Array.from({ length: digits }, () => Math.floor(rng() * 16).toString(16)).join('');

/** Lines, matches, group, fields and reason of an alert of `rule`. */
function story(rule, rng, ip, user, host, ms, count) {
  const port = 1024 + Math.floor(rng() * 60000);
  const at = (step) => ms - (count - step) * 2400;
  const ssh = (step, text) => `${stamp(at(step))} ${host} sshd[${2000 + step}]: ${text} from ${ip} port ${port + step} ssh2`;
  const shown = Math.min(count, 64);
  const many = (line) => Array.from({ length: shown }, (_, step) => line(step));
  switch (rule.id) {
    case 'ssh_brute_force':
      return { lines: many((step) => ssh(step, `Failed password for ${step % 3 ? '' : 'invalid user '}${user}`)), matches: [], group: { 'source.ip': ip }, reason: `${count} failed SSH logins from ${ip} to ${host} in under a minute, last as ${user}` };
    case 'ssh_brute_force_success':
      return { lines: [...many((step) => ssh(step, `Failed password for ${user}`)).slice(0, -1), ssh(shown, `Accepted password for ${user}`)], matches: [{ selection: 'success', field: 'event.outcome', value: 'success', start: 0, end: 7 }], group: { 'source.ip': ip, 'user.name': user }, reason: `${count - 1} failed SSH logins from ${ip}, then ${user} logged in to ${host} with a password` };
    case 'web_sql_injection': {
      const url = `/item.php?id=${Math.floor(rng() * 90)}%27%20UNION%20SELECT%20login,password%20FROM%20users--`;
      const start = url.indexOf('UNION');
      return { lines: many(() => `${ip} - - [${stamp(ms)} +0000] "GET ${url} HTTP/1.1" 200 5120 "-" "sqlmap/1.8"`), matches: [{ selection: 'union', field: 'url.original', value: url, start, end: start + 'UNION%20SELECT'.length }], group: { 'source.ip': ip }, fields: { url: { original: url, path: '/item.php' }, http: { request: { method: 'GET' }, response: { status_code: 200 } }, user_agent: { original: 'sqlmap/1.8' } }, reason: `SQL in a request from ${ip}: /item.php answered 200` };
    }
    case 'web_restricted_path':
      return { lines: many(() => `${ip} - - [${stamp(ms)} +0000] "GET /.git/config HTTP/1.1" 404 153 "-" "curl/8.5"`), matches: [{ selection: 'paths', field: 'url.path', value: '/.git/config', start: 1, end: 5 }], group: { 'source.ip': ip }, fields: { url: { path: '/.git/config' } }, reason: `${ip} asked ${host} for /.git/config (404)` };
    case 'port_scan':
      return { lines: many((step) => `${stamp(at(step))} ${host} kernel: [UFW BLOCK] IN=eth0 SRC=${ip} DST=10.0.0.7 PROTO=TCP DPT=${20 + step * 7}`), matches: [], group: { 'source.ip': ip }, reason: `${ip} tried ${count + 9} ports of ${host} in 30 s` };
    case 'sudo_denied':
      return { lines: [`${stamp(ms)} ${host} sudo: ${user} : user NOT in sudoers ; TTY=pts/0 ; PWD=/home/${user} ; USER=root ; COMMAND=/bin/bash`], matches: [{ selection: 'keywords', field: '', value: `${stamp(ms)} ${host} sudo: ${user} : user NOT in sudoers ; TTY=pts/0 ; PWD=/home/${user} ; USER=root ; COMMAND=/bin/bash`, start: `${stamp(ms)} ${host} sudo: ${user} : user `.length, end: `${stamp(ms)} ${host} sudo: ${user} : user NOT in sudoers`.length }], group: { 'user.name': user, 'host.name': host }, reason: `${user} is not in sudoers of ${host} and tried /bin/bash as root` };
    case 'user_created':
      return { lines: [`${stamp(ms)} ${host} useradd[4411]: new user: name=${user}2, UID=1007, GID=1007, home=/home/${user}2, shell=/bin/bash`], matches: [{ selection: 'selection', field: 'event.action', value: 'user_created', start: 0, end: 12 }], group: { 'host.name': host }, reason: `account ${user}2 was created on ${host}` };
    default:
      return { lines: [ssh(0, `Accepted publickey for ${user}`)], matches: [], group: { 'user.name': user }, reason: `${user} logged in to ${host} from ${ip} for the first time` };
  }
}

const iso = (at) => new Date(at).toISOString();

let serial = 0;

/** One alert in wire form. */
export function makeAlert(rng, ms, over = {}) {
  const total = RULES.reduce((sum, rule) => sum + rule.weight, 0);
  let pick = rng() * total;
  const rule = over.rule ?? RULES.find((each) => (pick -= each.weight) < 0) ?? RULES[0];
  const ip = over.ip ?? ['192.0.2', '198.51.100', '203.0.113'][Math.floor(rng() * 3)] + `.${1 + Math.floor(rng() * rng() * 60)}`;
  const user = USERS[Math.floor(rng() * USERS.length)];
  const host = HOSTS[Math.floor(rng() * HOSTS.length)];
  const single = ['sudo_denied', 'user_created', 'log_gap', 'web_restricted_path'].includes(rule.id);
  const count = over.count ?? (single ? 1 : 5 + Math.floor(rng() * 90));
  const told = over.story ?? story(rule, rng, ip, user, host, ms, count);
  const first = ms - (count - 1) * 2400;
  serial += 1;
  const id = (serial.toString(16).padStart(6, '0') + hex(rng, 26)).slice(0, 32);
  return {
    '@timestamp': iso(ms),
    event: { kind: 'alert', severity: NUMBERS[rule.severity], id, start: iso(first), end: iso(ms) },
    rule: { id: rule.id, name: rule.name, description: rule.description, ruleset: rule.pack, reference: [] },
    ...(rule.technique.length > 0 ? { threat: { framework: 'MITRE ATT&CK', technique: { id: rule.technique }, tactic: { name: rule.tactic } } } : {}),
    message: told.reason,
    source: { ip },
    user: { name: user },
    host: { name: host },
    ...told.fields,
    tocsin: {
      alert: {
        id,
        severity: rule.severity,
        status: 'new',
        group: told.group,
        count,
        findings: Math.max(1, count - 4),
        reason: told.reason,
        first_seen: iso(first),
        last_seen: iso(ms),
        historical: over.historical ?? false,
        events: told.lines.map((line, step) => ({ event_id: hex(rng, 32), time: iso(first + step * 2400), rule_id: rule.id, line })),
        matches: told.matches,
        version: 1,
      },
    },
  };
}

/** An alert made of lines that somebody posted. */
export function alertOfLines(rng, ip, lines) {
  return makeAlert(rng, Date.now(), {
    rule: RULES[0],
    ip,
    count: lines.length,
    story: {
      lines,
      matches: [{ selection: 'failed', field: '', value: lines.at(-1), start: Buffer.byteLength(lines.at(-1).slice(0, lines.at(-1).indexOf('Failed'))), end: Buffer.byteLength(lines.at(-1).slice(0, lines.at(-1).indexOf('Failed') + 'Failed password'.length)) }],
      group: { 'source.ip': ip },
      reason: `${lines.length} failed SSH logins from ${ip}, last line: ${lines.at(-1)}`,
    },
  });
}

/** So many are made up one by one. */
const MADE_MAX = 2000;

/** What `count` alerts over the last day look like, newest first. */
export function makeHistory(rng, count, now) {
  const times = Array.from({ length: count }, () => now - 20_000 - Math.floor(rng() ** 1.6 * 24 * 3600_000));
  // A busy hour, as attacks have.
  for (let at = 0; at < count / 5; at += 1) times[at] = now - 5 * 3600_000 + Math.floor(rng() * 2400_000);
  const newestFirst = times.toSorted((a, b) => b - a);
  const made = newestFirst.slice(0, MADE_MAX).map((ms) => makeAlert(rng, ms));
  // A long list repeats itself, with other ids at other times.
  return newestFirst.map((ms, at) => {
    const alert = made[at % made.length];
    if (at < made.length) return alert;
    const id = at.toString(16).padStart(32, 'f');
    return { ...alert, '@timestamp': iso(ms), tocsin: { alert: { ...alert.tocsin.alert, id, last_seen: iso(ms) } } };
  });
}

/** A number of events for a moment: days have a shape. */
export const load = (ms) => {
  const hour = new Date(ms).getUTCHours() + new Date(ms).getUTCMinutes() / 60;
  return 46 + 30 * Math.sin(((hour - 8) / 24) * 2 * Math.PI) + 9 * Math.sin(ms / 97_000) + 5 * Math.sin(ms / 11_300);
};
