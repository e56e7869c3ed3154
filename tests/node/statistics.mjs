// Drives the page of policy teams in headless Chromium as a person would, and prints what was seen.
// usage: node statistics.mjs URL CHROMIUM FOLDER
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const PATIENCE = 30_000; // milliseconds for one step
setTimeout(() => process.exit(3), 110_000).unref(); // leaving takes the browser along
const [url, executablePath, folder] = process.argv.slice(2);
const origin = new URL(url).origin;
const profile = mkdtempSync(join(tmpdir(), 'statistics-'));
const context = await chromium.launchPersistentContext(profile, {
  executablePath,
  headless: true,
  viewport: { width: 1280, height: 900 },
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
const seen = { elsewhere: [], complaints: [], violations: [] };

try {
  context.setDefaultTimeout(PATIENCE);
  const page = context.pages()[0] ?? (await context.newPage());
  await page.exposeFunction('reportViolation', (text) => seen.violations.push(text));
  await page.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (event) =>
      window.reportViolation(`${event.violatedDirective}: ${event.blockedURI}`),
    );
  });
  page.on('request', (request) => {
    const address = new URL(request.url());
    if (/^https?:$/.test(address.protocol) && address.origin !== origin) seen.elsewhere.push(request.url());
  });
  page.on('pageerror', (error) => seen.complaints.push(String(error)));
  page.on('console', (message) => {
    // A refusal is an answer, though the browser calls its status an error.
    if (message.type() === 'error' && !message.location().url.endsWith('/graphql')) seen.complaints.push(message.text());
  });

  await page.goto(url, { waitUntil: 'load' });
  seen.title = await page.title();
  await page.locator('#first').waitFor();
  await condition(page, 'benefits.receipts.programme', 'is', 'basic-pension');
  await page.locator('#first').selectOption('resident_province');
  await page.locator('#statistic').selectOption('MEDIAN');
  await page.locator('#amount').selectOption('property_buildings_officialPrice');
  await page.getByRole('button', { name: 'Ask', exact: true }).focus();
  await page.keyboard.press('Enter');
  await page.locator('#shown table').waitFor();
  seen.count = await page.locator('#count').innerText();
  seen.head = await page.locator('#shown thead th').allInnerTexts();
  seen.rows = await page.locator('#shown tbody tr').count();
  seen.deliveries = await page.locator('#deliveries li').allInnerTexts();
  seen.caveats = await page.locator('#caveats li').count();
  seen.graphql = await page.locator('#graphql').textContent();
  await page.screenshot({ path: join(folder, 'table.png') });

  await page.getByRole('button', { name: 'Map' }).press('Space');
  seen.tiles = await page.locator('#shown svg rect').count();
  await page.screenshot({ path: join(folder, 'map.png') });
  await page.getByRole('button', { name: 'Chart' }).click();
  seen.bars = await page.locator('#shown rect.bar').count();
  await page.screenshot({ path: join(folder, 'chart.png') });

  await page.locator('#name').fill('Pensions by province');
  await page.getByRole('button', { name: 'Keep the question' }).click();
  await page.getByRole('status').filter({ hasText: 'Kept as' }).waitFor();
  seen.saved = await page.locator('#saved').locator('option').allInnerTexts();

  await page.getByLabel('Reason for a file').fill('for the yearly report');
  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: 'CSV' }).click();
  const file = await download;
  seen.file = file.suggestedFilename();
  seen.firstLine = readFileSync(await file.path(), 'utf8').split(/\r?\n/)[0];

  await condition(page, 'resident.province', 'is', '829020-1705151');
  await page.getByRole('button', { name: 'Ask', exact: true }).click();
  seen.refusal = await page.getByRole('status').filter({ hasText: 'no name of a group' }).innerText();

  // A hub that takes too long at once answers by a job.
  await page.locator('#filters li').last().getByRole('button', { name: 'Remove' }).click();
  await page.locator('#second').selectOption('resident_sex');
  let slow = 0;
  await page.route('**/graphql', (route) => {
    const asks = route.request().postData()?.startsWith('{"query":"{\\n  population');
    if (!asks || slow++) return route.continue();
    const errors = [{ message: 'it takes longer than 20 s', extensions: { code: 'TOO_COSTLY' } }];
    return route.fulfill({ json: { errors } });
  });
  await page.getByRole('button', { name: 'Ask', exact: true }).click();
  await page.locator('#graphql').filter({ hasText: 'resident_sex' }).waitFor({ state: 'attached' });
  seen.patiently = { slow, count: await page.locator('#count').innerText() };

  await page.setViewportSize({ width: 390, height: 844 });
  seen.overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  await page.screenshot({ path: join(folder, 'narrow.png'), fullPage: true });
  seen.stored = await page.evaluate(() => Object.keys(localStorage).concat(Object.keys(sessionStorage)));
  console.log(JSON.stringify(seen));
} finally {
  await context.close();
  rmSync(profile, { recursive: true, force: true });
}

async function condition(page, item, how, value) {
  await page.getByRole('button', { name: 'Add a condition' }).click();
  const row = page.locator('#filters li').last();
  const option = row.getByLabel('Item').locator('option', { hasText: `(${item})` });
  await row.getByLabel('Item').selectOption(await option.getAttribute('value'));
  await row.getByLabel('How').selectOption({ label: how });
  await row.getByLabel('Value').fill(value);
}
