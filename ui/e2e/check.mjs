// The least a test needs: conditions with words, waiting for one, and posting an attack.

export function ensure(condition, words) {
  if (!condition) throw new Error(words);
}

export function same(actual, expected, words) {
  if (actual !== expected) throw new Error(`${words}: expected ${JSON.stringify(expected)}, got ${JSON.stringify(actual)}`);
}

export function none(list, words) {
  if (list.length > 0) throw new Error(`${words}:\n    ${list.join('\n    ')}`);
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

const two = (n) => String(n).padStart(2, '0');

/** A syslog stamp in local time, as that format has it: server and test share a machine. */
function stamp(at) {
  return `${MONTHS[at.getMonth()]} ${String(at.getDate()).padStart(2, ' ')} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

let nextHost = Math.floor(Math.random() * 200);

/** An address of a documentation network, another one each time. */
export function freshAddress() {
  nextHost += 1;
  return `203.0.113.${1 + (nextHost % 254)}`;
}

/** Posts failed SSH logins of `users` from `ip`: a brute force that any server here must see. */
export async function attack(base, ip, users) {
  const now = Date.now();
  const events = users.map((user, at) => ({
    format: 'auth',
    raw: `${stamp(new Date(now - (users.length - at) * 300))} e2e sshd[${4000 + at}]: Failed password for invalid user ${user} from ${ip} port ${40_000 + at} ssh2`,
  }));
  const answer = await fetch(`${base}/ingest`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ events }),
  });
  ensure(answer.ok, `POST /ingest answered ${answer.status}: ${await answer.text()}`);
}

/** Asks until `ask` gives something; for what the server needs a moment to do. */
export async function until(words, ask, seconds = 30) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const got = await ask();
    if (got) return got;
    if (Date.now() > end) throw new Error(`not within ${seconds} s: ${words}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** The alert raised for an address. */
export const alertOf = (base, ip) =>
  until(`an alert for ${ip} in the API`, async () => {
    const answer = await fetch(`${base}/api/v1/alerts?limit=100`);
    const { alerts } = await answer.json();
    return alerts.find((alert) => alert.tocsin.alert.group['source.ip'] === ip);
  });

export const control = (base, what) =>
  fetch(`${base}/__mock`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(what) });
