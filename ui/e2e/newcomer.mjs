// Somebody who has read nothing: finds the attack, reads why it fired, silences a false alarm. By
// what is written on the page alone.
import { axe, faultsOf, open } from './browser.mjs';
import { alertOf, attack, ensure, freshAddress, none, same, until } from './check.mjs';

const USERS = ['ann', 'ben', 'cem', 'dan', 'eve', 'fay'];

async function newcomer({ base, browser }) {
  const ip = freshAddress();
  const page = await open(browser);
  await page.goto(`${base}/`);
  await page.getByTestId('newest').waitFor();
  await attack(base, ip, USERS);
  await alertOf(base, ip);
  const found = page.getByTestId('newest').getByRole('link').filter({ hasText: ip }).first();
  await found.waitFor();
  await found.click();
  // One sentence, before any condition.
  const said = await page.getByTestId('sentence').first().innerText();
  ensure(said.includes(ip) && /\d/.test(said), `it is said in words what came together: ${said}`);
  none(await axe(page), 'axe on why it fired');
  await page.getByRole('button', { name: /^Close as/ }).click();
  await page.getByRole('menuitem', { name: 'false positive' }).click();
  const offer = page.getByRole('button', { name: /^Do not alert about this again/ });
  await offer.click();
  await page.getByTestId('tried-exception').waitFor();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Why', { exact: true }).fill('our own scanner');
  await dialog.getByLabel('Who answers for it').fill('ann');
  const sure = dialog.getByRole('checkbox');
  if ((await sure.count()) > 0) await sure.check();
  await dialog.getByRole('button', { name: 'Add exception' }).click();
  await dialog.waitFor({ state: 'hidden' });
  const made = async () => (await (await fetch(`${base}/api/v1/exceptions`)).json()).exceptions.find((one) => one.condition.includes(ip));
  const { id } = await made();
  ensure(id !== undefined, 'the exception is in force');
  await page.goto(`${base}/settings/lists`);
  await page.getByRole('row', { name: new RegExp(ip.replaceAll('.', '\\.')) }).first().waitFor();
  await fetch(`${base}/api/v1/exceptions/${id}`, { method: 'DELETE' });
  await until('no exception is left', async () => (await made())?.state !== 'active');
  none(await faultsOf(page), 'the page reported faults');
  same(await page.getByRole('alert').count(), 0, 'nothing went wrong');
  await page.context().close();
}

export const NEWCOMER = [['a newcomer finds the attack, reads why it fired, and silences it', newcomer]];
