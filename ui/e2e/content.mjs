// Tests of Sources & health and of Rules against the real server.
import { axe, faultsOf, open } from './browser.mjs';
import { alertOf, attack, ensure, freshAddress, none, same, until } from './check.mjs';

const HOSTILE = '<img src=x onerror=globalThis.pwned=1>';

async function done(page) {
  none(await faultsOf(page), 'the page reported faults');
  await page.context().close();
}

const LINE = 'Mar  4 09:15:02 gate sshd[811]: Failed password for root from 192.0.2.44 port 40112 ssh2';

async function sourcesAreTold({ base, browser }) {
  await attack(base, freshAddress(), ['ann', 'ben']);
  const page = await open(browser);
  await page.goto(`${base}/sources`);
  await page.locator('.inputs tbody tr').first().waitFor();
  await page.locator('.understood').getByRole('link', { name: 'openssh.sshd' }).waitFor({ timeout: 30_000 });
  await page.getByLabel('Lines, one event each').fill(`${LINE}\nnobody knows this line`);
  await page.getByRole('button', { name: 'Read', exact: true }).click();
  const tried = page.getByTestId('tried');
  await tried.getByText('Read by openssh.sshd').waitFor();
  ensure((await tried.innerText()).includes('192.0.2.44'), 'the fields of the line are shown');
  await tried.getByText('No source reads this line').waitFor();
  await page.locator('.others > summary').click();
  await page.getByRole('searchbox', { name: 'Filter sources' }).fill('postgres');
  await page.locator('.others li summary').first().click();
  await page.getByText('To switch on').first().waitFor();
  await page.locator('.understood').getByRole('link', { name: 'openssh.sshd' }).click();
  await until('the search for the source', () => new URL(page.url()).searchParams.get('q') === 'event.dataset: openssh.sshd');
  await done(page);
}

async function rulesAreExplained({ base, browser }) {
  const page = await open(browser);
  await page.goto(`${base}/rules`);
  await page.locator('.rule-list tbody tr').first().waitFor();
  await page.keyboard.press('/');
  await page.keyboard.type('brute force from one address');
  await until('few rules', async () => (await page.locator('.rule-list tbody tr').count()) < 6);
  await page.keyboard.press('Escape');
  await page.getByRole('link', { name: 'Login brute force from one address', exact: true }).click();
  const detail = page.getByRole('complementary');
  await detail.locator('.rule-tests').getByText('five failures in a minute').waitFor();
  ensure((await detail.getByLabel('Text').first().inputValue()).includes('title: Login brute force'), 'the text of the rule is shown');
  await detail.getByRole('button', { name: /Run over/ }).click();
  await detail.getByTestId('raised').waitFor({ timeout: 60_000 });
  await page.keyboard.press('Escape');
  await until('Escape to close the rule', () => new URL(page.url()).pathname === '/rules');
  await page.goto(`${base}/rules?view=matrix`);
  await page.locator('.cell.covered summary').first().click();
  await page.locator('.cell.covered a').first().click();
  await page.locator('#rule-title').waitFor();
  same(new URL(page.url()).searchParams.get('view'), 'matrix', 'the view stays');
  await page.goto(`${base}/rules/no-such-rule`);
  await page.getByText('There is no such rule in force').waitFor();
  await page.goto(`${base}/rules?q=no-such-rule-at-all`);
  await page.getByText('No rule matches the filter').waitFor();
  await done(page);
}

async function axeFindsNothing({ base, browser }) {
  const wrong = [];
  for (const theme of ['dark', 'light']) {
    const page = await open(browser, { theme, reducedMotion: 'reduce' });
    const look = async (path, ready, phone) => {
      await page.setViewportSize(phone ? { width: 390, height: 844 } : { width: 1366, height: 768 });
      await page.goto(base + path);
      await page.locator(ready).first().waitFor();
      wrong.push(...(await axe(page)).map((text) => `${theme} ${path}: ${text}`));
      const wide = await page.evaluate(() => document.querySelector('main').scrollWidth - innerWidth);
      if (wide > 0) wrong.push(`${path} is ${wide} px too wide`);
    };
    await look('/sources', '.understood tbody tr');
    await look('/rules', '.rule-list tbody tr');
    await look('/rules/login_brute_force', '.rule-tests li');
    await look('/rules?view=matrix', '.cell.covered');
    await look('/rules/login_brute_force', '.rule-tests li', true);
    await done(page);
  }
  none(wrong, 'axe found violations');
}

/** Asks again until what was just sent has been stored. */
const linesFound = (page) =>
  until('the lines to be found', async () => {
    await page.keyboard.press('r');
    return (await page.locator('.event:not(.head)').count()) > 0;
  });

async function entitiesAreKnown({ base, browser }) {
  const ip = freshAddress();
  await attack(base, ip, ['ann', 'ben', 'cem', 'dan', 'eve', 'fay']);
  const page = await open(browser);
  await page.goto(`${base}/search?q=${encodeURIComponent(`source.ip: ${ip}`)}`);
  await linesFound(page);
  await page.locator('.event:not(.head)').first().click();
  await page.locator('.event-fields').getByRole('button', { name: ip, exact: true }).first().click();
  await page.getByRole('menuitem', { name: 'Open its page' }).click();
  await page.getByTestId('entity-events').waitFor();
  same(new URL(page.url()).pathname, `/entities/address/${ip}`, 'the page of the address');
  await page.locator('.related li a').first().waitFor();
  await page.locator('.peers').getByRole('button', { name: 'ann', exact: true }).waitFor();
  none(await axe(page), 'axe on an entity');
  await page.goto(`${base}/entities`);
  await page.getByLabel('Kind').selectOption('user');
  await page.getByRole('textbox', { name: 'Address or name' }).fill('never-seen-here');
  none(await axe(page), 'axe on entities');
  await page.keyboard.press('Enter');
  await page.getByText('No stored event names it').waitFor();
  await done(page);
}

/** Log lines that try to be markup, through the screens that show events. */
async function hostileEventsStayText({ base, browser }) {
  const ip = freshAddress();
  const users = ['<img src=x onerror=globalThis.pwned=1>', '"><svg/onload=globalThis.pwned=1>', 'a\u202egnp.exe', '<iframe srcdoc=x>', '{{7*7}}', "'-alert(1)-'"];
  await attack(base, ip, users);
  const page = await open(browser);
  const innocent = async (where) => {
    same(await page.evaluate(() => globalThis.pwned), undefined, `${where}: script ran`);
    same(await page.evaluate(() => document.querySelectorAll('main img,iframe,object,embed,[onerror],[onload]').length), 0, `${where}: log content became nodes`);
    none(await faultsOf(page), where);
  };
  const q = encodeURIComponent(`source.ip: ${ip}`);
  await page.goto(`${base}/search?q=${q}&col=user.name&by=user.name`);
  await linesFound(page);
  await innocent('columns and top values');
  await page.goto(`${base}/search?q=${q}`);
  await page.locator('.event:not(.head)').first().click();
  await page.locator('.event-fields').waitFor();
  await innocent('an event');
  await page.goto(`${base}/search?q=${encodeURIComponent(users[0])}`);
  await page.getByTestId('found').waitFor();
  await innocent('the query');
  await page.goto(`${base}/entities/address/${ip}`);
  await page.getByTestId('entity-events').waitFor();
  await innocent('an address');
  await page.goto(`${base}/entities/user/${encodeURIComponent(users[0])}`);
  await page.locator('h1').waitFor();
  await innocent('a user');
  await page.goto(`${base}/sources`);
  await page.getByLabel('Lines, one event each').fill(users.map((user) => `Mar  4 09:15:02 gate sshd[811]: Failed password for ${user} from ${ip} port 22 ssh2`).join('\n'));
  await page.getByRole('button', { name: 'Read', exact: true }).click();
  await page.getByTestId('tried').locator('.read').first().waitFor();
  await innocent('the try-out');
  await page.goto(`${base}/rules?q=${encodeURIComponent(users[0])}`);
  await page.getByText('No rule matches').waitFor();
  await innocent('rules');
  await done(page);
}

/** The page of a new alert. */
async function alertAtHand(base, browser) {
  const ip = freshAddress();
  await attack(base, ip, ['ann', 'ben', 'cem', 'dan', 'eve', 'fay']);
  const { id } = (await alertOf(base, ip)).tocsin.alert;
  const page = await open(browser);
  await page.goto(`${base}/alerts/${id}`);
  await page.getByTestId('status').filter({ hasText: 'new' }).waitFor();
  return { ip, id, page };
}

/** By keys: an exception made from an alert, tried before it is saved. */
async function alertIsExcepted({ base, browser }) {
  const { ip, page } = await alertAtHand(base, browser);
  await page.keyboard.press('t');
  await page.getByTestId('tried-exception').waitFor();
  none(await axe(page), 'axe on the exception');
  const dialog = page.getByRole('dialog', { name: 'Do not alert about this again' });
  await dialog.getByLabel('Why', { exact: true }).fill('our own scanner');
  await dialog.getByLabel('Who answers for it').fill('ann');
  const sure = dialog.getByRole('checkbox');
  if ((await sure.count()) > 0) await sure.check();
  await page.keyboard.press('Tab');
  await dialog.getByRole('button', { name: 'Add exception' }).click();
  await dialog.waitFor({ state: 'hidden' });
  const { exceptions } = await (await fetch(`${base}/api/v1/exceptions`)).json();
  const made = exceptions.find((each) => each.condition.includes(ip));
  ensure(made, 'the exception is in force');
  await fetch(`${base}/api/v1/exceptions/${made.id}`, { method: 'DELETE' });
  await done(page);
}

/** By keys: the address is blocked (here, in a dry run, that is recorded) and let in again. */
async function addressIsBlocked({ base, browser }) {
  const { ip, page } = await alertAtHand(base, browser);
  await page.keyboard.press('b');
  // A rule does so too, soon after its alert: whoever is first.
  const held = page.getByTestId('ban');
  const save = page.getByRole('button', { name: 'Block it', exact: true });
  await until('a ban', async () => {
    if (await held.isVisible()) return true;
    if (await save.isVisible()) await save.click({ timeout: 1000 }).catch(() => undefined);
    return false;
  });
  const told = await held.innerText();
  ensure(told.startsWith(`${ip} would be kept out until`), told);
  none(await axe(page), 'axe on a ban');
  const dialog = page.getByRole('dialog', { name: `Block ${ip}` });
  await dialog.getByRole('button', { name: 'Let it in again' }).click();
  await dialog.waitFor({ state: 'hidden' });
  await page.keyboard.press('b');
  await page.getByText('This is a dry run').waitFor();
  none(await axe(page), 'axe on the form that blocks');
  const { bans } = await (await fetch(`${base}/api/v1/bans?state=all`)).json();
  const ours = bans.filter((ban) => ban.address === ip).map((ban) => ban.state);
  same(ours.join(), 'lifted', 'one ban of the attack, lifted');
  await done(page);
}

/** Who is kept out: made, told on its own page, undone with its history; what guard rails forbid is told. */
async function bansAreListed({ base, browser }) {
  const ip = freshAddress();
  const page = await open(browser);
  await page.goto(`${base}/settings/bans`);
  const add = page.getByRole('region', { name: 'Keep somebody out' });
  await add.getByLabel('Address or name').fill('127.0.0.1');
  await add.getByLabel('Why').fill(HOSTILE);
  await add.getByRole('button', { name: 'Block it' }).click();
  await add.getByRole('alert').filter({ hasText: 'loopback' }).waitFor();
  await add.getByLabel('Address or name').fill(ip);
  await add.getByRole('button', { name: 'Block it' }).click();
  const row = page.getByTestId('ban-row').filter({ hasText: ip });
  await row.waitFor();
  const told = await row.innerText();
  ensure(told.includes('planned') && told.includes(HOSTILE), `state and reason are told: ${told}`);
  await attack(base, ip, ['ann']);
  await row.getByText('What happened').click();
  await row.locator('.steps li').first().waitFor();
  none(await axe(page), 'axe on who is kept out');
  await row.getByRole('link', { name: ip }).click();
  await page.getByTestId('kept-out').filter({ hasText: 'would be kept out' }).waitFor();
  none(await axe(page), 'axe on somebody who is kept out');
  await page.getByTestId('kept-out').click();
  await row.getByRole('button', { name: 'Let in again' }).click();
  await row.getByRole('button', { name: 'Really let in again' }).click();
  await until('the ban to go', async () => (await row.count()) === 0);
  await page.getByLabel(/Also those that are over/).check();
  await row.filter({ hasText: 'lifted' }).first().waitFor();
  same(await page.evaluate(() => document.querySelectorAll('img').length + (globalThis.pwned ?? 0)), 0, 'nodes made by a reason');
  await done(page);
}

/** By keys: an alert is given to somebody else and tagged, and that is taken back. */
async function alertIsAssigned({ base, browser }) {
  const { id, page } = await alertAtHand(base, browser);
  await page.keyboard.press('I');
  const dialog = page.getByRole('dialog', { name: 'Who has it' });
  await dialog.getByLabel('Owner').fill('cleo');
  await dialog.getByLabel('Tags').fill('vpn, <b>shop</b>');
  none(await axe(page), 'axe on the dialog that assigns');
  await page.keyboard.press('Enter');
  await dialog.waitFor({ state: 'hidden' });
  const core = async () => (await (await fetch(`${base}/api/v1/alerts/${id}`)).json()).tocsin.alert;
  await page.getByText('with cleo').waitFor();
  await page.locator('.tag', { hasText: '<b>shop</b>' }).waitFor();
  same((await core()).tags?.toSorted().join('|'), '<b>shop</b>|vpn', 'the tags');
  await page.keyboard.press('z');
  await until('no owner and no tags again', async () => {
    const now = await core();
    return now.owner === undefined && (now.tags ?? []).length === 0;
  });
  await done(page);
}

/** Filters that hide everything say so, and how much there is without them, on every screen that has filters. */
async function filtersSayWhatTheyHide({ base, browser }) {
  await attack(base, freshAddress(), ['ann', 'ben', 'cem', 'dan', 'eve', 'fay']);
  const page = await open(browser);
  const word = 'nothing-is-called-so';
  const screens = [
    ['/alerts', `/alerts?q=${word}`, /No match among \d/, 'Clear filters'],
    ['/alerts', `/alerts?by=rule&q=${word}`, /No match among \d/, 'Clear filters'],
    ['/search', `/search?q=${word}`, /(?:is|are) stored; none of them matches/, 'Clear the query'],
    ['/rules', `/rules?q=${word}`, /No rule matches the filter/, 'Clear filters'],
    ['/rules', `/rules?view=matrix&q=${word}`, /No rule matches the filter/, 'Clear filters'],
  ];
  for (const [screen, path, words, button] of screens) {
    await page.goto(base + path);
    const main = page.locator('main');
    await main.getByText(words).first().waitFor();
    same(await main.getByText(/All clear|No events have arrived/).count(), 0, `${path}: what is hidden is neither absent nor all clear`);
    none(await axe(page), `axe on ${path}`);
    await main.getByRole('button', { name: button }).first().click();
    await main.getByText(words).first().waitFor({ state: 'detached' });
    same(new URL(page.url()).pathname, screen, 'the screen is the same');
    ensure(!page.url().includes(word), `${path}: the filter is gone: ${page.url()}`);
  }
  // The list of fields beside a search has a filter of its own.
  await page.goto(`${base}/search`);
  await page.getByPlaceholder('Filter fields').fill(word);
  await page.getByText('No field is called so').waitFor();
  await done(page);
}

export const CONTENT = [
  ['filters that hide everything say so on every screen', filtersSayWhatTheyHide],
  ['who is kept out is told, and let in again', bansAreListed],
  ['an alert is given to somebody and tagged', alertIsAssigned],
  ['an address is blocked and let in again', addressIsBlocked],
  ['an alert is excepted, with what that would have hidden', alertIsExcepted],
  ['an address, user or host has its page', entitiesAreKnown],
  ['hostile events stay text on every screen', hostileEventsStayText],
  ['sources are told, and lines can be tried', sourcesAreTold],
  ['rules are explained, tested and tried on history', rulesAreExplained],
  ['axe finds nothing on Sources and Rules', axeFindsNothing],
];
