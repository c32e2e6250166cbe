// Takes the screenshots of docs/screenshots from a running server:
//   npm run screenshot -- --base http://127.0.0.1:7514 [--out ../docs/screenshots]
// With --mock, from the stand-in.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { launch, open } from './browser.mjs';
import { startMock } from './mock.mjs';

/** Heartbeats to gather first, so that the live line is a line. */
const SETTLE_MS = 12_000;

const option = (name) => {
  const at = process.argv.indexOf(`--${name}`);
  return at > 0 ? process.argv[at + 1] : undefined;
};

const mock = process.argv.includes('--mock') ? await startMock() : undefined;
const base = mock?.base ?? option('base')?.replace(/\/$/, '');
if (base === undefined) {
  console.error('say which server to show: npm run screenshot -- --base http://127.0.0.1:7514');
  process.exit(2);
}
const out = option('out') ?? fileURLToPath(new URL('../../docs/screenshots/', import.meta.url));
mkdirSync(out, { recursive: true });

const page0 = await fetch(`${base}/api/v1/alerts?severity=critical,high&limit=50`);
const { alerts } = await page0.json();
// The one with most to show: a matched span, then most lines.
const worth = (alert) => 100 * alert.tocsin.alert.matches.filter((match) => match.end > match.start).length + alert.tocsin.alert.events.length;
const shown = alerts.toSorted((a, b) => worth(b) - worth(a))[0];

const browser = await launch();
const shots = [
  ['overview', '/overview', { width: 1600, height: 960 }],
  ['overview-light', '/overview', { width: 1600, height: 960, theme: 'light' }],
  ['alerts', '/alerts', { width: 1600, height: 900 }],
  ...(shown ? [['alert', `/alerts/${shown.tocsin.alert.id}`, { width: 1600, height: 900 }]] : []),
  ['alerts-grouped', '/alerts?by=rule', { width: 1600, height: 900 }],
  ['overview-wide', '/overview', { width: 2560, height: 1440 }],
  ['alert-phone', shown ? `/alerts/${shown.tocsin.alert.id}` : '/alerts', { width: 390, height: 844 }],
  ['settings', '/settings/channels', { width: 1600, height: 900 }],
  ['exceptions', '/settings/lists', { width: 1600, height: 900 }],
  ['search', '/search?last=1h&q=event.outcome%3A%20failure&by=user.name', { width: 1600, height: 900 }],
  ['rules', '/rules/login_brute_force', { width: 1600, height: 900 }],
  ['matrix', '/rules?view=matrix', { width: 1600, height: 900 }],
  ['sources', '/sources', { width: 1600, height: 900 }],
  ['entities', '/entities', { width: 1600, height: 900 }],
  ['address', shown?.source?.ip ? `/entities/address/${shown.source.ip}` : '/entities', { width: 1600, height: 900 }],
  ['intel', '/settings/intel', { width: 1600, height: 900 }],
  ['overview-phone', '/overview', { width: 390, height: 844 }],
];
const pages = [];
for (const [name, path, look] of shots) {
  const page = await open(browser, { reducedMotion: 'reduce', ...look });
  await page.goto(base + path);
  pages.push([name, page]);
}
await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
for (const [name, page] of pages) {
  // Nothing that is still awaited is shown.
  await page.locator('.skeleton').first().waitFor({ state: 'detached', timeout: 60_000 });
  await page.screenshot({ path: join(out, `${name}.png`) });
  console.log(join(out, `${name}.png`));
}
await browser.close();
await mock?.stop();
process.exit(0);
