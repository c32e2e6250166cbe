// Signing in with a provider of identities, against a certified one (npm oidc-provider) on loopback
// and a Tocsin of its own: the program is in E2E_TOCSIN.
import OidcProvider from 'oidc-provider';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, start } from './accounts.mjs';
import { axe, faultsOf, open } from './browser.mjs';
import { none, same } from './check.mjs';

const PASSWORD = 'correct horse battery';
const SECRET = 'a secret: with signs &+/%';
const GROUPS = { ann: ['staff', 'soc'], eve: ['sales'] };

/** A provider that takes any password, and knows the groups of two people. */
async function provider(redirect) {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const oidc = new OidcProvider(issuer, {
    clients: [{ client_id: 'tocsin', client_secret: SECRET, redirect_uris: [redirect] }],
    claims: { openid: ['sub'], profile: ['preferred_username'], groups: ['groups'] },
    cookies: { keys: ['of this test'] },
    clockTolerance: 5,
    findAccount: (_context, id) => ({ accountId: id, claims: () => ({ sub: id, preferred_username: id, groups: GROUPS[id] ?? [] }) }),
    pkce: { required: () => true },
  });
  server.on('request', oidc.callback());
  const stop = () => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  };
  return { issuer, stop };
}

/** As a person does it at the provider. */
async function atProvider(page, name) {
  await page.getByRole('button', { name: 'Sign in with Example ID' }).click();
  await page.locator('input[name=login]').fill(name);
  await page.locator('input[name=password]').fill('any');
  await page.locator('[type=submit]').first().click();
  // What the provider asks about is given.
  await page.locator('input[name=prompt][value=consent]').waitFor({ state: 'attached' });
  await page.locator('[type=submit]').first().click();
}

async function withTheProvider({ browser }) {
  const program = process.env.E2E_TOCSIN;
  if (!program) return 'skipped: E2E_TOCSIN does not say where the program is';
  const port = await freePort();
  const dir = mkdtempSync(join(tmpdir(), 'tocsin-oidc-'));
  writeFileSync(join(dir, 'secret'), `${SECRET}\n`);
  const { issuer, stop: stopProvider } = await provider(`http://127.0.0.1:${port}/api/v1/session/oidc`);
  const oidc = `, oidc: { issuer: "${issuer}", client_id: tocsin, client_secret_file: "${dir}/secret", scopes: [openid, profile, groups], label: Example ID, roles: { analyst: [soc] } }`;
  let tocsin;
  try {
    tocsin = await start(program, port, oidc);
    const { base, token } = tocsin;
    const made = await fetch(`${base}/api/v1/setup`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ token, name: 'root', password: PASSWORD }) });
    same(made.status, 201, 'the first account');
    const page = await open(browser);
    await page.goto(`${base}/alerts?status=new`);
    await page.getByRole('button', { name: 'Sign in with Example ID' }).waitFor();
    none(await axe(page), 'axe on the door with a provider');
    await atProvider(page, 'ann');
    await page.getByRole('link', { name: 'Signed in as ann' }).waitFor();
    same(new URL(page.url()).pathname + new URL(page.url()).search, '/alerts?status=new', 'where one wanted to go');
    await page.goto(`${base}/settings/account`);
    await page.getByTestId('me').getByText('analyst:').waitFor();
    await page.getByRole('button', { name: 'Sign out' }).click();
    // The provider still knows who it is, and asks nothing.
    await page.getByRole('button', { name: 'Sign in with Example ID' }).click();
    await page.getByRole('link', { name: 'Signed in as ann' }).waitFor();
    none(await faultsOf(page), 'the page reported faults');
    await page.context().close();

    const other = await open(browser);
    await other.goto(`${base}/overview`);
    await atProvider(other, 'eve');
    await other.getByRole('alert').getByText('have no role in Tocsin').waitFor();
    none(await axe(other), 'axe on the door that was not opened');
    // A password opens it whatever the provider says.
    await other.getByLabel('Name', { exact: true }).fill('root');
    await other.getByLabel('Password', { exact: true }).fill(PASSWORD);
    await other.keyboard.press('Enter');
    await other.getByRole('link', { name: 'Signed in as root' }).waitFor();
    await other.goto(`${base}/settings/users`);
    await other.getByRole('row', { name: /ann/ }).getByText('signs in with the provider').waitFor();
    none(await axe(other), 'axe on the users');
    await other.goto(`${base}/settings/audit`);
    await other.getByText('account made as analyst').waitFor();
    await other.context().close();
  } finally {
    await tocsin?.stop();
    await stopProvider();
    rmSync(dir, { recursive: true, force: true });
  }
  return undefined;
}

export const OIDC = [['signing in with a provider of identities', withTheProvider]];
