// Tests of Settings against the real server: channels, lists, storage; and of sizes of screens.
import { axe, faultsOf, open } from './browser.mjs';
import { attack, alertOf, ensure, freshAddress, none, same, until } from './check.mjs';

const HOSTILE = '<img src=x onerror=globalThis.pwned=1>';

async function done(page) {
  none(await faultsOf(page), 'the page reported faults');
  await page.context().close();
}

async function channelsAnswer({ base, browser }) {
  const { channels } = await (await fetch(`${base}/api/v1/status`)).json();
  const page = await open(browser);
  await page.goto(`${base}/settings/channels`);
  const table = page.getByRole('group', { name: 'Notification channels' });
  await page.getByRole('heading', { name: 'Deliveries that were given up' }).waitFor();
  none(await axe(page), 'axe on channels');
  if (channels.length > 0) {
    const { name } = channels[0];
    await table.getByRole('button', { name: `Send a test to ${name}` }).click();
    await table.getByText(/It (?:took it|did not take it)/).first().waitFor({ timeout: 20_000 });
  }
  await page.getByRole('link', { name: 'Storage' }).click();
  await page.getByText('Kept for').waitFor();
  none(await axe(page), 'axe on storage');
  await done(page);
}

async function listsAreKept({ base, browser }) {
  const ip = freshAddress();
  await attack(base, ip, ['ann', 'ben', 'cem', 'dan', 'eve', 'fay']);
  await alertOf(base, ip);
  const page = await open(browser);
  await page.goto(`${base}/settings/lists`);
  const add = page.getByRole('region', { name: 'Add to the allow-list' });
  await add.getByLabel('Value').fill(`e2e-${ip}`);
  await add.getByLabel('What').selectOption('host');
  await add.getByText(/it would have hidden 0 of/).waitFor();
  await add.getByLabel('Why').fill(HOSTILE);
  await add.getByLabel('Who answers for it').fill('ann');
  none(await axe(page), 'axe on the allow-list');
  await add.getByRole('button', { name: 'Add', exact: true }).click();
  const row = page.getByRole('row').filter({ hasText: `e2e-${ip}` });
  await row.waitFor();
  ensure((await row.innerText()).includes(HOSTILE), 'the reason is shown as written');
  same(await page.evaluate(() => document.querySelectorAll('img').length + (globalThis.pwned ?? 0)), 0, 'nodes made by a reason');
  await row.getByRole('button', { name: 'Remove' }).click();
  await row.getByRole('button', { name: 'Really remove' }).click();
  await until('the entry to go', async () => (await row.count()) === 0);
  await done(page);
}

const WIDTHS = [[1366, 768], [1600, 900], [2560, 1440]];

/** No screen is wider than the window, and nothing lies over something else. */
async function fitsScreens({ base, browser }) {
  const { alerts } = await (await fetch(`${base}/api/v1/alerts?limit=1`)).json();
  const paths = ['/overview', '/alerts', '/alerts?by=rule', `/alerts/${alerts[0].tocsin.alert.id}`, '/search', '/rules', '/entities', '/sources', '/settings/channels', '/settings/lists'];
  for (const [width, height] of WIDTHS) {
    const page = await open(browser, { width, height });
    for (const path of paths) {
      await page.goto(base + path);
      await page.locator('h1').first().waitFor({ state: 'attached' });
      await page.locator('.skeleton').first().waitFor({ state: 'detached' });
      const wide = await page.evaluate(() => Math.max(document.documentElement.scrollWidth, document.querySelector('main').scrollWidth) - innerWidth);
      ensure(wide <= 0, `${path} is ${wide} px too wide at ${width}`);
    }
    await done(page);
  }
}

async function panelsAreDrawn({ base, browser }) {
  const page = await open(browser, { width: 1600, height: 900 });
  await page.goto(`${base}/overview?last=24h`);
  await page.getByTestId('to-come').or(page.getByTestId('panels')).first().scrollIntoViewIfNeeded();
  const panels = page.getByTestId('panels');
  await panels.getByRole('heading', { name: 'Top users' }).waitFor();
  await panels.getByRole('heading', { name: 'At most risk' }).waitFor();
  await panels.getByText(/The oldest came|No critical or high alert waits/).first().waitFor();
  await panels.getByRole('heading', { name: 'ATT&CK tactics of alerts' }).waitFor();
  await panels.locator('.of-top tbody tr').first().waitFor();
  // A panel that a pack brings, of events that are here.
  await panels.getByRole('heading', { name: 'Answers by status' }).waitFor();
  none(await axe(page), 'axe on the panels');
  await panels.locator('.of-tactics a').first().click();
  await until('the alerts of the tactic', () => new URL(page.url()).searchParams.get('tactic') !== null);
  await done(page);
}

export const SETTINGS = [
  ['channels answer a test, storage is told', channelsAnswer],
  ['the allow-list is kept on the page', listsAreKept],
  ['panels of the page and of packs are drawn', panelsAreDrawn],
  ['every screen fits 1366, 1600 and 2560 pixels', fitsScreens],
];
