// Tests of accounts, against a Tocsin of their own: the program is in E2E_TOCSIN.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { axe, faultsOf, open } from './browser.mjs';
import { alertOf, attack, ensure, freshAddress, none, same, until } from './check.mjs';

const PASSWORD = 'correct horse battery';

export async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A Tocsin without accounts, in a directory of its own; `more` are further keys of `server`. */
export async function start(program, port, more = '') {
  const dir = mkdtempSync(join(tmpdir(), 'tocsin-e2e-'));
  const config = `server: { data_dir: ${dir}/data, listen: "127.0.0.1:${port}"${more} }\ncollect: { discover: false, journald: { mode: off }, syslog: { udp: null, tcp: null } }\n`;
  writeFileSync(join(dir, 'tocsin.yml'), config);
  const child = spawn(program, ['run', '--config', join(dir, 'tocsin.yml')], { cwd: dir, stdio: 'ignore' });
  const base = `http://127.0.0.1:${port}`;
  const stop = async () => {
    if (child.exitCode === null) {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill();
      await ended;
    }
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    await until('tocsin run answers', async () => (await fetch(`${base}/health`).catch(() => undefined))?.ok, 30);
  } catch (error) {
    await stop();
    throw error;
  }
  return { base, stop, token: readFileSync(join(dir, 'data', 'setup-token'), 'utf8').trim() };
}

async function asTheFirst({ page, base, token, id, looked }) {
  await page.goto(`${base}/settings`);
  await page.getByLabel('Token').fill('a guess');
  await page.getByLabel('Name', { exact: true }).fill('root');
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await looked('setup');
  await page.getByRole('button', { name: 'Make the account' }).click();
  await page.getByText('not the token').waitFor();
  await page.getByLabel('Token').fill(token);
  await page.getByRole('button', { name: 'Make the account' }).click();
  await page.getByTestId('me').getByText('root').waitFor();
  same((await fetch(`${base}/api/v1/alerts`)).status, 401, 'reading without signing in');
  await page.getByRole('link', { name: 'Users' }).click();
  const add = page.getByRole('region', { name: 'Add somebody' });
  await add.getByLabel('Name', { exact: true }).fill('vi');
  await add.getByLabel('Role').selectOption('viewer');
  await add.getByLabel('Password').fill(PASSWORD);
  await page.keyboard.press('Enter');
  await page.getByText('vi can sign in now').waitFor();
  await looked('users');
  await page.getByRole('link', { name: 'API tokens' }).click();
  await page.getByRole('region', { name: 'Make a token' }).getByLabel('Name', { exact: true }).fill('grafana');
  await page.keyboard.press('Enter');
  const made = await page.getByTestId('token').innerText();
  await looked('tokens');
  const read = await fetch(`${base}/api/v1/alerts`, { headers: { authorization: `Bearer ${made}` } });
  same(read.status, 200, 'reading with a token');
  await page.goto(`${base}/alerts/${id}`);
  await page.getByTestId('status').filter({ hasText: 'new' }).waitFor();
  await page.keyboard.press('a');
  await page.getByTestId('status').filter({ hasText: 'acknowledged' }).waitFor();
  await page.getByTestId('activity').getByText('root').first().waitFor();
  await page.goto(`${base}/settings/audit`);
  await page.getByText('setup: first account').waitFor();
  await looked('the audit log');
  await page.goto(`${base}/settings/sessions`);
  await page.getByText('this one').waitFor();
}

async function asTheSecond({ page, base, id, looked }) {
  await page.goto(`${base}/settings/account`);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('heading', { name: 'Sign in to Tocsin' }).waitFor();
  await looked('the door');
  await page.getByLabel('Name', { exact: true }).fill('vi');
  await page.getByLabel('Password', { exact: true }).fill('not the password');
  await page.keyboard.press('Enter');
  await page.getByText('name or password is wrong').waitFor();
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
  await page.keyboard.press('Enter');
  await page.getByRole('link', { name: 'Signed in as vi' }).waitFor();
  await page.goto(`${base}/alerts/${id}`);
  await page.getByTestId('lines').waitFor();
  same(await page.getByRole('group', { name: 'What to do about it' }).count(), 0, 'what a viewer can do');
  await page.goto(`${base}/settings/users`);
  await page.getByTestId('me').getByText('vi', { exact: true }).waitFor();
  same(await page.getByRole('link', { name: 'Users' }).count(), 0, 'what a viewer can manage');
  // The live view goes on after signing in.
  await page.goto(`${base}/overview`);
  await page.locator('.pill b', { hasText: 'events/s' }).waitFor();
  const cookies = await page.context().cookies();
  ensure(cookies.some((cookie) => cookie.httpOnly && cookie.sameSite === 'Strict'), `the cookie is kept from scripts: ${JSON.stringify(cookies)}`);
}

async function firstRunToSecondPerson({ browser }) {
  const program = process.env.E2E_TOCSIN;
  if (!program) return 'skipped: E2E_TOCSIN does not say where the program is';
  const { base, stop, token } = await start(program, await freePort());
  try {
    const page = await open(browser);
    const looked = async (name) => none(await axe(page), `axe on ${name}`);
    const ip = freshAddress();
    await attack(base, ip, ['ann', 'ben', 'cem', 'dan', 'eve', 'fay']);
    const { id } = (await alertOf(base, ip)).tocsin.alert;
    await asTheFirst({ page, base, token, id, looked });
    await asTheSecond({ page, base, id, looked });
    none(await faultsOf(page), 'the page reported faults');
    await page.context().close();
  } finally {
    await stop();
  }
  return undefined;
}

export const ACCOUNTS = [['from the first run to a second person who may only look', firstRunToSecondPerson]];
