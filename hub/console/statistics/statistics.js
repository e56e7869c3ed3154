// The page of policy teams: a question is chosen, asked, and shown as a table, a chart or a map.
import { bars, map, table } from './drawing.js';
import { documentOf, filterOf } from './question.js';

const PURPOSE = 'policy-statistics';
const at = (id) => document.getElementById(id);
let token = '';
let items = [];
let asked = null; // the document and the variables of the answer shown
let answer = null;
let view = 'table';

const say = (text) => (at('status').textContent = text);

async function ask(query, variables = {}) {
  const response = await fetch('/graphql', {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      Accept: 'application/json',
      Authorization: `Bearer ${token}`,
      'Hub-Purpose': PURPOSE,
    },
    body: JSON.stringify({ query, variables }),
  });
  const body = await response.json();
  if (body.errors?.length) {
    const { message, extensions } = body.errors[0];
    const error = new Error(extensions?.remedy ? `${message}: ${extensions.remedy}` : message);
    throw Object.assign(error, { code: extensions?.code });
  }
  return body.data;
}

// Whatever is refused is told in the page's one place for it.
const guarded = (work) => async (event) => {
  event?.preventDefault();
  say('Asking …');
  try {
    await work(event);
    if (at('status').textContent === 'Asking …') say('');
  } catch (error) {
    say(error.message);
  }
};

const option = (value, text) => Object.assign(document.createElement('option'), { value, textContent: text });
const named = ({ description, name }) => `${description} (${name})`;

async function enter() {
  token = at('person-field').hidden ? at('token').value.trim() : at('person').value;
  if (!token) throw new Error('Enter a token: the hub answers no one it cannot name.');
  ({ populationItems: items } = await ask(
    '{ populationItems { name field description type kind edges listed filters dimension amount } }',
  ));
  const dimensions = items.filter((item) => item.dimension).map((item) => option(item.field, named(item)));
  at('first').replaceChildren(option('', 'nothing'), ...dimensions);
  at('second').replaceChildren(option('', 'nothing else'), ...dimensions.map((each) => each.cloneNode(true)));
  const amounts = items.filter((item) => item.amount).map((item) => option(item.field, named(item)));
  at('amount').replaceChildren(...amounts);
  document.querySelector('main').hidden = false;
  await listSaved();
}

async function listSaved() {
  const { savedQuestions } = await ask('{ savedQuestions { name query } }');
  at('saved').replaceChildren(...savedQuestions.map(({ name, query }) => option(query, name)));
  at('ask-saved').disabled = savedQuestions.length === 0;
}

function addFilter() {
  const row = document.createElement('li');
  const item = document.createElement('select');
  item.ariaLabel = 'Item';
  item.append(...items.filter((each) => each.filters).map((each, place) => option(place, named(each))));
  const offered = items.filter((each) => each.filters);
  const how = document.createElement('select');
  how.ariaLabel = 'How';
  const value = document.createElement('span');
  const remove = Object.assign(document.createElement('button'), { type: 'button', textContent: 'Remove' });
  remove.addEventListener('click', () => row.remove());
  const input = (label) => Object.assign(document.createElement('input'), { ariaLabel: label, size: 14 });
  const chooseValue = () => {
    const of = offered[item.value];
    value.replaceChildren();
    if (['exists', 'absent'].includes(how.value)) return;
    if (of.type === 'Boolean') {
      const yes = document.createElement('select');
      yes.ariaLabel = 'Value';
      yes.append(option('true', 'yes'), option('false', 'no'));
      value.append(yes);
    } else if (of.kind === 'values') {
      value.append(input('Value'));
    } else {
      const edge = document.createElement('select');
      edge.ariaLabel = 'Value';
      edge.append(...of.edges.map((each) => option(each, each.toLocaleString('en'))));
      value.append(edge);
    }
  };
  const chooseItem = () => {
    const edges = offered[item.value].kind !== 'values';
    const words = edges ? [['ge', 'from'], ['lt', 'below']] : [['eq', 'is'], ['ne', 'is not']];
    how.replaceChildren(...words.map(([code, word]) => option(code, word)));
    how.append(option('exists', 'is known'), option('absent', 'is not known'));
    chooseValue();
  };
  item.addEventListener('change', chooseItem);
  how.addEventListener('change', chooseValue);
  row.read = () => ({ item: offered[item.value], how: how.value, value: value.firstChild?.value });
  chooseItem();
  row.append(item, ' ', how, ' ', value, ' ', remove);
  at('filters').append(row);
  item.focus();
}

function chosen() {
  const dimensions = [at('first').value, at('second').value].filter(Boolean);
  const statistic = at('statistic').value;
  const filters = [...at('filters').children].map((row) => row.read());
  return {
    where: filterOf(filters, at('joined').value),
    asOf: at('as-of').value || null,
    dimensions: [...new Set(dimensions)],
    measure: statistic && dimensions.length ? { item: at('amount').value, of: statistic } : null,
  };
}

async function put(document_) {
  let found;
  try {
    found = await ask(document_);
  } catch (error) {
    if (error.code !== 'TOO_COSTLY') throw error;
    found = await patiently(document_);
  }
  [asked, answer] = [document_, found.population];
  show();
}

// What takes too long to be answered at once is a job, which is looked after until it has ended.
async function patiently(query) {
  const { startPopulation } = await ask('mutation($query: String!) { startPopulation(query: $query) { id } }', { query });
  const { id } = startPopulation;
  const cancel = guarded(() => ask('mutation($id: ID!) { cancelPopulation(id: $id) { id } }', { id }));
  at('cancel').onclick = cancel;
  at('job').hidden = false;
  try {
    for (;;) {
      const { populationJob } = await ask('query($id: ID!) { populationJob(id: $id) { state progress answer error } }', { id });
      at('progress').value = populationJob.progress;
      if (populationJob.state === 'DONE') return populationJob.answer.data;
      if (populationJob.state !== 'RUNNING') throw new Error(populationJob.error ?? 'The question was given up.');
      await new Promise((done) => setTimeout(done, 700));
    }
  } finally {
    at('job').hidden = true;
  }
}

function show() {
  at('answer').hidden = false;
  const { count, by, deliveries, caveats } = answer;
  at('count').textContent = count === null ? 'Too few people to say' : `${count.toLocaleString('en')} people`;
  at('take').hidden = !by;
  at('views').hidden = !by;
  const province = by?.rows[0]?.groups.findIndex(({ item }) => item.endsWith('.province')) ?? -1;
  const buttons = [...at('views').children];
  buttons.find((each) => each.dataset.view === 'map').hidden = province < 0;
  if (view === 'map' && province < 0) view = 'table';
  for (const each of buttons) each.ariaPressed = String(each.dataset.view === view);
  if (!by) at('shown').replaceChildren();
  else if (by.rows.length === 0) at('shown').textContent = 'There is no group of enough people.';
  else at('shown').replaceChildren({ table, bars, map }[view](by.rows, items, province));
  const line = (text) => Object.assign(document.createElement('li'), { textContent: text });
  at('deliveries').replaceChildren(...deliveries.map(({ agency, day }) => line(`${agency}, ${day}`)));
  at('caveats').replaceChildren(...caveats.map(line));
  at('graphql').textContent = asked;
}

async function take(event) {
  const format = event.submitter?.value ?? 'CSV';
  const reason = JSON.stringify(at('reason').value);
  const file = `file(format: ${format}, reason: ${reason}) { name mediaType base64 }`;
  const { population } = await ask(asked.replace('rows {', `${file} rows {`));
  const { name, mediaType, base64 } = population.by.file;
  const bytes = Uint8Array.from(atob(base64), (each) => each.charCodeAt(0));
  const address = URL.createObjectURL(new Blob([bytes], { type: mediaType }));
  Object.assign(document.createElement('a'), { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

async function keep() {
  const variables = { name: at('name').value, query: documentOf(chosen()) };
  await ask('mutation($name: String!, $query: String!) { saveQuestion(name: $name, query: $query) { name } }', variables);
  await listSaved();
  say(`Kept as “${variables.name}”.`);
}

async function start() {
  at('who').addEventListener('submit', guarded(enter));
  at('person').addEventListener('change', guarded(enter));
  at('add-filter').addEventListener('click', addFilter);
  at('question').addEventListener('submit', guarded(() => put(documentOf(chosen()))));
  at('ask-saved').addEventListener('click', guarded(() => put(at('saved').value)));
  at('save').addEventListener('click', guarded(keep));
  at('take').addEventListener('submit', guarded(take));
  at('views').addEventListener('click', ({ target }) => {
    if (!target.dataset.view) return;
    view = target.dataset.view;
    show();
  });
  const demo = await fetch('/console/demo.json');
  if (!demo.ok) return say('Enter a token: the hub answers no one it cannot name.');
  const { personas } = await demo.json();
  const able = personas.filter(({ purpose }) => purpose === PURPOSE);
  at('person').replaceChildren(...able.map(({ title, token: own }) => option(own, title)));
  [at('person-field').hidden, at('token-field').hidden, at('enter').hidden] = [false, true, true];
  await guarded(enter)();
}

await start();
