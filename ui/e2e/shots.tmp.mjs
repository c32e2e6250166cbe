import { startMock } from './mock.mjs';
import { launch, open, axe, faultsOf } from './browser.mjs';
const mock = await startMock();
const browser = await launch();
const ids = (await (await fetch(`${mock.base}/api/v1/alerts?limit=40`)).json()).alerts;
const crit = ids.find(a => a.tocsin.alert.severity === 'critical') ?? ids[0];
const sql = ids.find(a => a.rule.id === 'web_sql_injection') ?? ids[0];
for (const [name, w, h, theme, path] of [
  ['ov-dark-1366', 1366, 768, 'dark', '/overview'], ['ov-light-1600', 1600, 900, 'light', '/overview'],
  ['al-dark-1366', 1366, 768, 'dark', '/alerts'], ['al-light-1366', 1366, 768, 'light', '/alerts'],
  ['de-dark-1600', 1600, 900, 'dark', `/alerts/${crit.tocsin.alert.id}`], ['de-light-1366', 1366, 768, 'light', `/alerts/${sql.tocsin.alert.id}`],
  ['ov-phone', 390, 844, 'dark', '/overview'], ['al-phone', 390, 844, 'dark', '/alerts'], ['de-phone', 390, 844, 'light', `/alerts/${crit.tocsin.alert.id}`],
  ['ov-2560', 2560, 1300, 'dark', '/overview'],
]) {
  if (process.argv[2] && !name.match(process.argv[2])) continue;
  const page = await open(browser, { width: w, height: h, theme });
  await page.goto(mock.base + path);
  await page.waitForTimeout(5500);
  await page.screenshot({ path: `/tmp/shots/${name}.png` });
  console.log(name, 'faults', await faultsOf(page), 'axe', await axe(page));
  await page.context().close();
}
await browser.close(); await mock.stop();
