// Tests of the page against any server: what a person sees and does. Each gets {base, browser}.
import { axe, faultsOf, open } from './browser.mjs';
import { alertOf, attack, ensure, freshAddress, none, same, until } from './check.mjs';

const FIRST_LOAD_MAX_BYTES = 200_000;
const USABLE_MAX_MS = 2000;
const USERS = ['root', 'admin', 'oracle', 'test', 'deploy', 'git', 'backup', 'pi'];
/** More tabs than HTTP/1.1 connections that a browser opens to one server. */
const TABS = 7;

const HOSTILE = [
  '<img src=x onerror=globalThis.pwned=1>',
  '<script>globalThis.pwned=1</script>',
  '"><svg/onload=globalThis.pwned=1>',
  'javascript:globalThis.pwned=1',
  '{{constructor.constructor("globalThis.pwned=1")()}}',
  'a\u202egnp.exe\u2066b\u2069',
  'esc\u001b[31mred\u0007',
  '<iframe srcdoc="<script>parent.pwned=1</script>">',
];

const newest = (page) => page.getByTestId('newest').locator('li');

async function done(page) {
  none(await faultsOf(page), 'the page reported faults');
  await page.context().close();
}

async function overviewShowsAlerts({ base, browser }) {
  const ip = freshAddress();
  await attack(base, ip, USERS);
  const page = await open(browser);
  const start = Date.now();
  await page.goto(`${base}/`);
  await newest(page).first().waitFor({ timeout: 10_000 });
  await page.locator('.alerts-chart canvas').waitFor();
  ensure(Date.now() - start < 10_000, 'alerts took more than 10 s');
  same(new URL(page.url()).pathname, '/overview', 'the start page');
  ensure((await page.title()).startsWith('Overview'), 'the title names the screen');
  await done(page);
}

async function overviewIsLive({ base, browser }) {
  const page = await open(browser);
  await page.goto(`${base}/overview`);
  await until('a first heartbeat', async () => /\d/.test(await page.getByTestId('live-rate').innerText()));
  await page.evaluate(() => (globalThis.stillHere = true));
  const ip = freshAddress();
  await attack(base, ip, USERS);
  await page.getByTestId('newest').getByText(ip).first().waitFor();
  ensure(await page.evaluate(() => globalThis.stillHere === true), 'the page was reloaded');
  await done(page);
}

async function detailExplains({ base, browser }) {
  const ip = freshAddress();
  await attack(base, ip, USERS);
  const alert = await alertOf(base, ip);
  const page = await open(browser);
  await page.goto(`${base}/alerts/${alert.tocsin.alert.id}`);
  const reason = page.getByTestId('reason');
  await reason.waitFor();
  ensure((await reason.innerText()).includes(ip), 'the reason names the address');
  ensure((await page.getByTestId('lines').innerText()).includes('Failed password'), 'raw lines are shown');
  ensure((await page.getByTestId('lines').locator('.entity', { hasText: ip }).count()) > 0, 'the address is highlighted in the raw lines');
  ensure((await page.title()).includes(alert.rule.name), 'the title names the rule');
  const why = page.getByTestId('why');
  await why.locator('.tree .met').first().waitFor();
  const told = await why.innerText();
  ensure(/≥\s*\d/.test(told) && /within/.test(told) && told.includes('source.ip'), `what had to come together is told: ${told}`);
  await why.locator('.value').first().click();
  await page.getByRole('menu').waitFor();
  none(await axe(page), 'axe on the menu of a value');
  await page.keyboard.press('Escape');
  await done(page);
}

/** Looks for an alert with a matched span, whichever it is, and compares text with offsets. */
async function spansAreHighlighted({ base, browser }) {
  const { alerts } = await (await fetch(`${base}/api/v1/alerts?limit=100`)).json();
  const alert = alerts.find((each) => each.tocsin.alert.matches.some((match) => match.end > match.start));
  if (!alert) return 'skipped: no alert here has a matched span';
  const match = alert.tocsin.alert.matches.find((each) => each.end > each.start);
  const part = Buffer.from(match.value).subarray(match.start, match.end).toString();
  const page = await open(browser);
  await page.goto(`${base}/alerts/${alert.tocsin.alert.id}`);
  await page.locator('.matched mark').first().waitFor();
  const marked = await page.locator('.matched mark').allInnerTexts();
  ensure(marked.join('').includes(part), `“${part}” is marked, got ${JSON.stringify(marked)}`);
  await done(page);
  return undefined;
}

async function keyboardAlone({ base, browser }) {
  const page = await open(browser);
  await page.goto(`${base}/overview`);
  await newest(page).first().waitFor();
  await page.keyboard.press('g');
  await page.keyboard.press('a');
  await page.locator('[role=row].current, .list').first().waitFor();
  same(new URL(page.url()).pathname, '/alerts', 'g a goes to alerts');
  await page.locator('.row:not(.head)').first().waitFor();
  await page.keyboard.press('j');
  await page.keyboard.press('Enter');
  await page.locator('#detail-title').waitFor();
  const first = page.url();
  ensure(/\/alerts\/[^/]+$/.test(first), 'Enter opens the alert under its own address');
  await until('the focus to reach the alert', () => page.evaluate(() => document.activeElement?.id === 'detail-title'));
  await page.keyboard.press('j');
  await until('j to open the next alert', () => page.url() !== first);
  await page.keyboard.press('k');
  await until('k to come back', () => page.url() === first);
  await page.keyboard.press('Escape');
  await until('Escape to close the alert', () => new URL(page.url()).pathname === '/alerts');
  await page.keyboard.press('/');
  await page.keyboard.type('no such thing anywhere');
  await until('the filter to be in the URL', () => new URL(page.url()).searchParams.get('q') === 'no such thing anywhere');
  await page.locator('.state.filtered').waitFor();
  await page.keyboard.press('Escape');
  await page.keyboard.press('Escape');
  await until('Escape to clear the filter', () => new URL(page.url()).search === '');
  await page.keyboard.press('?');
  await page.locator('dialog.help[open]').waitFor();
  await page.keyboard.press('Escape');
  await page.locator('dialog.help').waitFor({ state: 'hidden' });
  await page.keyboard.press('g');
  await page.keyboard.press('o');
  await until('g o to go to the overview', () => new URL(page.url()).pathname === '/overview');
  await done(page);
}

async function axeFindsNothing({ base, browser }) {
  const { alerts } = await (await fetch(`${base}/api/v1/alerts?limit=1`)).json();
  const found = [];
  for (const theme of ['dark', 'light']) {
    const page = await open(browser, { theme, reducedMotion: 'reduce' });
    const look = async (name) => found.push(...(await axe(page)).map((text) => `${theme} ${name}: ${text}`));
    await page.goto(`${base}/overview`);
    await newest(page).first().waitFor();
    await page.locator('.events-chart canvas').waitFor();
    await look('overview');
    await page.locator('.alerts-chart .icon-button').click();
    await page.locator('.alerts-chart table').waitFor();
    await look('overview as table');
    await page.locator('.pill').click();
    await look('health');
    await page.keyboard.press('Escape');
    await page.keyboard.press('?');
    await look('help');
    await page.keyboard.press('Escape');
    await page.goto(`${base}/alerts`);
    await page.locator('.row:not(.head)').first().waitFor();
    await look('alerts');
    await page.goto(`${base}/alerts/${alerts[0].tocsin.alert.id}`);
    await page.getByTestId('lines').waitFor();
    await look('alert');
    await page.setViewportSize({ width: 390, height: 844 });
    await look('alert on a phone');
    await done(page);
  }
  none(found, 'axe found violations');
}

/** By keys: take notice, close as a false positive, take that back; the history tells all of it. */
async function triage({ base, browser }) {
  const ip = freshAddress();
  await attack(base, ip, USERS);
  const { id } = (await alertOf(base, ip)).tocsin.alert;
  const page = await open(browser);
  await page.goto(`${base}/alerts/${id}`);
  const status = page.getByTestId('status');
  const shows = (words) => status.filter({ hasText: words }).waitFor();
  await shows('new');
  await page.keyboard.press('a');
  await shows('acknowledged');
  await page.keyboard.press('e');
  await page.getByRole('menu').waitFor();
  none(await axe(page), 'axe on the open menu');
  await page.keyboard.press('3');
  await shows('Closed as false positive');
  await page.keyboard.press('z');
  await shows('acknowledged');
  await page.keyboard.press('c');
  await page.keyboard.type('our own scanner <img src=x onerror=globalThis.pwned=1>');
  await page.keyboard.press('Control+Enter');
  const history = page.getByTestId('activity');
  await history.getByText('our own scanner <img').waitFor();
  const told = await history.innerText();
  for (const words of ['acknowledged it', 'closed it, as false positive', 'no longer false positive']) {
    ensure(told.includes(words), `the history says “${words}”: ${told}`);
  }
  same(await page.locator('.detail img').count(), 0, 'images made by a comment');
  // Somebody else is faster.
  const other = await fetch(`${base}/api/v1/alerts/${id}`, {
    method: 'PATCH',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ owner: 'ben', by: 'ben' }),
  });
  same(other.status, 200, 'the other one’s change');
  await page.getByText('with ben').waitFor();
  await page.reload();
  await shows('acknowledged');
  await page.getByText('with ben').waitFor();
  await done(page);
}

async function hostileLinesAreText({ base, browser }) {
  const ip = freshAddress();
  await attack(base, ip, HOSTILE);
  const alert = await alertOf(base, ip);
  const page = await open(browser);
  const innocent = async (where) => {
    same(await page.evaluate(() => globalThis.pwned), undefined, `${where}: script ran`);
    const nodes = await page.evaluate(() => document.querySelectorAll('img,iframe,object,embed,body script:not([src]),[onerror],[onload]').length);
    same(nodes, 0, `${where}: log content became nodes`);
  };
  await page.goto(`${base}/overview`);
  await page.getByTestId('newest').getByText(ip).first().waitFor();
  await innocent('overview');
  await page.goto(`${base}/alerts?q=${encodeURIComponent(HOSTILE[0])}`);
  await page.locator('.queue .summary h2').waitFor();
  await innocent('filter');
  await page.goto(`${base}/alerts/${alert.tocsin.alert.id}`);
  const lines = page.getByTestId('lines');
  await lines.waitFor();
  await innocent('alert');
  await page.locator('details.raw summary').click();
  await innocent('raw JSON');
  const raw = alert.tocsin.alert.events.map((event) => event.line).join('\n');
  if (raw.includes('onerror')) ensure((await lines.innerText()).includes('onerror='), 'markup is shown as written');
  if (raw.includes('\u202e')) {
    ensure((await lines.locator('.control', { hasText: 'U+202E' }).count()) > 0, 'bidi controls are made visible');
    ensure(!(await page.locator('main').innerText()).includes('\u202e'), 'no bidi control reaches the page');
  }
  await done(page);
}

async function budgets({ base, browser }) {
  let best = Infinity;
  let bytes = 0;
  for (let run = 0; run < 3; run += 1) {
    const page = await open(browser);
    const network = await page.context().newCDPSession(page);
    await network.send('Network.enable');
    bytes = 0;
    const mine = new Set();
    network.on('Network.responseReceived', ({ requestId, response }) => {
      if (!new URL(response.url).pathname.startsWith('/api/')) mine.add(requestId);
    });
    network.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
      if (mine.has(requestId)) bytes += encodedDataLength;
    });
    const start = Date.now();
    await page.goto(`${base}/overview`);
    await newest(page).first().waitFor();
    await page.locator('.alerts-chart canvas').waitFor();
    best = Math.min(best, Date.now() - start);
    await page.locator('.pill b').waitFor();
    await done(page);
  }
  ensure(bytes > 0 && bytes <= FIRST_LOAD_MAX_BYTES, `first load is ${bytes} bytes, allowed ${FIRST_LOAD_MAX_BYTES}`);
  ensure(best <= USABLE_MAX_MS, `usable after ${best} ms, allowed ${USABLE_MAX_MS}`);
  return `first load ${(bytes / 1000).toFixed(0)} kB on the wire, usable after ${best} ms`;
}

async function manyTabsStayLive({ base, browser }) {
  const first = await open(browser);
  const context = first.context();
  const pages = [first];
  while (pages.length < TABS) pages.push(await context.newPage());
  for (const page of pages) {
    await page.goto(`${base}/overview`);
    await page.locator('.pill b', { hasText: 'events/s' }).waitFor();
  }
  await done(first);
}

/** From any screen, by keys alone: to another screen, to an address, to a setting. */
async function paletteGoesAnywhere({ base, browser }) {
  const page = await open(browser);
  const box = page.getByRole('combobox', { name: /Type a screen/ });
  const screens = ['/overview', '/alerts', '/search', '/rules', '/entities', '/sources', '/settings'];
  for (const path of screens) {
    await page.goto(base + path);
    await page.locator('.pill b', { hasText: 'events/s' }).waitFor();
    await page.keyboard.press('Control+k');
    await box.waitFor();
    if (path === '/overview') none(await axe(page), 'axe on the palette');
    await page.keyboard.press('Escape');
    await box.waitFor({ state: 'detached' });
  }
  const run = async (words) => {
    await page.locator('.pill b', { hasText: 'events/s' }).waitFor();
    await page.keyboard.press('Control+k');
    await box.fill(words);
    await page.keyboard.press('Enter');
    await box.waitFor({ state: 'detached' });
  };
  await run('critical and high');
  await until('the alerts', () => page.url().endsWith('/alerts?severity=critical,high'));
  await run('192.0.2.77');
  await until('the address', () => page.url().endsWith('/entities/address/192.0.2.77'));
  await run('light theme');
  same(await page.evaluate(() => document.documentElement.dataset.theme), 'light', 'the theme');
  await page.keyboard.press('Control+k');
  await box.fill(HOSTILE[0]);
  await page.getByRole('option').first().waitFor();
  same(await page.evaluate(() => document.querySelectorAll('img').length + (globalThis.pwned ?? 0)), 0, 'nodes that were typed');
  await page.keyboard.press('Escape');
  await done(page);
}

async function unknownThings({ base, browser }) {
  const page = await open(browser);
  await page.goto(`${base}/alerts/ffffffffffffffffffffffffffffffff`);
  await page.locator('.detail .state h2').waitFor();
  const asset = await fetch(`${base}/assets/no-such-file.js`);
  same(asset.status, 404, 'a missing asset');
  await page.goto(`${base}/no/such/page`);
  await page.locator('.blank').waitFor();
  await done(page);
}

async function fitsAPhone({ base, browser }) {
  const { alerts } = await (await fetch(`${base}/api/v1/alerts?limit=1`)).json();
  const page = await open(browser, { width: 390, height: 844, hasTouch: true });
  for (const path of ['/overview', '/alerts', `/alerts/${alerts[0].tocsin.alert.id}`]) {
    await page.goto(base + path);
    await page.locator('h1').first().waitFor({ state: 'attached' });
    await page.locator('.panel.newest li, .row:not(.head), [data-testid=lines]').first().waitFor({ state: 'attached' });
    const wide = await page.evaluate(() => Math.max(document.documentElement.scrollWidth, document.querySelector('main').scrollWidth) - innerWidth);
    ensure(wide <= 0, `${path} is ${wide} px too wide`);
  }
  await done(page);
}

async function themeLasts({ base, browser }) {
  const page = await open(browser, { theme: 'dark' });
  await page.goto(`${base}/overview`);
  await page.locator('[popovertarget=display]').click();
  await page.getByRole('radio', { name: 'Light' }).check();
  same(await page.evaluate(() => document.documentElement.dataset.theme), 'light', 'the theme');
  await page.reload();
  same(await page.evaluate(() => document.documentElement.dataset.theme), 'light', 'the theme after a reload');
  await done(page);
}

async function policyIsStrict({ base }) {
  const answer = await fetch(`${base}/overview`);
  const policy = answer.headers.get('content-security-policy') ?? '';
  const wanted = ["default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "base-uri 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'", 'trusted-types ui'];
  none(wanted.filter((part) => !policy.includes(part)), 'the content security policy lacks');
  ensure(!policy.includes('unsafe'), 'the policy allows unsafe things');
  same(answer.headers.get('x-content-type-options'), 'nosniff', 'x-content-type-options');
}

export const PAGES = [
  ['the content security policy is strict', policyIsStrict],
  ['the overview shows alerts within 10 s', overviewShowsAlerts],
  ['the overview updates without a reload', overviewIsLive],
  ['an alert explains itself', detailExplains],
  ['matched spans are highlighted', spansAreHighlighted],
  ['everything can be done by keyboard', keyboardAlone],
  ['an alert is acknowledged, closed and opened again by keys', triage],
  ['hostile log lines stay text', hostileLinesAreText],
  ['axe finds no violation, dark and light', axeFindsNothing],
  ['first load and time to use are within budget', budgets],
  [`${TABS} tabs stay live`, manyTabsStayLive],
  ['the palette goes anywhere', paletteGoesAnywhere],
  ['unknown alerts, pages and assets are said to be so', unknownThings],
  ['screens fit a phone', fitsAPhone],
  ['the chosen theme lasts', themeLasts],
];
