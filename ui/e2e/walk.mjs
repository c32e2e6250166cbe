// Every screen in every state, dark and light: something to see, nothing that axe finds.
import { axe, faultsOf, open } from './browser.mjs';
import { control, ensure, none } from './check.mjs';

const NORMAL = { mode: 'normal', beat: true, fail: [], problem: false, silent: false, arrivals: false };
const ID = 'the newest alert';

/** Screens, and what each says when there is nothing at all. */
const SCREENS = [
  ['overview', '/overview', /No events in the last 24 hours/],
  ['alerts', '/alerts', /No events have arrived/],
  ['groups of alerts', '/alerts?by=rule', /No events have arrived/],
  ['an alert', ID, undefined],
  ['search', '/search', /No events have been stored|No event/],
  ['rules', '/rules', undefined],
  ['the matrix', '/rules?view=matrix', undefined],
  ['entities', '/entities', /all clear/],
  ['an address', '/entities/address/192.0.2.1', /No stored event names it/],
  ['sources', '/sources', /No source has been heard yet/],
  ['account', '/settings/account', undefined],
  ['channels', '/settings/channels', undefined],
  ['exceptions', '/settings/lists', /exception/i],
  ['bans', '/settings/bans', /Nobody is kept out/],
  ['threat intelligence', '/settings/intel', /No feeds/],
  ['storage', '/settings/storage', undefined],
];

/** Who one is, and the live stream, are of the frame. */
const FRAME = /\/api\/v1\/(?:me|stream)$/;
const STILL = ['account'];

const answers = (route) => !FRAME.test(new URL(route.request().url()).pathname);

/** What each state does to the answers, and what has to be seen then. */
const STATES = {
  async normal() {
    return async (page) => page.locator('main :is(h1, h2, [role=grid])').first().waitFor();
  },
  async loading(page) {
    await page.route('**/api/v1/**', (route) => (answers(route) ? undefined : route.continue()));
    return async (page_, name) => !STILL.includes(name) && page_.locator('.skeleton, [aria-busy=true]').first().waitFor();
  },
  async failing(page) {
    const body = JSON.stringify({ error: { message: 'the store is not reachable', request_id: 'walk-1' } });
    await page.route('**/api/v1/**', (route) => (answers(route) ? route.fulfill({ status: 503, contentType: 'application/json', body }) : route.continue()));
    return async (page_, name) => {
      if (STILL.includes(name)) return;
      const failure = page_.locator('.failure').first();
      await failure.waitFor();
      const text = await failure.innerText();
      ensure(text.includes('the store is not reachable') && text.includes('walk-1'), `${name}: the reason and its number are shown: ${text}`);
      ensure((await failure.getByRole('button').count()) > 0, `${name}: it can be tried again`);
    };
  },
  async empty(_page, base) {
    await control(base, { mode: 'empty' });
    return async (page, name, words) => {
      if (words) await page.locator('main').getByText(words).first().waitFor();
    };
  },
  async silent(_page, base) {
    await control(base, { beat: false });
    return async (page) => page.locator('.banner').waitFor();
  },
};

async function walk({ base, browser }, state) {
  await control(base, NORMAL);
  const { alerts } = await (await fetch(`${base}/api/v1/alerts?limit=1`)).json();
  const page = await open(browser, { reducedMotion: 'reduce' });
  const seen = await STATES[state](page, base);
  const found = [];
  let begun = false;
  for (const [name, path, words] of SCREENS) {
    const target = path === ID ? `/alerts/${alerts[0].tocsin.alert.id}` : path;
    // Within the page when it has to stay in its state, which takes a while to come.
    if (state === 'silent' && begun) await page.evaluate(async (to) => {
      history.pushState(null, '', to);
      for (let frame = 0; frame < 3; frame += 1) await new Promise((resolve) => requestAnimationFrame(resolve));
    }, target);
    else await page.goto(base + target);
    begun = true;
    try {
      await page.locator('h1').first().waitFor();
      await seen(page, name, words);
    } catch (error) {
      throw new Error(`${name}, ${state}: ${error.message}`, { cause: error });
    }
    for (const theme of ['dark', 'light']) {
      await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' });
      found.push(...(await axe(page)).map((one) => `${name}, ${state}, ${theme}: ${one}`));
    }
  }
  await page.unrouteAll({ behavior: 'ignoreErrors' });
  none(found, 'axe');
  none(await faultsOf(page), 'the page reported faults');
  await page.context().close();
  await control(base, NORMAL);
  return `${SCREENS.length} screens, dark and light`;
}

export const WALK = Object.keys(STATES).map((state) => [`every screen, ${state}`, (context) => walk(context, state)]);
