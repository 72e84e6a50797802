'use strict';
const $ = (id) => document.getElementById(id);
const make = (tag, attributes = {}, ...inside) => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...inside);
  return made;
};
const base = location.pathname.replace(/docs$/, '');
const JSON_TYPE = 'application/json';
let spec, fields = [];

// Requests: each answer is a status and a body; what never came is told as a problem.
const headers = () => ($('key').value ? {authorization: 'Bearer ' + $('key').value} : {});
const send = async (path, method = 'GET', body = undefined) => {
  const began = performance.now();
  const type = body === undefined ? {} : {'content-type': JSON_TYPE};
  const answer = await fetch(base + path, {method, body, headers: {...headers(), ...type}, cache: 'no-store'});
  const text = await answer.text();
  let value;
  try { value = JSON.parse(text); } catch { value = undefined; }
  return {status: answer.status, text, value, milliseconds: (performance.now() - began).toFixed(1)};
};
const told = ({status, value, text}) => `${status}: ${(value && (value.error || value.message)) || text.slice(0, 300)}`;
const problem = (text) => { $('problem').textContent = text; };

const load = async () => {
  let answer;
  try { answer = await send('openapi.json'); } catch (error) { return problem(`The server cannot be reached (${error.message}).`); }
  const refused = answer.status === 401 || answer.status === 403;
  if (refused) $('login').hidden = false;
  if (refused && !$('key').value) { problem('This server needs a key.'); return $('key').focus(); }
  if (refused) { problem(told(answer)); return $('key').focus(); }
  if (answer.status !== 200 || !answer.value) return problem(told(answer));
  problem('');
  spec = answer.value;
  document.title = $('title').textContent = `${spec.info.title} ${spec.info.version}`;
  $('about').textContent = spec.info.description.replaceAll('`', '');
  showForm();
  showRoutes();
  $('try').hidden = $('every').hidden = false;
  if ($('key').value) fields[0]?.input.focus();
};

// The form: a field a column, made by its JSON schema.
const types = (schema) => [].concat(schema.type ?? []);
const choice = (values, input) => {
  input.append(make('option', {value: ''}, ''));
  values.forEach((value, at) => input.append(make('option', {value: at}, String(value))));
  return {input, write: (value) => { const at = values.indexOf(value); input.value = at < 0 ? '' : at; }, read: () => values[input.value]};
};
const typed = (input, meant) => ({
  input, write: (value) => { input.value = value ?? ''; }, read: () => (input.value === '' ? undefined : meant(input.value)),
});
// What is no number is sent as it was typed, so that the server says what is wrong with it.
const number = (text) => (text.trim() !== '' && Number.isFinite(Number(text)) ? Number(text) : text);
const control = (schema, id) => {
  if (schema.enum) return choice(schema.enum.filter((value) => value !== null && value !== ''), make('select', {id}));
  if (types(schema).includes('string')) {
    if (schema.contentMediaType) return typed(make('textarea', {id}), (text) => text);
    const input = make('input', {id, autocomplete: 'off', spellcheck: 'false'});
    if (schema.examples?.length) input.setAttribute('list', id + '-known');
    return typed(input, (text) => text);
  }
  if (types(schema).includes('boolean')) return choice([true, false], make('select', {id}));
  return typed(make('input', {id, inputmode: 'decimal', autocomplete: 'off'}), number);
};
const bound = (value) => value !== undefined && Math.abs(value) < 1e38;
const hint = (schema, required) => {
  const {minimum: low, maximum: high} = schema;
  const said = [required ? 'needed' : 'may be empty'];
  if (bound(low) && bound(high)) said.push(`${low} to ${high}`);
  else if (bound(low)) said.push(`at least ${low}`);
  else if (bound(high)) said.push(`at most ${high}`);
  if (schema.format) said.push(schema.format);
  if (schema.examples?.length) said.push('for example ' + schema.examples.join(', '));
  if (schema.description) said.push(schema.description);
  return said.join('; ');
};
const showForm = () => {
  const record = spec.components.schemas.Record;
  const [example] = spec.paths['/predict'].post.requestBody.content[JSON_TYPE].example.records;
  fields = Object.entries(record.properties).map(([name, schema], at) => {
    const id = `field-${at}`, required = record.required.includes(name);
    const field = {name, example: example[name], ...control(schema, id), wrong: make('p', {id: id + '-wrong', class: 'wrong'})};
    field.input.setAttribute('aria-describedby', `${id}-hint ${id}-wrong`);
    if (required) field.input.setAttribute('aria-required', 'true');
    field.box = make('div', schema.contentMediaType ? {class: 'wide'} : {}, make('label', {for: id}, name), field.input,
      make('p', {id: id + '-hint', class: 'hint'}, hint(schema, required)), field.wrong);
    if (field.input.getAttribute('list')) {
      field.box.append(make('datalist', {id: id + '-known'}, ...schema.examples.map((value) => make('option', {value}))));
    }
    field.write(field.example);
    return field;
  });
  $('fields').replaceChildren(...fields.map((field) => field.box));
  showCurl();
};
const request = () => {
  const record = {};
  for (const {name, read} of fields) if (read() !== undefined) record[name] = read();
  return {records: [record]};
};
const mark = (field, text) => {
  field.wrong.textContent = text;
  if (text) field.input.setAttribute('aria-invalid', 'true'); else field.input.removeAttribute('aria-invalid');
};
const clear = () => { fields.forEach((field) => mark(field, '')); problem(''); $('answer').replaceChildren(); };

const ask = async (event) => {
  event.preventDefault();
  clear();
  $('form').setAttribute('aria-busy', 'true');
  let answer;
  try { answer = await send('predict', 'POST', JSON.stringify(request())); } catch (error) {
    return problem(`The server cannot be reached (${error.message}).`);
  } finally { $('form').removeAttribute('aria-busy'); }
  if (answer.status === 200 && answer.value) return showAnswer(answer);
  if (answer.status === 401 || answer.status === 403) $('login').hidden = false;
  const elsewhere = [];
  for (const fault of answer.value?.faults ?? []) {
    const field = fields.find(({name}) => name === fault.column);
    if (field) mark(field, fault.problem); else elsewhere.push(fault.problem);
  }
  const first = fields.find((field) => field.wrong.textContent);
  if (first) first.input.focus();
  problem(first && !elsewhere.length ? 'Nothing was predicted: see the marked fields.' : told(answer));
};

// An answer: what is known of every kind of it first, everything else by its name.
const shown = (value) => {
  if (Array.isArray(value) && value.every((each) => each && typeof each === 'object')) {
    const names = [...new Set(value.flatMap(Object.keys))];
    return make('table', {}, make('tr', {}, ...names.map((name) => make('th', {scope: 'col'}, name))),
      ...value.map((row) => make('tr', {}, ...names.map((name) => make('td', {}, shown(row[name] ?? ''))))));
  }
  if (Array.isArray(value)) return make('ul', {}, ...value.map((each) => make('li', {}, shown(each))));
  if (value && typeof value === 'object') {
    return make('table', {}, ...Object.entries(value).map(([name, each]) =>
      make('tr', {}, make('th', {scope: 'row'}, name), make('td', {}, shown(each)))));
  }
  return String(value);
};
const shares = (probabilities) => make('table', {}, make('caption', {class: 'hint'}, 'Probabilities'),
  ...Object.entries(probabilities).map(([name, share]) => make('tr', {}, make('th', {scope: 'row'}, name),
    make('td', {}, make('meter', {min: 0, max: 1, value: share, 'aria-hidden': 'true'})), make('td', {}, share.toFixed(4)))));
const showAnswer = ({value, text, milliseconds}) => {
  const [{prediction_id: id, prediction, probabilities, low, high, ...others}] = value.predictions;
  const said = prediction === null ? 'No answer: a person decides' : shown(prediction);
  const parts = [make('h3', {}, 'Answer'), make('p', {class: 'said'}, said)];
  if (low !== undefined && high !== undefined) parts.push(make('p', {class: 'interval'}, `between ${low} and ${high}`));
  if (probabilities) parts.push(shares(probabilities));
  if (Object.keys(others).length) parts.push(shown(others));
  parts.push(make('p', {class: 'hint'}, `prediction ${id}, version ${value.version}, release ${value.release}, ${milliseconds} ms`));
  parts.push(make('details', {}, make('summary', {}, 'As JSON'), make('pre', {}, JSON.stringify(JSON.parse(text), null, 1))));
  $('answer').replaceChildren(...parts);
};

// The same request for a shell. A key is named, never shown.
const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
const showCurl = () => {
  const key = spec.security ? ' -H "authorization: Bearer $API_KEY"' : '';
  const address = quoted(location.origin + base + 'predict');
  $('curl').textContent = `curl -s ${address} -H 'content-type: ${JSON_TYPE}'${key} -d ${quoted(JSON.stringify(request()))}`;
  $('copied').textContent = '';
};
const copy = async () => {
  const selected = getSelection();
  selected.selectAllChildren($('curl'));
  try { await navigator.clipboard.writeText($('curl').textContent); } catch {  // a page without TLS has no clipboard
    if (!document.execCommand('copy')) { $('copied').textContent = 'The command is selected: copy it with the keyboard.'; return; }
  }
  $('copied').textContent = 'Copied.';
};

const showRoutes = () => {
  const routes = Object.entries(spec.paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, route]) => [path, method, route]));
  $('routes').replaceChildren(...routes.map(([path, method, route], at) => {
    const body = route.requestBody?.content[JSON_TYPE], id = `body-${at}`;
    const out = make('pre', {role: 'status', hidden: ''}), button = make('button', {type: 'button'}, 'Send');
    const area = body && make('textarea', {id, class: 'json', spellcheck: 'false'});
    if (area) area.value = JSON.stringify(body.example ?? {}, null, 1);
    button.addEventListener('click', async () => {
      let said;
      try {
        const {status, value, text, milliseconds} = await send(path.slice(1), method.toUpperCase(), area?.value);
        said = `${status}  ${milliseconds} ms\n${value === undefined ? text : JSON.stringify(value, null, 1)}`;
      } catch (error) { said = `The server cannot be reached (${error.message}).`; }
      out.hidden = false;
      out.textContent = said;
    });
    const means = Object.entries(route.responses).map(([code, {description}]) =>
      make('tr', {}, make('th', {scope: 'row'}, code), make('td', {}, description)));
    return make('details', {}, make('summary', {}, make('span', {class: 'method'}, method.toUpperCase()), ` ${path} \u2014 ${route.summary}`),
      ...(area ? [make('label', {for: id}, 'Body'), area] : []), make('p', {}, button), out, make('table', {}, ...means));
  }));
};

$('login').addEventListener('submit', (event) => { event.preventDefault(); load(); });
$('form').addEventListener('submit', ask);
$('form').addEventListener('input', showCurl);
$('form').addEventListener('reset', (event) => {
  event.preventDefault();
  clear();
  fields.forEach((field) => field.write(field.example));
  showCurl();
});
$('copy').addEventListener('click', copy);
// A link cannot carry a key.
$('document').addEventListener('click', async (event) => {
  if (!$('key').value) return;
  event.preventDefault();
  const link = make('a', {href: URL.createObjectURL(new Blob([JSON.stringify(spec, null, 1)], {type: JSON_TYPE})), download: 'openapi.json'});
  link.click();
  URL.revokeObjectURL(link.href);
});
load();
