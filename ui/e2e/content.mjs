// Tests of Sources & health and of Rules against the real server.
import { axe, faultsOf, open } from './browser.mjs';
import { attack, ensure, freshAddress, none, same, until } from './check.mjs';

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

export const CONTENT = [
  ['sources are told, and lines can be tried', sourcesAreTold],
  ['rules are explained, tested and tried on history', rulesAreExplained],
  ['axe finds nothing on Sources and Rules', axeFindsNothing],
];
