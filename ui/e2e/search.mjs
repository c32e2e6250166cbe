// Tests of the Search screen against the real server.
import { readFileSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import { axe, faultsOf, open, retype } from './browser.mjs';
import { attack, ensure, freshAddress, none, same, until } from './check.mjs';

async function done(page) {
  none(await faultsOf(page), 'the page reported faults');
  await page.context().close();
}

const rows = (page) => page.locator('.event:not(.head)');
const found = async (page) => Number((await page.getByTestId('found').innerText()).replaceAll(/\D/g, ''));
const query = (page) => page.locator('#query');

/** Failed logins from a fresh address, searchable. */
async function logins(base, users) {
  const ip = freshAddress();
  await attack(base, ip, users);
  await until('the events to be stored', async () => (await total(base, `source.ip: ${ip}`)) >= users.length);
  return ip;
}

async function total(base, q) {
  const answer = await fetch(`${base}/api/v1/search`, { method: 'POST', body: JSON.stringify({ q, limit: 0 }) });
  return (await answer.json()).total;
}

async function findsAndOpens({ base, browser }) {
  const ip = await logins(base, ['ann', 'ben', 'cem']);
  const page = await open(browser);
  await page.goto(`${base}/search`);
  await query(page).waitFor();
  await page.locator('.fieldlist .name').first().waitFor();
  await page.keyboard.press('/');
  await page.keyboard.type('source.i');
  await page.getByRole('option', { name: /^source\.ip/ }).waitFor();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  same(await query(page).inputValue(), 'source.ip: ', 'the completed field');
  await page.keyboard.type(ip.slice(0, -2));
  const offered = page.locator('.completions').getByRole('option').first();
  same(await query(page).inputValue(), `source.ip: ${ip.slice(0, -2)}`, 'what was typed at once behind the field');
  // Values come within 300 ms or not at all: on a busy machine the next letter asks again.
  await until('values are offered', async () => {
    await page.keyboard.type(ip.at(-2));
    const there = await offered.waitFor({ timeout: 2000 }).then(() => true, () => false);
    if (!there) await page.keyboard.press('Backspace');
    return there;
  });
  await page.keyboard.press('Escape');
  await query(page).fill(`source.ip: ${ip}`);
  await page.keyboard.press('Enter');
  await until('three events', async () => (await found(page)) === 3);
  same(new URL(page.url()).searchParams.get('q'), `source.ip: ${ip}`, 'the query in the URL');
  await page.locator('.histogram canvas').waitFor();
  await page.keyboard.press('Escape');
  await page.keyboard.press('j');
  await page.keyboard.press('Enter');
  await page.locator('.event-fields').waitFor();
  ensure((await page.locator('.event-fields').innerText()).includes('user.name'), 'the fields of the event are shown');
  await page.locator('.event-fields').getByRole('button', { name: 'cem', exact: true }).first().click();
  await page.getByRole('menu').waitFor();
  none(await axe(page), 'axe on the menu of a value');
  await page.getByRole('menuitem', { name: 'Without events with it' }).click();
  await until('two events', async () => (await found(page)) === 2);
  ensure((await query(page).inputValue()).includes('not '), 'the exclusion stands in the query');
  await page.goBack();
  await until('three events again', async () => (await found(page)) === 3);
  await page.keyboard.press('r');
  await until('three events after asking again', async () => (await found(page)) === 3);
  await done(page);
}

async function fieldsCountAndFilter({ base, browser }) {
  const ip = await logins(base, ['dan', 'dan', 'eve']);
  const page = await open(browser);
  await page.goto(`${base}/search?q=${encodeURIComponent(`source.ip: ${ip}`)}`);
  await page.getByRole('searchbox', { name: 'Filter fields' }).fill('user.nam');
  await page.locator('.fieldlist .name', { hasText: 'user.name' }).click();
  const top = page.getByTestId('top-values');
  await top.waitFor();
  await until('top values', async () => (await top.locator('li').first().innerText()).replaceAll(/\s+/g, ' ').startsWith('dan 2'));
  await page.getByRole('button', { name: 'Add column user.name' }).click();
  await page.getByRole('columnheader', { name: 'user.name' }).waitFor();
  await top.getByRole('button', { name: 'Without events with dan' }).click();
  await until('one event', async () => (await found(page)) === 1);
  same(await rows(page).locator('.cell').first().innerText(), 'eve', 'the cell of the column');
  await done(page);
}

async function mistakesAreShown({ base, browser }) {
  const page = await open(browser);
  await page.goto(`${base}/search?q=${encodeURIComponent('user.name: (root and')}`);
  await page.getByRole('alert').filter({ hasText: 'At character' }).waitFor();
  await page.locator('.mirror u').waitFor();
  none(await axe(page), 'axe on a wrong query');
  await page.goto(`${base}/search?q=${encodeURIComponent('user.name: nobody-is-called-so')}`);
  await page.getByText('No event matches').waitFor();
  none(await axe(page), 'axe where nothing matches');
  await page.locator('.timerange .button').click();
  const range = page.getByRole('dialog', { name: 'Time range' });
  await range.getByLabel('From').fill('tomorrow-ish');
  await page.keyboard.press('Enter');
  await range.getByRole('alert').waitFor();
  none(await axe(page), 'axe on the time range');
  await range.getByLabel('From').fill('2026-01-01 08:00');
  await range.getByLabel('To').fill('2026-01-02');
  await page.keyboard.press('Enter');
  await until('the typed range in the URL', () => new URL(page.url()).searchParams.get('from') === '2026-01-01T08:00:00.000Z');
  await done(page);
}

async function liveShowsWhatComes({ base, browser }) {
  const ip = freshAddress();
  const page = await open(browser);
  await page.goto(`${base}/search?q=${encodeURIComponent(`source.ip: ${ip}`)}`);
  await query(page).waitFor();
  await page.keyboard.press('l');
  await page.getByText('Waiting for the next event').waitFor();
  await attack(base, ip, ['fay']);
  await rows(page).first().waitFor({ timeout: 15_000 });
  await rows(page).first().click();
  await page.locator('.event-fields').waitFor();
  await attack(base, ip, ['gus']);
  await page.getByRole('button', { name: /1 new/ }).waitFor({ timeout: 15_000 });
  same(await rows(page).count(), 1, 'rows while somebody reads');
  await page.getByRole('button', { name: /1 new/ }).click();
  await until('the second row', async () => (await rows(page).count()) === 2);
  await done(page);
}

async function exportsSafely({ base, browser }) {
  const ip = await logins(base, ['=1+1', 'hal']);
  const page = await open(browser, { acceptDownloads: true });
  await page.goto(`${base}/search?col=user.name&q=${encodeURIComponent(`source.ip: ${ip}`)}`);
  await rows(page).first().waitFor();
  const save = async (name) => {
    await page.getByRole('button', { name: 'Export and more' }).click();
    const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('menuitem', { name }).click()]);
    return readFileSync(await file.path(), 'utf8');
  };
  const table = await save('Export as CSV');
  ensure(table.includes("'=1+1"), `a formula is made text: ${table}`);
  const lines = (await save('Export as NDJSON')).trim().split('\n');
  same(lines.length, 2, 'lines of the export');
  ensure(JSON.parse(lines[0])['@timestamp'], 'a line is an event');
  await done(page);
}

/** Search → rule → backtest → saved → it fires. */
async function queryBecomesRule({ base, browser }) {
  const user = `e2e-${Date.now() % 1_000_000}`;
  const ip = await logins(base, [user, user]);
  const page = await open(browser);
  await page.goto(`${base}/search?q=${encodeURIComponent(`user.name: ${user} and event.outcome: failure`)}`);
  await until('two events', async () => (await found(page)) === 2);
  await page.keyboard.press('s');
  const pane = page.getByRole('complementary', { name: 'Save as rule' });
  await pane.getByLabel('Title').fill(`Logins as ${user}`);
  await pane.getByTestId('raised').waitFor({ timeout: 60_000 });
  ensure(/from 2 matches/.test(await pane.getByTestId('raised').innerText()), `the backtest finds both: ${await pane.getByTestId('raised').innerText()}`);
  none(await axe(page), 'axe on save as rule');
  const drafted = await fetch(`${base}/api/v1/rules/draft`, { method: 'POST', body: JSON.stringify({ q: `user.name: ${user} and event.outcome: failure`, title: `Logins as ${user}` }) });
  const good = (await drafted.json()).text;
  await retype(page, good.replace('condition: selection', 'condition: selektion'));
  await pane.locator('.problems .error').first().waitFor();
  ensure(await pane.getByRole('button', { name: 'Save and switch on' }).isDisabled(), 'a broken rule cannot be saved');
  await retype(page, good);
  await pane.getByTestId('raised').waitFor({ timeout: 60_000 });
  await pane.getByRole('button', { name: 'Save and switch on' }).click();
  await pane.getByText('it is in force').waitFor();
  await until('the rule to be in force', async () => (await (await fetch(`${base}/api/v1/rules`)).json()).rules.some((rule) => rule.title === `Logins as ${user}`), 20);
  await attack(base, ip, [user]);
  await until('an alert of the saved rule', async () => (await (await fetch(`${base}/api/v1/alerts?q=${user}`)).json()).alerts.some((alert) => alert.rule.name === `Logins as ${user}`), 20);
  const { rules } = await (await fetch(`${base}/api/v1/rules`)).json();
  const { id } = rules.find((rule) => rule.title === `Logins as ${user}`);
  same((await fetch(`${base}/api/v1/rules/${id}`, { method: 'DELETE' })).status, 200, 'removing the rule');
  await done(page);
}

async function axeFindsNothing({ base, browser }) {
  await logins(base, ['ida']);
  const wrong = [];
  for (const theme of ['dark', 'light']) {
    const page = await open(browser, { theme, reducedMotion: 'reduce' });
    const look = async (name) => wrong.push(...(await axe(page)).map((text) => `${theme} ${name}: ${text}`));
    await page.goto(`${base}/search`);
    await rows(page).first().waitFor();
    await page.locator('.fieldlist .name').first().waitFor();
    await look('search');
    await page.keyboard.press('j');
    await page.keyboard.press('Enter');
    await page.locator('.event-fields').waitFor();
    await look('an event opened');
    await page.getByRole('button', { name: 'Export and more' }).click();
    await look('the menu');
    await page.keyboard.press('Escape');
    await page.setViewportSize({ width: 390, height: 844 });
    await look('search on a phone');
    const wide = await page.evaluate(() => document.querySelector('main').scrollWidth - innerWidth);
    ensure(wide <= 0, `search is ${wide} px too wide for a phone`);
    await done(page);
  }
  none(wrong, 'axe found violations');
}

/** Events a second that a live view has to follow, and for how long. */
const LIVE_RATE = 1000;
const LIVE_SECONDS = 4;

async function liveKeepsUp({ base, browser }) {
  const page = await open(browser);
  await page.goto(`${base}/search?q=${encodeURIComponent('event.action: flood')}&last=15m`);
  await page.locator('.summary h2').waitFor();
  await page.keyboard.press('l');
  await page.getByText('Live: newest on top').waitFor();
  await page.evaluate(() => {
    globalThis.long = [];
    new PerformanceObserver((list) => globalThis.long.push(...list.getEntries().map((entry) => entry.duration))).observe({ type: 'longtask' });
  });
  const start = Date.now();
  for (let tenth = 0; tenth < LIVE_SECONDS * 10; tenth += 1) {
    const events = Array.from({ length: LIVE_RATE / 10 }, (_, at) => ({ event_type: 'flood', timestamp: new Date().toISOString(), message: `flood ${tenth} ${at}` }));
    const answer = await fetch(`${base}/ingest`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ events }) });
    ensure(answer.ok, `POST /ingest answered ${answer.status}`);
    const wait = start + (tenth + 1) * 100 - Date.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
  }
  await rows(page).nth(3).waitFor({ timeout: 20_000 });
  const long = await page.evaluate(() => globalThis.long);
  const busy = loadavg()[0] > availableParallelism();
  const words = `${long.length} long tasks while ${LIVE_RATE} events a second came${busy ? ', on a busy machine' : ''}`;
  ensure(busy || long.length === 0, words);
  await done(page);
  return words;
}

export const SEARCH = [
  ['search finds, completes, opens and narrows', findsAndOpens],
  ['search counts values of fields and filters by them', fieldsCountAndFilter],
  ['search shows what is wrong with a query or range', mistakesAreShown],
  ['the live view shows what comes, and holds it while somebody reads', liveShowsWhatComes],
  ['axe finds nothing on Search', axeFindsNothing],
  ['exports are safe from formulas', exportsSafely],
  ['a query becomes a rule that fires', queryBecomesRule],
  ['the live view keeps up with a thousand events a second', liveKeepsUp],
];
