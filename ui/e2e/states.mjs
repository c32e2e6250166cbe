// Tests of states that only the stand-in can be brought into: emptiness, failure, silence.
import { axe, faultsOf, open } from './browser.mjs';
import { alertOf, attack, control, ensure, freshAddress, none, same, until } from './check.mjs';

const NORMAL = { mode: 'normal', beat: true, fail: [], problem: false, silent: false, arrivals: false };

async function done(page) {
  none(await faultsOf(page), 'the page reported faults');
  await page.context().close();
}

async function noDataIsNotAllClear({ base, browser }) {
  await control(base, { mode: 'empty' });
  const page = await open(browser);
  await page.goto(`${base}/overview`);
  await page.getByText('No events in the last 24 hours').waitFor();
  none(await axe(page), 'axe on the empty overview');
  await page.goto(`${base}/alerts`);
  await page.getByText('No events have arrived').waitFor();
  await done(page);
}

async function allClear({ base, browser }) {
  await control(base, { mode: 'clear' });
  const page = await open(browser);
  await page.goto(`${base}/overview`);
  await page.getByText('All clear').waitFor();
  none(await axe(page), 'axe on the all-clear overview');
  await page.goto(`${base}/alerts`);
  await page.getByText('No alert yet').waitFor();
  await control(base, { problem: true });
  await page.goto(`${base}/overview`);
  await page.locator('.state.doubt').waitFor();
  same(await page.getByText('All clear').count(), 0, 'all clear is not said while inputs have problems');
  await page.locator('.pill.warn').click();
  await page.getByText('permission denied').waitFor();
  none(await axe(page), 'axe on health problems');
  await done(page);
}

async function filteredEmpty({ base, browser }) {
  const page = await open(browser);
  await page.goto(`${base}/alerts?q=nothing-like-this`);
  await page.getByText(/No match among \d+ alerts/).waitFor();
  await page.locator('.state').getByRole('button', { name: 'Clear filters' }).click();
  await page.locator('.row:not(.head)').first().waitFor();
  same(new URL(page.url()).search, '', 'filters in the URL');
  await done(page);
}

async function errorsCanBeRetried({ base, browser }) {
  await control(base, { fail: ['/api/v1/overview', '/api/v1/alerts'] });
  const page = await open(browser);
  await page.goto(`${base}/overview?last=1h`);
  const failure = page.locator('.newest .failure');
  await failure.waitFor();
  const text = await failure.innerText();
  ensure(text.includes('the store is not reachable') && text.includes('mock-7f3a'), `the error and its request id are shown: ${text}`);
  await until('the live rate, which does not depend on the overview', async () => /\d/.test(await page.getByTestId('live-rate').innerText()));
  none(await axe(page), 'axe on errors');
  await control(base, { fail: [] });
  await failure.getByRole('button').click();
  await page.getByTestId('newest').locator('li').first().waitFor();
  await control(base, { fail: ['/api/v1/overview'] });
  await page.locator('.failure.still').waitFor({ timeout: 25_000 });
  ensure((await page.getByTestId('newest').locator('li').count()) > 0, 'old data stays when a refresh fails');
  await control(base, { fail: ['/api/v1/alerts'] });
  await page.goto(`${base}/alerts`);
  await page.locator('.queue .failure').waitFor();
  await control(base, { fail: [] });
  await page.locator('.queue .failure button').click();
  await page.locator('.row:not(.head)').first().waitFor();
  await done(page);
}

async function silenceIsTold({ base, browser }) {
  const page = await open(browser);
  await page.goto(`${base}/overview`);
  await page.locator('.pill.ok b', { hasText: 'events/s' }).waitFor();
  await control(base, { beat: false });
  await page.locator('.banner').waitFor({ timeout: 8000 });
  await page.locator('.pill.bad').waitFor();
  none(await axe(page), 'axe on the banner');
  await control(base, { beat: true });
  await page.locator('.banner').waitFor({ state: 'hidden', timeout: 8000 });
  await done(page);
}

/** On every screen: who has gone quiet, and behind the line what cannot be detected meanwhile. */
async function quietSourcesAreTold({ base, browser }) {
  await control(base, { mode: 'clear', silent: true });
  const page = await open(browser);
  for (const path of ['/overview', '/alerts', '/search', '/rules', '/entities', '/sources', '/settings']) {
    await page.goto(base + path);
    await page.locator('.pill.warn', { hasText: '1 silent' }).waitFor();
  }
  await page.goto(`${base}/overview`);
  await page.locator('.state.doubt').waitFor();
  same(await page.getByText('All clear').count(), 0, 'all clear is not said while a source is silent');
  await page.locator('.pill.warn').click();
  const health = page.getByRole('dialog', { name: 'System health' });
  await health.getByText('1 source has gone quiet').waitFor();
  const told = await health.innerText();
  for (const words of ['openssh.sshd of web-9', '2 rules are blind without it: Login brute force from one address, Password spraying']) {
    ensure(told.includes(words), `“${words}” is told: ${told}`);
  }
  none(await axe(page), 'axe on a silent source');
  await done(page);
}

async function rowsDoNotMove({ base, browser }) {
  const page = await open(browser);
  await page.goto(`${base}/alerts`);
  await page.locator('.pill b', { hasText: 'events/s' }).waitFor();
  const rows = page.locator('.row:not(.head)');
  await rows.first().waitFor();
  const before = await rows.first().getAttribute('id');
  const ip = freshAddress();
  await attack(base, ip, ['a', 'b', 'c', 'd', 'e']);
  await page.locator('.news').waitFor();
  same(await rows.first().getAttribute('id'), before, 'the first row after an alert arrived');
  await page.keyboard.press('.');
  const alert = await alertOf(base, ip);
  await until('the new alert on top', async () => (await rows.first().getAttribute('id')) === `row-${alert.tocsin.alert.id}`);
  same(await page.locator('.news').count(), 0, 'news after they were shown');
  await done(page);
}

async function longListsStaySmall({ base, browser }) {
  const page = await open(browser);
  await page.goto(`${base}/alerts`);
  await page.locator('.row:not(.head)').first().waitFor();
  const { total } = await (await fetch(`${base}/api/v1/alerts?limit=1`)).json();
  ensure(total > 300, 'the stand-in has enough alerts');
  for (let at = 0; at < 12; at += 1) {
    await page.locator('.list').evaluate((list) => list.scrollTo(0, list.scrollHeight));
    await page.waitForFunction(() => !document.querySelector('.queue > .loading'));
  }
  await until('the last row', () => page.evaluate((last) => document.querySelector(`[aria-rowindex="${last}"]`) !== null, total + 1));
  const count = await page.locator('.row').count();
  ensure(count <= 80, `${count} rows are in the document`);
  await done(page);
}

export const STATES = [
  ['no data is not all clear', noDataIsNotAllClear],
  ['all clear, unless something may go unseen', allClear],
  ['a filter that hides everything says so', filteredEmpty],
  ['errors are shown where they are and can be retried', errorsCanBeRetried],
  ['silence of the server is told, and its end', silenceIsTold],
  ['every screen says who has gone quiet', quietSourcesAreTold],
  ['new alerts do not move rows', rowsDoNotMove],
  ['long lists keep the document small', longListsStaySmall],
].map(([name, run]) => [
  name,
  async (context) => {
    await control(context.base, NORMAL);
    return run(context);
  },
]);
