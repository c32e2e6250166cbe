// Runs the page tests in a real browser:
//   npm run e2e -- --base http://127.0.0.1:7514     against a running server
//   npm run e2e:mock                                against the stand-in, with the tests of states
// --only WORDS runs the tests whose name contains them. Exits 1 when one fails.
import { ACCOUNTS } from './accounts.mjs';
import { ALERTS, LARGE, VALUES } from './alerts.mjs';
import { launch } from './browser.mjs';
import { CONTENT } from './content.mjs';
import { startMock } from './mock.mjs';
import { NEWCOMER } from './newcomer.mjs';
import { OIDC } from './oidc.mjs';
import { PAGES } from './pages.mjs';
import { RULES } from './rules.mjs';
import { SEARCH } from './search.mjs';
import { SETTINGS } from './settings.mjs';
import { STATES } from './states.mjs';
import { WALK } from './walk.mjs';

const TEST_MAX_MS = 300_000;

const option = (name) => {
  const at = process.argv.indexOf(`--${name}`);
  return at > 0 ? process.argv[at + 1] : undefined;
};

const mock = process.argv.includes('--mock') ? await startMock() : undefined;
const base = mock?.base ?? option('base')?.replace(/\/$/, '');
if (base === undefined) {
  console.error('say which server to test: npm run e2e -- --base http://127.0.0.1:7514');
  process.exit(2);
}

/** What only the real server can answer. */
const REAL = [...SEARCH, ...CONTENT, ...RULES, ...SETTINGS, ...ACCOUNTS, ...OIDC, ...VALUES, ...NEWCOMER];

const only = option('only') ?? '';
const tests = [...PAGES, ...ALERTS, ...(mock ? [...STATES, ...WALK, ...LARGE] : REAL)].filter(([name]) => name.includes(only));
const browser = await launch();
let failed = 0;
for (const [name, run] of tests) {
  const start = Date.now();
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`took more than ${TEST_MAX_MS / 1000} s`)), TEST_MAX_MS);
  });
  try {
    const said = await Promise.race([run({ base, browser }), late]);
    console.log(`ok    ${name} (${Date.now() - start} ms)${said ? ` – ${said}` : ''}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL  ${name} (${Date.now() - start} ms)\n    ${error.message}`);
  } finally {
    clearTimeout(timer);
    for (const context of browser.contexts()) await context.close();
  }
}
await browser.close();
await mock?.stop();
console.log(`${tests.length - failed} of ${tests.length} page tests passed against ${base}`);
process.exit(failed > 0 ? 1 : 0);
