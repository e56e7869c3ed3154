// Drives the hub's page in headless Chromium as a person would, and prints what was seen.
// usage: node graphiql.mjs demo|token|sign-in URL CHROMIUM FOLDER [ISSUER]
// FOLDER receives the screenshots; ISSUER may be asked too.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const PATIENCE = 30_000; // milliseconds for one step
const DEADLINE = 110_000; // milliseconds for all; leaving takes the browser along
setTimeout(() => process.exit(3), DEADLINE).unref();
const [scenario, url, executablePath, folder, issuer] = process.argv.slice(2);
const origin = new URL(url).origin;
const profile = mkdtempSync(join(tmpdir(), 'graphiql-'));
const context = await chromium.launchPersistentContext(profile, {
  executablePath,
  headless: true,
  viewport: { width: 1280, height: 800 },
  args: [
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ],
});
const seen = { elsewhere: [], failed: [], complaints: [], violations: [], introspectedFor: [] };

try {
  context.setDefaultTimeout(PATIENCE);
  const page = context.pages()[0] ?? (await context.newPage());
  await watch(page);
  await page.goto(url, { waitUntil: 'load' });
  await page.locator('.graphiql-query-editor .view-line').first().waitFor();
  await { demo, token, 'sign-in': signIn }[scenario](page);
  seen.title = await page.title();
  seen.stored = await page.evaluate(() => Object.keys(localStorage).concat(Object.keys(sessionStorage)));
  console.log(JSON.stringify(seen));
} finally {
  await context.close();
  rmSync(profile, { recursive: true, force: true });
}

async function watch(page) {
  await page.exposeFunction('reportViolation', (text) => seen.violations.push(text));
  await page.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (event) =>
      window.reportViolation(`${event.violatedDirective}: ${event.blockedURI}`),
    );
  });
  context.on('request', (request) => {
    const address = new URL(request.url());
    if (request.postData()?.includes('IntrospectionQuery')) {
      seen.introspectedFor.push(request.headers()['hub-purpose'] ?? '');
    }
    const known = address.origin === origin || address.origin === issuer || inOtherWindow(request, page);
    if (/^(https?|wss?):$/.test(address.protocol) && !known) {
      seen.elsewhere.push(request.url());
    }
  });
  context.on('requestfailed', (request) => {
    // The page takes a question back when the person who asked it is changed.
    const taken = request.failure()?.errorText === 'net::ERR_ABORTED';
    if (!taken && !inOtherWindow(request, page)) seen.failed.push(request.url());
  });
  context.on('response', (response) => {
    if (response.status() >= 400 && !expected(response.url())) {
      seen.failed.push(`${response.status()} ${response.url()}`);
    }
  });
  page.on('pageerror', (error) => seen.complaints.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error' && !expected(message.location().url)) {
      seen.complaints.push(message.text());
    }
  });
}

// Refusals are answers: 401 and 403 of `/graphql`, and no demo settings outside the demo.
function expected(address) {
  const { pathname } = new URL(address, origin);
  return pathname === '/graphql' || (scenario !== 'demo' && /^\/console\/[a-z-]+\.json$/.test(pathname));
}

// What the issuer's own pages ask for, in the window to sign in, is the issuer's matter.
function inOtherWindow(request, page) {
  return issuer !== undefined && request.frame().page() !== page;
}

async function signIn(page) {
  seen.asks = await page.getByRole('status').filter({ hasText: 'token' }).innerText();
  // The issuer's pages would have fonts from elsewhere; a test asks nothing of the internet.
  await context.route(
    ({ origin: asked }) => asked !== origin && asked !== issuer,
    (route) => route.abort(),
  );
  const opening = context.waitForEvent('page');
  await page.getByRole('button', { name: 'Sign in' }).click();
  const opened = await opening;
  await opened.getByPlaceholder('Enter any login').fill('official-7');
  await opened.getByPlaceholder('and password').fill('any');
  await opened.getByRole('button', { name: 'Sign-in' }).click();
  const closing = opened.waitForEvent('close');
  await opened.getByRole('button', { name: 'Continue' }).click();
  await closing;
  await page.getByRole('button', { name: 'Sign in again' }).waitFor();
  seen.fields = await page.getByLabel('Token').count();
  seen.purposes = await offeredPurposes(page);
  seen.answer = await execute(page);
  seen.address = page.url();
  await page.screenshot({ path: join(folder, 'signed-in.png') });
}

async function demo(page) {
  const person = page.getByLabel('Person');
  seen.persons = await person.locator('option').evaluateAll((all) => all.map(({ value }) => value));
  seen.chosen = await person.inputValue();
  seen.purpose = await page.getByLabel('Purpose').inputValue();
  seen.case = await page.getByLabel('Case').inputValue();
  seen.onDenied = await page.getByLabel('On denied').inputValue();
  seen.purposes = await offeredPurposes(page);
  seen.answer = await execute(page);
  await page.screenshot({ path: join(folder, 'answer.png') });

  await person.selectOption('caseworker2');
  await page.waitForFunction(
    () => !document.querySelector('.graphiql-response .view-lines')?.innerText.trim(),
  );
  await offeredPurposes(page);
  seen.otherCase = await page.getByLabel('Case').inputValue();
  seen.otherAnswer = await execute(page);
  await page.screenshot({ path: join(folder, 'refusal.png') });
  await page.setViewportSize({ width: 400, height: 800 });
  await page.screenshot({ path: join(folder, 'narrow.png') });
}

async function token(page) {
  seen.persons = await page.getByLabel('Person').count();
  seen.asks = await page.getByRole('status').filter({ hasText: 'token' }).innerText();
  const field = page.getByLabel('Token');
  seen.fieldType = await field.getAttribute('type');
  await field.fill('not-a-token');
  seen.refusal = await page.getByRole('alert').filter({ hasText: '401' }).innerText();
  await page.screenshot({ path: join(folder, 'refused-token.png') });
  await field.fill('good-token');
  await page.getByRole('alert').filter({ hasText: '401' }).waitFor({ state: 'detached' });
  seen.purposes = await offeredPurposes(page);
  seen.answer = await execute(page);
  await page.screenshot({ path: join(folder, 'token.png') });
  seen.prettified = await prettify(page, '{purposes{code title}}', '{"ids":[1],}');
}

async function prettify(page, query, variables) {
  await page.evaluate(
    (texts) => {
      const models = globalThis.__MONACO.editor.getModels();
      for (const [name, text] of Object.entries(texts)) {
        models.find(({ uri }) => uri.path.endsWith(name)).setValue(text);
      }
    },
    { 'operation.graphql': query, 'variables.json': variables },
  );
  await page.getByRole('button', { name: /^Prettify query/ }).click();
  const done = { query, variables };
  const end = Date.now() + PATIENCE;
  while ((done.query === query || done.variables === variables) && Date.now() < end) {
    await page.waitForTimeout(50);
    done.query = await modelText(page, 'operation.graphql');
    done.variables = await modelText(page, 'variables.json');
  }
  return done;
}

async function offeredPurposes(page) {
  const options = page.locator('#purposes option');
  await options.first().waitFor({ state: 'attached' });
  return options.evaluateAll((all) => all.map(({ value }) => value));
}

async function execute(page) {
  await page.getByRole('button', { name: /^Execute query/ }).click();
  await page.waitForFunction(() => /\S/.test(document.querySelector('.graphiql-response .view-lines')?.innerText));
  // The editor draws only the lines in sight; the model behind them has the whole answer.
  const whole = await modelText(page, 'response.json');
  const shown = await page.locator('.graphiql-response .view-lines').innerText();
  return { whole: JSON.parse(whole), shown: shown.replaceAll('\u00a0', ' ') };
}

function modelText(page, name) {
  return page.evaluate(
    (ending) =>
      globalThis.__MONACO.editor
        .getModels()
        .find(({ uri }) => uri.path.endsWith(ending))
        .getValue(),
    name,
  );
}
