// The page of `heed serve`. It asks the server in JSON (docs/serving.md), and writes texts as text,
// never as markup: tokens may hold anything.
'use strict';

const strongest = 5; // nats: a token that is less probable has the strongest line
const pause = 300; // milliseconds after the last key before the server is asked
const cell = 22; // pixels
const svgSpace = 'http://www.w3.org/2000/svg';

const byId = (id) => document.getElementById(id);

/** Sets attributes. Styles are set one by one: the content policy forbids them as attributes. */
function set(made, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name !== 'style') made.setAttribute(name, value);
  }
  for (const [name, value] of Object.entries(attributes.style || {})) {
    made.style.setProperty(name, value);
  }
}

/** An element with attributes and children; a text is a child too. */
function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  set(made, attributes || {});
  made.append(...children);
  return made;
}

function drawn(tag, attributes, title) {
  const made = document.createElementNS(svgSpace, tag);
  set(made, attributes);
  if (title) {
    const text = document.createElementNS(svgSpace, 'title');
    text.textContent = title;
    made.append(text);
  }
  return made;
}

/** Asks the server. Throws Error with its message where it refuses. */
async function ask(what, request, signal) {
  let answer = null;
  try {
    answer = await fetch('/api/' + what, { method: 'POST', body: JSON.stringify(request), signal });
  } catch (error) {
    throw signal && signal.aborted ? error : new Error('the server does not answer');
  }
  const json = await answer.json();
  if (!answer.ok) throw new Error(json.error);
  return json;
}

/** How strong the line below a token is: 0 where it was certain. */
function surprise(probability) {
  return Math.min(1, -Math.log(Math.max(probability, 1e-300)) / strongest);
}

/** A token in a form that can be seen. */
function visible(token) {
  if (token === '') return '·';
  // The sign that joins tokens (U+FFED) is missing in many fonts.
  return token.replace(/\n/g, '↵').replace(/\uffed/g, '▪').replace(/^ | $/g, '␣')
    .replace(/[\u0000-\u001f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, (mark) =>
      'U+' + mark.codePointAt(0).toString(16).toUpperCase().padStart(4, '0'));
}

function candidates(token) {
  const best = token.best.map((one) => visible(one.token) + ' ' + one.probability.toFixed(4));
  return `${visible(token.token)}: ${token.probability.toFixed(4)}, rank ${token.rank}; ` +
    `best: ${best.join(', ')}`;
}

/** The mean of all heads of all layers: a row for each token written. */
function meanMap(output) {
  const rows = output.target.map(() => output.source.map(() => 0));
  let heads = 0;
  for (const layer of output.layers) {
    for (const head of layer.heads) {
      ++heads;
      head.forEach((row, i) => row.forEach((weight, j) => { rows[i][j] += weight; }));
    }
  }
  return rows.map((row) => row.map((weight) => weight / Math.max(1, heads)));
}

/** The maps that can be chosen, by name. */
function mapsOf(output) {
  const maps = new Map([['mean of all heads', meanMap(output)]]);
  for (const layer of output.layers) {
    layer.heads.forEach((head, i) => maps.set(`${layer.layer}, head ${i + 1}`, head));
  }
  return maps;
}

/** A picture of weights: a row for each token written, a column for each token read. */
function mapPicture(output, weights) {
  const left = 10 + 8 * Math.max(...output.target.map((token) => Math.min(20, token.length)));
  const top = 10 + 6 * Math.max(...output.source.map((token) => Math.min(20, token.length)));
  const picture = drawn('svg', {
    role: 'img',
    width: left + cell * output.source.length + 120,
    height: top + cell * output.target.length + 4,
    'aria-label': 'what each token written attended to',
  });
  output.source.forEach((token, j) => {
    const x = left + cell * (j + 0.6);
    const label = drawn('text', { x, y: top - 6, transform: `rotate(-45 ${x} ${top - 6})` });
    label.append(visible(token).slice(0, 20));
    picture.append(label);
  });
  output.target.forEach((token, i) => {
    const label = drawn('text', {
      x: left - 6, y: top + cell * (i + 0.7), 'text-anchor': 'end',
    });
    label.append(visible(token).slice(0, 20));
    picture.append(label);
    weights[i].forEach((weight, j) => {
      picture.append(drawn('rect', {
        x: left + cell * j, y: top + cell * i, width: cell, height: cell,
        style: { '--weight': weight },
      }, `${visible(token)} ← ${visible(output.source[j])}: ${weight.toFixed(6)}`));
    });
  });
  return picture;
}

/** The tokens of an output. Those that are pointed at show what they attended to in `sources`. */
function tokensOf(output, sources) {
  const mean = output.layers.length > 0 ? meanMap(output) : null;
  const line = element('div', { dir: 'auto' });
  output.confidence.forEach((token, i) => {
    const made = element('span', {
      class: 'token', tabindex: '0', title: candidates(token),
      style: { '--surprise': surprise(token.probability) },
    }, element('bdi', null, visible(token.token)));
    const look = () => {
      [...sources.children].forEach((source, j) => {
        source.classList.add('looked');
        source.style.setProperty('--weight', mean ? mean[i][j] : 0);
      });
    };
    made.addEventListener('pointerenter', look);
    made.addEventListener('focus', look);
    line.append(made);
  });
  return line;
}

function sourcesOf(output) {
  const line = element('div', { class: 'sources quiet', dir: 'auto' });
  for (const token of output.source) {
    line.append(element('span', { class: 'token', style: { '--surprise': 0 } },
      element('bdi', null, visible(token))));
  }
  return line;
}

const ranks = ['output', 'second best', 'third best'];

function outputElement(output, rank) {
  const sources = sourcesOf(output);
  const made = element('section', { class: 'output' },
    element('h2', null, ranks[rank]),
    tokensOf(output, sources),
    element('div', { class: 'quiet' }, `score ${output.score.toFixed(3)}, log probability ` +
      `${output.log_probability.toFixed(3)}, ${output.tokens} tokens`));
  if (output.layers.length === 0) return made;
  const maps = mapsOf(output);
  const choice = element('select', { 'aria-label': 'layer and head' });
  for (const name of maps.keys()) choice.append(element('option', null, name));
  const picture = element('div', { class: 'map' });
  const draw = () => picture.replaceChildren(mapPicture(output, maps.get(choice.value)));
  choice.addEventListener('change', draw);
  const details = element('details', rank === 0 ? { open: '' } : null,
    element('summary', null, 'attention'), choice, picture);
  draw();
  made.append(sources, details);
  return made;
}

/** The elements that answer a text, for each kind of task. */
const answers = {
  async translate(line, run, signal) {
    const beam = Number(byId('beam').value);
    const found = await ask('attention', { line, run, beam, nbest: Math.min(3, beam) }, signal);
    return found.outputs.map(outputElement);
  },
  async classify(line, run, signal) {
    const found = await ask('predict', { lines: [line], run }, signal);
    const table = element('table');
    for (const one of found.results[0]) {
      const bar = element('span', { class: 'bar', style: { width: `${200 * one.probability}px` } });
      table.append(element('tr', null, element('td', null, one.label),
        element('td', null, one.probability.toFixed(4)), element('td', null, bar)));
    }
    return [table];
  },
  async lm(line, run, signal) {
    const found = await ask('generate', { prompt: line, run }, signal);
    return [element('pre', { dir: 'auto' }, line + found.text)];
  },
};

let served = [];
let asking = null; // what ends the requests under way

function problem(error) {
  return element('p', { class: 'error', role: 'alert' }, error.message);
}

/** What a run answers, or why it does not. */
async function answerOf(number, line, signal) {
  const run = served[number];
  const heading = served.length > 1 ? [element('h2', null, `${number + 1}: ${run.model}`)] : [];
  try {
    if (!answers[run.task]) throw new Error(`this page shows nothing of the task ${run.task}`);
    return [...heading, ...await answers[run.task](line, number, signal)];
  } catch (error) {
    if (signal.aborted) throw error;
    return [...heading, problem(error)];
  }
}

async function answerAll() {
  if (asking) asking.abort();
  asking = new AbortController();
  const { signal } = asking;
  const line = byId('line').value;
  byId('state').textContent = '';
  if (line.trim() === '') {
    byId('answers').replaceChildren();
    return;
  }
  const begin = performance.now();
  byId('state').textContent = '…';
  try {
    const all = [];
    for (let run = 0; run < served.length; ++run) all.push(...await answerOf(run, line, signal));
    byId('answers').replaceChildren(...all);
    byId('state').textContent = `${Math.round(performance.now() - begin)} ms`;
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

async function begin() {
  served = (await ask('run', {})).runs;
  byId('about').textContent = served.map((run) =>
    `${run.model} (${run.task}, ${run.parameters} parameters, ${run.checkpoint})`).join('; ');
  document.title = `Heed: ${served.map((run) => run.model).join(', ')}`;
  const searching = served.find((run) => run.beam > 0);
  if (searching) byId('beam').value = searching.beam;
  let timer = 0;
  byId('line').addEventListener('input', () => {
    clearTimeout(timer);
    timer = setTimeout(answerAll, pause);
  });
  byId('beam').addEventListener('change', answerAll);
  byId('form').addEventListener('submit', (event) => {
    event.preventDefault();
    answerAll();
  });
  byId('line').value = new URLSearchParams(location.search).get('line') || '';
  await answerAll();
}

begin().catch((error) => byId('about').replaceChildren(problem(error)));
