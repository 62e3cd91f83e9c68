// The live page's tables of traces: what is kept by key, and the latest errors. `page-script.js` follows in the same
// element and has the helpers.
'use strict';

const samplingLabels = [
  { label: 'Key' },
  { label: 'per second', className: 'number' },
  { label: 'chosen', className: 'number' },
  { label: 'kept', className: 'number' },
  { label: '' },
];

/** In plain words, in the order in which they are shown. */
const keptReasons = {
  head: 'by chance',
  parent: 'as the caller wants',
  error: 'failed',
  rare: 'failed in a new way',
  slow: 'slow',
  retry: 'retried',
  debug: 'asked for',
  upgrade: 'as the callee wants',
};
const dropReasons = {
  probability: 'not chosen',
  budget: 'over the budget',
  errors: 'failed, over the limit',
  overload: 'too busy',
};

function showSampling(sampling) {
  byId('sampling').hidden = sampling === null;
  if (sampling === null) return;
  showBudget(sampling);
  showRows(byId('sampling-rows'), sampling.keys, {
    keyOf: ({ service, route, method, headerRule }) => JSON.stringify([service, route, method, headerRule]),
    labels: samplingLabels,
    show: (row, key) => {
      const rule = key.headerRule === null ? '' : `header rule ${key.headerRule}`;
      const isRest = key.service === '*';
      const below = isRest ? '' : [key.method, key.route, rule].filter((part) => part !== '').join(' · ');
      const name = isRest ? 'all others' : key.service === '' ? 'no cluster' : key.service;
      setLines(row.cells[0], name, below);
      setText(row.cells[1], count(key.requestsPerSecond));
      setText(row.cells[2], key.probability === null ? '–' : percentText(key.probability));
      setText(row.cells[3], count(totalOf(key.kept)));
      const lost = reasonsText(key.dropped, dropReasons);
      setLines(row.cells[4], reasonsText(key.kept, keptReasons) || 'none kept yet', lost === '' ? '' : `not kept: ${lost}`);
    },
  });
}

function showBudget({ budget, rates, tracesPerSecond, passing, keyCount, keys }) {
  const parts = [
    budget === null
      ? `${count(tracesPerSecond)} a second, by the percentages of listeners and routes`
      : `${count(tracesPerSecond)} of ${count(budget.tracesPerSecond)} a second`,
    budget !== null && budget.scope === 'service' ? `shared by ${several(budget.replicas, 'instance', 'instances')}` : '',
    rates === 'settings' && passing.head < 1 ? `${percentText(passing.head)} of what is chosen fits` : '',
    passing.error < 1 ? `${percentText(passing.error)} of errors fit` : '',
    keyCount > keys.length ? `first ${keys.length} of ${count(keyCount)} keys` : '',
  ];
  setText(byId('budget'), parts.filter((part) => part !== '').join(' · '));
  byId('budget-use').hidden = budget === null;
  if (budget !== null) byId('budget-use').value = budget.tracesPerSecond > 0 ? tracesPerSecond / budget.tracesPerSecond : 0;
}

function totalOf(counts) {
  return Object.values(counts).reduce((sum, each) => sum + each, 0);
}

function reasonsText(counts, words) {
  return Object.entries(words)
    .filter(([reason]) => counts[reason] > 0)
    .map(([reason, text]) => `${count(counts[reason])} ${text}`)
    .join(' · ');
}

// ---- Errors --------------------------------------------------------------------------------------------------------

const errorLabels = [{ label: 'When' }, { label: '' }, { label: 'trace', className: 'trace' }];

function showErrors(errors) {
  byId('errors-section').hidden = errors.length === 0;
  showRows(byId('error-rows'), errors, {
    keyOf: ({ traceId, spanId }) => `${traceId} ${spanId}`,
    labels: errorLabels,
    show: (row, { atMs, sentence, service, route, flags, traceId }) => {
      setText(row.cells[0], new Date(atMs).toLocaleTimeString());
      const place = [service, route, flags === '-' ? '' : flags].filter((part) => part !== '');
      setLines(row.cells[1], sentence, place.join(' · '));
      showTraceId(row.cells[2], traceId);
    },
  });
}

function showTraceId(cell, traceId) {
  if (cell.children.length === 0) {
    const id = document.createElement('span');
    const copy = document.createElement('button');
    id.className = 'code whole';
    copy.type = 'button';
    copy.textContent = 'copy';
    copy.addEventListener('click', () => copyText(id, copy));
    cell.append(id, copy);
  }
  setText(cell.children[0], traceId);
  cell.children[1].setAttribute('aria-label', `Copy trace id ${traceId}`);
}

// Without TLS browsers give the clipboard to pages of this machine only; elsewhere the id is selected for Ctrl+C.
async function copyText(element, button) {
  let text = 'selected';
  try {
    await navigator.clipboard.writeText(element.textContent);
    text = 'copied';
  } catch {
    getSelection().selectAllChildren(element);
  }
  button.textContent = text;
  setTimeout(() => {
    button.textContent = 'copy';
  }, 1500);
}
