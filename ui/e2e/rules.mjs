// Tests of what one does with rules against the real server: switch, foresee, edit, compare; and of
// searches that are kept.
import { axe, editor, faultsOf, open, retype } from './browser.mjs';
import { attack, ensure, freshAddress, none, same, until } from './check.mjs';

async function done(page) {
  none(await faultsOf(page), 'the page reported faults');
  await page.context().close();
}

const api = async (base, path, method = 'GET', body = undefined) =>
  (await fetch(`${base}/api/v1${path}`, { method, ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }) })).json();

const RULE = (user, id) => `title: Logins as ${user}
id: ${id}
status: test
level: medium
logsource: { category: authentication }
detection:
  selection:
    user.name: ${user}
  condition: selection
tests:
  - name: somebody else
    fires: false
    events:
      - { at: 0s, user.name: nobody-else }
`;

/** Off, what it would have raised, on again: by keys alone. */
async function ruleIsSwitched(given) {
  try {
    await switchedAndForeseen(given);
  } finally {
    // What comes after needs its alerts.
    await api(given.base, '/rules/login_brute_force', 'PATCH', { enabled: null });
  }
}

async function switchedAndForeseen({ base, browser }) {
  await attack(base, freshAddress(), ['ann', 'ben', 'cem', 'dan', 'eve', 'fay']);
  const page = await open(browser);
  await page.goto(`${base}/rules/login_brute_force`);
  const pane = page.getByRole('complementary');
  const button = (name) => pane.getByRole('button', { name, exact: true });
  await button('Switch off').focus();
  await page.keyboard.press('Enter');
  await button('Switch on').waitFor();
  const { rules } = await api(base, '/rules');
  const rule = rules.find((each) => each.name === 'login_brute_force');
  ensure(!rule.enabled, 'the server says it is off');
  await pane.getByTestId('foreseen').waitFor({ timeout: 60_000 });
  ensure(/would have raised [1-9]/.test(await pane.getByTestId('foreseen').innerText()), await pane.getByTestId('foreseen').innerText());
  none(await axe(page), 'axe on a rule that is off');
  await page.keyboard.press('Escape');
  await page.goto(`${base}/rules?state=off`);
  await page.locator('.foreseen').first().waitFor({ timeout: 30_000 });
  await page.getByRole('button', { name: 'Cost', exact: true }).click();
  same(new URL(page.url()).searchParams.get('sort'), 'cost', 'the order in the URL');
  none(await axe(page), 'axe on rules that are off');
  await page.goto(`${base}/rules/login_brute_force`);
  await button('Switch on').focus();
  await page.keyboard.press('Enter');
  await button('Switch off').waitFor();
  await done(page);
}

/** Complete, mistake, mend, compare, save: the text of a rule that was saved here. */
async function ruleIsEdited({ base, browser }) {
  const [old, fresh] = [`edit-${Date.now() % 1_000_000}`, `edited-${Date.now() % 1_000_000}`];
  const id = crypto.randomUUID();
  await attack(base, freshAddress(), [old, old, fresh]);
  await api(base, '/rules', 'POST', { text: RULE(old, id) });
  await until('the rule to be in force', async () => (await api(base, '/rules')).rules.some((rule) => rule.id === id));
  await until('the events to be stored', async () => (await api(base, '/search', 'POST', { q: `user.name: ${fresh}`, limit: 0 })).total > 0);
  const page = await open(browser);
  await page.goto(`${base}/rules/${id}`);
  const pane = page.getByRole('complementary');
  const box = await editor(page);
  none(await axe(page), 'axe on the editor');
  await box.click();
  await page.keyboard.press('Control+Home');
  await page.keyboard.press('End');
  await page.keyboard.press('Enter');
  await page.keyboard.type('falsep');
  await page.getByRole('option', { name: /falsepositives/ }).waitFor();
  await page.keyboard.press('Escape');
  same(new URL(page.url()).pathname, `/rules/${id}`, 'Escape closes the completion, not the rule');
  await retype(page, RULE(fresh, id).replace('condition: selection', 'condition: selektion'));
  await pane.locator('.problems .error').first().waitFor();
  await pane.locator('.cm-lintRange-error').first().waitFor();
  none(await axe(page), 'axe on a rule with a mistake');
  ensure(await pane.getByRole('button', { name: 'Save', exact: true }).isDisabled(), 'a broken rule cannot be saved');
  await retype(page, RULE(fresh, id).replace('fires: false', 'fires: true'));
  await pane.locator('.rule-tests .failed').first().waitFor();
  await retype(page, RULE(fresh, id));
  await pane.getByText('1 of 1 tests pass').last().waitFor();
  await pane.getByRole('button', { name: /^Compare over/ }).click();
  const changes = pane.getByTestId('changes');
  await changes.waitFor({ timeout: 60_000 });
  const said = (await changes.innerText()).replaceAll(/\s+/g, ' ');
  ensure(said.includes('1 match more, 2 fewer, 0 as before'), said);
  none(await axe(page), 'axe on what a change changes');
  await pane.getByRole('button', { name: 'Save', exact: true }).click();
  await until('the new text to be in force', async () => (await api(base, '/rules')).rules.some((rule) => rule.title === `Logins as ${fresh}`));
  await api(base, `/rules/${id}`, 'DELETE');
  await done(page);
}

/** A rule of a pack is changed as a copy. */
async function packRuleIsCopied({ base, browser }) {
  const page = await open(browser);
  await page.goto(`${base}/rules/login_brute_force`);
  const pane = page.getByRole('complementary');
  await pane.getByRole('button', { name: 'Change a copy' }).click();
  const box = await editor(page);
  ensure((await box.innerText()).includes('(changed)'), 'the copy has a title of its own');
  await until('the check of the copy', async () => (await pane.locator('.problems .error').count()) === 0);
  await pane.getByRole('button', { name: 'Discard' }).click();
  await pane.getByRole('button', { name: 'Change a copy' }).waitFor();
  await done(page);
}

/** Kept, found by Ctrl-K, opened, removed: by keys alone. */
async function searchIsKept({ base, browser }) {
  const name = `Roots ${Date.now() % 1_000_000}`;
  const page = await open(browser);
  await page.goto(`${base}/search?q=${encodeURIComponent('user.name: root')}&last=7d&col=source.ip`);
  await page.locator('#query').waitFor();
  await page.locator('.summary h2').waitFor();
  await page.keyboard.press('w');
  const box = page.getByRole('dialog', { name: 'Kept searches' });
  await box.getByLabel('Keep this search as').waitFor();
  await page.keyboard.type(name);
  none(await axe(page), 'axe on kept searches');
  await page.keyboard.press('Enter');
  await box.getByText(`Kept: ${name}`).waitFor();
  await page.keyboard.press('Escape');
  await box.waitFor({ state: 'hidden' });
  await page.goto(`${base}/overview`);
  await page.locator('main h1').first().waitFor({ state: 'attached' });
  await page.keyboard.press('Control+k');
  await page.getByRole('combobox').waitFor();
  await page.keyboard.type(name);
  await page.getByRole('option', { name: new RegExp(name) }).first().waitFor();
  await page.keyboard.press('Enter');
  await until('the kept search', () => new URL(page.url()).pathname === '/search');
  const { searchParams } = new URL(page.url());
  same(`${searchParams.get('q')} ${searchParams.get('last')} ${searchParams.get('col')}`, 'user.name: root 7d source.ip', 'query, range and columns');
  await page.locator('.summary h2').waitFor();
  await page.keyboard.press('w');
  await box.getByRole('button', { name: `Remove ${name}` }).focus();
  await page.keyboard.press('Enter');
  await until('it to be removed', async () => !(await api(base, '/searches')).searches.some((kept) => kept.name === name));
  await done(page);
}

export const RULES = [
  ['a rule is switched off, foreseen and switched on', ruleIsSwitched],
  ['a rule is edited, checked and compared with itself over history', ruleIsEdited],
  ['a rule of a pack is changed as a copy', packRuleIsCopied],
  ['a search is kept, found and removed', searchIsKept],
];
