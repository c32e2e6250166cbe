// Starts Chromium and opens pages that report what they must not do.
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export async function launch() {
  const executablePath = process.env.CHROMIUM ?? PLACES.find((path) => existsSync(path));
  if (executablePath === undefined) {
    throw new Error('no Chromium found: install the package "chromium" or set CHROMIUM to its path');
  }
  const root = process.getuid?.() === 0;
  return chromium.launch({ executablePath, args: ['--disable-gpu', ...(root ? ['--no-sandbox'] : [])] });
}

/** A page in its own profile; `page.faults` collects CSP violations, console errors and exceptions. */
export async function open(browser, { width = 1366, height = 768, theme = 'dark', ...more } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: theme, timezoneId: 'UTC', locale: 'en-US', ...more });
  await context.addInitScript(() => {
    globalThis.cspFaults = [];
    document.addEventListener('securitypolicyviolation', (event) => {
      globalThis.cspFaults.push(`${event.effectiveDirective} ${event.blockedURI} ${event.sourceFile ?? ''}`);
    });
  });
  await context.addInitScript({ content: axeSource });
  const page = await context.newPage();
  page.faults = [];
  // A refused request is written to the console by the browser; tests refuse some on purpose.
  page.on('console', (message) => {
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) page.faults.push(message.text());
  });
  page.on('pageerror', (error) => page.faults.push(String(error)));
  return page;
}

/** Everything that went wrong on the page so far, CSP violations included. */
export async function faultsOf(page) {
  return [...page.faults, ...(await page.evaluate(() => globalThis.cspFaults))];
}

/** axe's verdict on the page as it is. */
export async function axe(page) {
  const result = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
  return result.violations.flatMap((violation) =>
    violation.nodes.map((node) => `${violation.id}: ${node.target.join(' ')} (${(node.any[0] ?? node.all[0] ?? node.none[0])?.message ?? violation.help})`));
}

/** The editor, once it is there. */
export async function editor(page) {
  const box = page.getByTestId('editor').getByRole('textbox');
  await box.waitFor({ timeout: 20_000 });
  return box;
}

/** All of the text in the editor, which draws only the lines in sight. */
export async function retype(page, text) {
  const box = await editor(page);
  await box.click();
  await page.keyboard.press('Control+a');
  await page.keyboard.insertText(text);
}
