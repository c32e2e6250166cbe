// Shows /api/openapi.json: every operation with its parameters, answers and a form to try it.
// Text from the description and from answers only ever becomes text nodes.

const ANSWER_CHARS_MAX = 200_000;

/** An element with attributes and children. */
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    if (key.startsWith('on')) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? '' : value);
  }
  made.append(...children.filter((child) => child !== undefined && child !== null));
  return made;
}

/** `a `code` b` as text and code elements. */
function prose(text) {
  return (text ?? '').split('`').map((part, at) => (at % 2 ? element('code', {}, part) : part));
}

/** What a schema is, in a word. */
function kindOf(schema) {
  if (!schema) return '';
  if (schema.$ref) return schema.$ref.split('/').pop();
  const choices = schema.oneOf ?? schema.anyOf;
  if (choices) return choices.map(kindOf).join(' or ');
  if (schema.allOf) return schema.allOf.map(kindOf).join(' and ');
  const types = [schema.type ?? 'anything'].flat();
  return types.map((type) => (type === 'array' ? `list of ${kindOf(schema.items)}` : type)).join(' or ');
}

/** Schemas that a schema is made of, each once. */
function partsOf(schema, schemas, seen = new Set()) {
  const text = JSON.stringify(schema ?? {});
  for (const [, name] of text.matchAll(/"#\/components\/schemas\/([^"]+)"/g)) {
    if (!seen.has(name)) {
      seen.add(name);
      partsOf(schemas[name], schemas, seen);
    }
  }
  return seen;
}

function fieldsOf(schema) {
  if (schema?.allOf) return schema.allOf.flatMap(fieldsOf);
  return Object.entries(schema?.properties ?? {});
}

function schemaTable(name, schema) {
  const rows = fieldsOf(schema).map(([field, about]) =>
    element('tr', {},
      element('th', { scope: 'row' }, element('code', {}, field)),
      element('td', { class: 'kind' }, kindOf(about)),
      element('td', {}, ...prose(about.description))));
  if (rows.length === 0) return undefined;
  return element('div', {}, element('h3', {}, name), element('table', {}, element('tbody', {}, ...rows)));
}

function answersOf(operation, schemas) {
  const rows = Object.entries(operation.responses ?? {}).map(([status, answer]) => {
    const kinds = Object.entries(answer.content ?? {})
      .map(([media, content]) => `${kindOf(content.schema)} (${media})`).join(', ');
    return element('tr', {},
      element('th', { scope: 'row' }, element('code', {}, status)),
      element('td', {}, ...prose(answer.description), element('div', { class: 'kind' }, kinds)));
  });
  const good = Object.values(operation.responses?.['200']?.content ?? {}).map((content) => content.schema);
  const tables = [...partsOf(good, schemas)].map((name) => schemaTable(name, schemas[name]));
  return [
    element('h3', {}, 'Answers'),
    element('table', {}, element('tbody', {}, ...rows)),
    ...tables,
  ];
}

function addressOf(path, inputs) {
  const query = new URLSearchParams();
  let address = path;
  for (const { parameter, input } of inputs) {
    if (parameter.in === 'path') address = address.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
    else if (input.value !== '') query.set(parameter.name, input.value);
  }
  return query.size > 0 ? `${address}?${query}` : address;
}

async function send(method, path, inputs, body, out) {
  const address = addressOf(path, inputs);
  out.textContent = `${method} ${address}\n…`;
  try {
    const options = { method, headers: { accept: 'application/json' } };
    if (body) {
      options.body = body.value;
      options.headers['content-type'] = 'application/json';
    }
    const answer = await fetch(address, options);
    let text = await answer.text();
    try {
      text = JSON.stringify(JSON.parse(text), null, 2);
    } catch {
      // Not JSON: shown as it is.
    }
    if (text.length > ANSWER_CHARS_MAX) text = `${text.slice(0, ANSWER_CHARS_MAX)}\n… cut off`;
    out.textContent = `${method} ${address}\n${answer.status} ${answer.statusText}\n\n${text}`;
  } catch (error) {
    out.textContent = `${method} ${address}\n${error}`;
  }
}

function tryOut(method, path, operation, inputs) {
  const media = operation.requestBody?.content?.['application/json'];
  const streams = operation.responses?.['200']?.content?.['text/event-stream'];
  if (streams) {
    return [element('p', { class: 'hint' }, 'Try it with ', element('code', {}, `curl -N ${location.origin}${path}`))];
  }
  const body = media && element('textarea', { 'aria-label': 'Body', spellcheck: 'false' });
  if (body) body.value = JSON.stringify(media.example ?? {}, null, 2);
  const out = element('pre', { hidden: true, tabindex: '0', 'aria-label': 'Answer' });
  const submit = (event) => {
    event.preventDefault();
    out.hidden = false;
    void send(method, path, inputs, body, out);
  };
  const parameters = inputs.length > 0 && element('table', {},
    element('thead', {}, element('tr', {},
      element('th', { scope: 'col' }, 'Parameter'), element('th', { scope: 'col' }, 'Meaning'), element('th', { scope: 'col' }, 'Value'))),
    element('tbody', {}, ...inputs.map(({ parameter, input }) => element('tr', {},
      element('th', { scope: 'row' }, element('code', {}, parameter.name)),
      element('td', {}, ...prose(parameter.description)),
      element('td', {}, input)))));
  return [
    element('form', { onsubmit: submit }, parameters || undefined, body, element('button', {}, `Send ${method}`)),
    out,
  ];
}

function operationBox(method, path, operation, schemas) {
  const name = method.toUpperCase();
  const [first, ...rest] = [operation.summary, operation.description].filter(Boolean);
  const inputs = (operation.parameters ?? []).map((parameter) => ({
    parameter,
    input: element('input', { 'aria-label': parameter.name, placeholder: parameter.example ?? '', required: parameter.in === 'path' }),
  }));
  const anchor = operation.operationId ?? `${method}-${path}`;
  return element('details', { class: 'operation', id: anchor },
    element('summary', {}, element('span', { class: 'method' }, name), element('span', { class: 'path' }, path), element('span', { class: 'about' }, ...prose(first))),
    element('div', {},
      ...rest.map((text) => element('p', {}, ...prose(text))),
      ...tryOut(name, path, operation, inputs),
      ...answersOf(operation, schemas)));
}

function show(description) {
  const schemas = description.components?.schemas ?? {};
  const groups = new Map((description.tags ?? []).map((tag) => [tag.name, { tag, boxes: [] }]));
  for (const [path, methods] of Object.entries(description.paths ?? {})) {
    for (const [method, operation] of Object.entries(methods)) {
      if (!operation?.responses) continue;
      const name = operation.tags?.[0] ?? 'other';
      if (!groups.has(name)) groups.set(name, { tag: { name }, boxes: [] });
      groups.get(name).boxes.push(operationBox(method, path, operation, schemas));
    }
  }
  const main = document.getElementById('operations');
  main.replaceChildren(
    element('p', {}, ...prose(description.info?.description)),
    element('p', { class: 'hint' }, `Version ${description.info?.version ?? ''}`),
    ...[...groups.values()].flatMap(({ tag, boxes }) => [
      element('h2', {}, tag.name),
      element('p', { class: 'hint' }, ...prose(tag.description)),
      ...boxes,
    ]));
  const wanted = location.hash && document.getElementById(location.hash.slice(1));
  if (wanted) {
    wanted.open = true;
    wanted.scrollIntoView();
  }
}

try {
  const answer = await fetch('/api/openapi.json');
  if (!answer.ok) throw new Error(`the description answered ${answer.status}`);
  show(await answer.json());
} catch (error) {
  const state = document.getElementById('state');
  state.textContent = `The description cannot be shown: ${error}`;
  state.className = 'wrong';
}
