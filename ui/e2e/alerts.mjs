// Tests of the list of alerts: groups, facets, histogram, many at once by query, a hundred thousand.
import { availableParallelism, loadavg } from 'node:os';
import { axe, faultsOf, open } from './browser.mjs';
import { attack, alertOf, control, ensure, freshAddress, none, same, until } from './check.mjs';
import { startMock } from './mock.mjs';

const USERS = ['root', 'admin', 'oracle', 'test', 'deploy', 'git'];

async function done(page) {
  none(await faultsOf(page), 'the page reported faults');
  await page.context().close();
}

const asked = (page, name) => new URL(page.url()).searchParams.get(name);

async function groupsOpen({ base, browser }) {
  const ip = freshAddress();
  await attack(base, ip, USERS);
  const alert = await alertOf(base, ip);
  const page = await open(browser, { width: 1600, height: 900 });
  await page.goto(`${base}/alerts`);
  await page.locator('.row:not(.head)').first().waitFor();
  await page.getByLabel('Group by').selectOption('source');
  same(asked(page, 'by'), 'source', 'the grouping in the URL');
  const grid = page.getByRole('treegrid');
  const group = grid.getByRole('row', { name: new RegExp(`: ${ip.replaceAll('.', '\\.')},`) });
  await group.waitFor();
  same(await group.getAttribute('aria-expanded'), 'false', 'a group at first');
  await group.click();
  await grid.locator('.row.inner').first().waitFor();
  same(await group.getAttribute('aria-expanded'), 'true', 'a group that was clicked');
  none(await axe(page), 'axe on groups');
  // The keyboard goes on from there.
  await page.keyboard.press('j');
  await page.keyboard.press('Enter');
  await page.locator('#detail-title').waitFor();
  ensure((await page.getByTestId('reason').innerText()).includes(ip), 'the alert of the group is open');
  same(new URL(page.url()).pathname, `/alerts/${alert.tocsin.alert.id}`, 'the open alert');
  await page.keyboard.press('Escape');
  await until('the list again', () => new URL(page.url()).pathname === '/alerts');
  await page.keyboard.press('k');
  await page.keyboard.press('ArrowLeft');
  await until('the group closed', async () => (await group.getAttribute('aria-expanded')) === 'false');
  await page.keyboard.press('ArrowRight');
  await grid.locator('.row.inner').first().waitFor();
  await done(page);
}

async function facetsNarrow({ base, browser }) {
  const ip = freshAddress();
  await attack(base, ip, USERS);
  await alertOf(base, ip);
  const page = await open(browser, { width: 1600, height: 900 });
  await page.goto(`${base}/alerts?q=${ip}`);
  const facets = page.getByRole('navigation', { name: 'Narrow down' });
  const value = facets.getByRole('button', { name: new RegExp(`^${ip.replaceAll('.', '\\.')}`) });
  await value.click();
  await until('the address in the URL', () => asked(page, 'source') === ip);
  const total = await (await fetch(`${base}/api/v1/alerts?limit=0&source=${ip}`)).json();
  await page.getByTestId('total').filter({ hasText: new RegExp(`^${total.total} alert`) }).waitFor();
  same(await value.getAttribute('aria-pressed'), 'true', 'the value that is asked for');
  await page.getByRole('button', { name: 'Any source address again' }).click();
  await until('any address again', () => asked(page, 'source') === null);
  await page.goto(`${base}/alerts?last=24h`);
  const canvas = page.locator('.alert-histogram .u-over');
  await canvas.waitFor();
  const box = await canvas.boundingBox();
  await page.mouse.move(box.x + box.width * 0.4, box.y + 20);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.9, box.y + 24, { steps: 5 });
  await page.mouse.up();
  await until('the stretch that was drawn', () => asked(page, 'from') !== null && asked(page, 'to') !== null && asked(page, 'last') === null);
  await done(page);
}

/** Everything of one address: acknowledged by keys, taken back, closed with one query. */
async function manyAtOnce({ base, browser }) {
  const ip = freshAddress();
  await attack(base, ip, USERS);
  await alertOf(base, ip);
  const count = async (status) => (await (await fetch(`${base}/api/v1/alerts?limit=0&source=${ip}&status=${status}`)).json()).total;
  const all = await count('new');
  ensure(all > 0, 'there are new alerts');
  const page = await open(browser);
  await page.goto(`${base}/alerts?source=${ip}`);
  await page.locator('.row:not(.head)').first().waitFor();
  await page.keyboard.press('*');
  await page.getByTestId('target').getByText('match are selected').waitFor();
  none(await axe(page), 'axe on a selection');
  await page.keyboard.press('a');
  await until('all acknowledged', async () => (await count('acknowledged')) === all);
  await page.getByTestId('done').getByText('acknowledged').waitFor();
  await page.keyboard.press('z');
  await until('all new again', async () => (await count('new')) === all);
  await page.keyboard.press('Escape');
  await page.keyboard.press('j');
  await page.keyboard.press('x');
  await page.getByTestId('target').getByText('1 selected').waitFor();
  await page.keyboard.press('e');
  await page.getByRole('menu').waitFor();
  await page.keyboard.press('3');
  await until('one closed', async () => (await count('closed')) === 1);
  await page.getByTestId('done').getByText('closed as false positive').waitFor();
  await page.goto(`${base}/alerts?q=${ip}&by=source`);
  await page.locator('.row.group').first().waitFor();
  await page.keyboard.press('j');
  await page.keyboard.press('a');
  await page.getByTestId('done').getByText('acknowledged').waitFor();
  await done(page);
}

/** A value in the list: only it, without it, grouped by it, its page; by mouse and by key. */
async function valuesAct({ base, browser }) {
  const [ip, other] = [freshAddress(), freshAddress()];
  for (const one of [ip, other]) {
    await attack(base, one, USERS);
    await alertOf(base, one);
  }
  const page = await open(browser, { width: 1600, height: 900 });
  await page.goto(`${base}/alerts`);
  const cell = (address) => page.locator(`.row [data-value="${address}"]`).first();
  await cell(ip).click();
  none(await axe(page), 'axe on the menu of a value');
  await page.getByRole('menuitem', { name: 'Without alerts with it' }).click();
  same(asked(page, 'not'), `source:${ip}`, 'what is excluded');
  same(new URL(page.url()).pathname, '/alerts', 'the list one is in');
  await until('none of it in the list', async () => (await cell(ip).count()) === 0 && (await cell(other).count()) > 0);
  await cell(other).click();
  await page.getByRole('menuitem', { name: 'Without alerts with it' }).click();
  same(asked(page, 'not'), `source:${ip}\nsource:${other}`, 'both are excluded');
  await page.getByRole('button', { name: 'Any not source address again' }).first().click();
  await cell(ip).waitFor();
  // By key, from the marked row.
  await page.getByRole('searchbox').first().fill(ip);
  await until('only that address', () => asked(page, 'q') === ip);
  await page.keyboard.press('Escape');
  await page.locator('#alert-list').focus();
  await page.keyboard.press('j');
  await page.keyboard.press('v');
  await page.getByRole('menuitem', { name: 'Only alerts with it' }).waitFor();
  await page.keyboard.press('Enter');
  await until('the address is asked for', () => asked(page, 'source') === ip);
  await cell(ip).click();
  await page.getByRole('menuitem', { name: 'Group alerts by source address' }).click();
  await page.locator('.row.group').first().waitFor();
  same(asked(page, 'by'), 'source', 'the grouping');
  await page.goto(`${base}/alerts?source=${ip}`);
  await cell(ip).click();
  await page.getByRole('menuitem', { name: 'Open its page' }).click();
  await until('the page of the address', () => new URL(page.url()).pathname === `/entities/address/${ip}`);
  await page.getByTestId('risk').waitFor();
  none(await axe(page), 'axe on an address with risk');
  await done(page);
}

const MANY = 100_000;
const FRAME_P95_MAX_MS = 25;
const KEY_MAX_MS = 50;
/** Rows that are scrolled past in one frame. */
const SPEED_PX = 240;
const BATCHES = 20;
const BATCH_FRAMES = 10;
/** Of a frame's time the page may take so much of the processor. */
const FRAME_COST_MAX_MS = 25;

/** Time between frames while the list is scrolled through, and processor time that each took. */
async function scrolled(page) {
  const devtools = await page.context().newCDPSession(page);
  // Processor time, not time on the clock: a busy machine makes frames late, not dear.
  await devtools.send('Performance.enable', { timeDomain: 'threadTicks' });
  const spent = async () => (await devtools.send('Performance.getMetrics')).metrics.find((one) => one.name === 'TaskDuration').value * 1000;
  const frames = [];
  const costs = [];
  for (let batch = 0; batch < BATCHES; batch += 1) {
    const before = await spent();
    const took = await page.evaluate(async ({ speed, count }) => {
      const list = document.querySelector('.list');
      const times = [];
      let last = await new Promise((resolve) => requestAnimationFrame(resolve));
      for (let at = 0; at < count; at += 1) {
        list.scrollTop += speed;
        const now = await new Promise((resolve) => requestAnimationFrame(resolve));
        times.push(now - last);
        last = now;
      }
      return times;
    }, { speed: SPEED_PX, count: BATCH_FRAMES });
    frames.push(...took);
    costs.push(((await spent()) - before) / BATCH_FRAMES);
  }
  await devtools.detach();
  return { frame: p95(frames), cost: p95(costs) };
}

const p95 = (times) => times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.95)];

/** From a key to the next paint that shows it. */
const keyed = async (page) => {
  const times = [];
  for (let at = 0; at < 20; at += 1) {
    await page.evaluate(() => {
      globalThis.painted = new Promise((resolve) => {
        addEventListener('keydown', (event) => {
          requestAnimationFrame(() => {
            const channel = new MessageChannel();
            channel.port1.addEventListener('message', () => resolve(performance.now() - event.timeStamp));
            channel.port1.start();
            channel.port2.postMessage(0);
          });
        }, { once: true, capture: true });
      });
    });
    await page.keyboard.press('j');
    times.push(await page.evaluate(() => globalThis.painted));
  }
  return p95(times);
};

async function hundredThousand({ browser }) {
  const mock = await startMock({ alertCount: MANY });
  try {
    await control(mock.base, { arrivals: false });
    const page = await open(browser, { width: 1600, height: 900 });
    let scroll;
    let key = Infinity;
    // The machine may be busy with something else: the best of three is what the page can do.
    for (let run = 0; run < 3; run += 1) {
      await page.goto(`${mock.base}/alerts`);
      await page.locator('.row:not(.head,.blank)').first().waitFor({ timeout: 60_000 });
      const now = await scrolled(page);
      if (!scroll || now.frame < scroll.frame) scroll = now;
      key = Math.min(key, await keyed(page));
      if (scroll.frame <= FRAME_P95_MAX_MS && key <= KEY_MAX_MS) break;
    }
    const rows = await page.locator('.row').count();
    ensure(rows <= 90, `${rows} rows are in the document`);
    await page.locator('.list').evaluate((list) => list.scrollTo(0, list.scrollHeight));
    await page.locator(`[aria-rowindex="${MANY + 1}"]:not(.blank)`).waitFor({ timeout: 20_000 });
    const busy = loadavg()[0] > availableParallelism();
    const words = `p95 ${scroll.frame.toFixed(1)} ms a frame (${scroll.cost.toFixed(1)} ms of the processor), ${key.toFixed(0)} ms from key to paint${busy ? ', on a busy machine' : ''}`;
    ensure(scroll.cost <= FRAME_COST_MAX_MS, `${words}: allowed ${FRAME_COST_MAX_MS} ms of the processor`);
    // With others waiting for the processor, frames come late whatever the page does.
    ensure(busy || scroll.frame <= FRAME_P95_MAX_MS, `${words}: allowed ${FRAME_P95_MAX_MS} ms a frame`);
    ensure(busy || key <= KEY_MAX_MS, `${words}: allowed ${KEY_MAX_MS} ms from key to paint`);
    await done(page);
    return words;
  } finally {
    await mock.stop();
  }
}

export const ALERTS = [
  ['alerts are grouped, and groups open', groupsOpen],
  ['facets and the histogram narrow alerts down', facetsNarrow],
  ['many alerts are changed at once, and back', manyAtOnce],
];

/** What the stand-in does not answer. */
export const VALUES = [['values in the list of alerts have menus that act on it', valuesAct]];

export const LARGE = [['a hundred thousand alerts scroll and answer keys within budget', hundredThousand]];
