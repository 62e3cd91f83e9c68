// The live page's script. Everything is set as text, never as markup: names come from configuration. Rows are kept and
// changed in place, so that an opened list, a selection and the keyboard's focus survive every update.
'use strict';

const pollMs = 1000;
/** After this a request counts as lost. */
const patienceMs = 5000;
const rates = [];
const errorRates = [];
let before = null;
let answeredAtMs = 0;

const byId = (id) => document.getElementById(id);

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function count(value) {
  if (value >= 1e9) return `${(value / 1e9).toFixed(1)} G`;
  if (value >= 1e6) return `${(value / 1e6).toFixed(1)} M`;
  if (value >= 1e4) return `${(value / 1e3).toFixed(1)} k`;
  return value >= 10 || Number.isInteger(value) ? String(Math.round(value)) : value.toFixed(1);
}

function milliseconds(value) {
  if (value >= 10_000) return `${(value / 1000).toFixed(0)} s`;
  if (value >= 1000) return `${(value / 1000).toFixed(1)} s`;
  return `${value >= 10 ? value.toFixed(0) : value.toFixed(1)} ms`;
}

function latency(value) {
  return value === null ? '–' : `${milliseconds(value.p50)} / ${milliseconds(value.p99)}`;
}

function bytes(value) {
  if (value >= 2 ** 30) return `${(value / 2 ** 30).toFixed(1)} GiB`;
  if (value >= 2 ** 20) return `${Math.round(value / 2 ** 20)} MiB`;
  return value >= 1024 ? `${Math.round(value / 1024)} KiB` : `${value} B`;
}

function duration(seconds) {
  if (seconds < 90) return `${seconds} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} days`;
}

function several(number, one, many) {
  return `${count(number)} ${number === 1 ? one : many}`;
}

/** Per second between two readings; null without an earlier one. A counter that was reset begins again. */
function rateOf(now, earlier, seconds) {
  return earlier === undefined || seconds <= 0 ? null : Math.max(0, now - earlier) / seconds;
}

function rateText(rate) {
  return rate === null ? '–' : count(rate);
}

// ---- Rows ----------------------------------------------------------------------------------------------------------

/** Gives `body` one row for each item, in order; a row stays the same element as long as its key is there. */
function showRows(body, items, { keyOf, labels, show }) {
  const rows = new Map([...body.rows].map((row) => [row.dataset.key, row]));
  items.forEach((item, index) => {
    const key = keyOf(item, index);
    let row = rows.get(key);
    if (row === undefined) row = newRow(key, labels);
    rows.delete(key);
    if (body.rows[index] !== row) body.insertBefore(row, body.rows[index] ?? null);
    show(row, item);
  });
  for (const row of rows.values()) row.remove();
}

function newRow(key, labels) {
  const row = document.createElement('tr');
  row.dataset.key = key;
  labels.forEach(({ label, className }, index) => {
    const cell = document.createElement(index === 0 ? 'th' : 'td');
    if (index === 0) cell.scope = 'row';
    else cell.dataset.label = label;
    if (className) cell.className = className;
    row.append(cell);
  });
  return row;
}

/** A main line and a softer one below it. */
function setLines(cell, main, below, className = '') {
  if (cell.children.length === 0) cell.append(document.createElement('span'), document.createElement('span'));
  setText(cell.children[0], main);
  setText(cell.children[1], below);
  cell.children[1].className = 'soft';
  cell.children[1].hidden = below === '';
  cell.children[0].className = className;
}

// ---- Listeners -----------------------------------------------------------------------------------------------------

const listenerLabels = [
  { label: 'Listener' },
  { label: '' },
  { label: 'per second', className: 'number' },
  { label: '' },
  { label: 'latency p50 / p99', className: 'number' },
  { label: 'open', className: 'number' },
];

function chainsOf(facts) {
  return facts.listeners.flatMap((listener) =>
    listener.chains.map((chain, index) => ({ listener, chain, key: `${listener.name} ${index}` })),
  );
}

function showListeners(facts, earlier) {
  const chains = chainsOf(facts);
  byId('no-listeners').hidden = chains.length > 0;
  byId('listeners').closest('table').hidden = chains.length === 0;
  const known = new Map(earlier === null ? [] : chainsOf(earlier).map((each) => [each.key, each.chain]));
  const seconds = earlier === null ? 0 : (facts.atMs - earlier.atMs) / 1000;
  showRows(byId('listeners'), chains, {
    keyOf: ({ key }) => key,
    labels: listenerLabels,
    show: (row, { listener, chain, key }) => {
      const place = [listener.addresses.join(', '), listener.direction, listener.isBound ? '' : 'not bound', chain.purpose];
      setLines(row.cells[0], listener.name, place.filter((part) => part !== '').join(' · '));
      if (chain.kind === 'HTTP') showHttp(row, chain, rateOf(chain.requests, known.get(key)?.requests, seconds));
      else if (chain.kind === 'TCP') showTcp(row, chain, rateOf(chain.connections, known.get(key)?.connections, seconds));
      else setLines(row.cells[1], 'Closes every connection', '');
    },
  });
}

function over({ security }) {
  return security === '' ? '' : ` over ${security}`;
}

function showHttp(row, chain, rate) {
  const routes = several(chain.routes, 'route', 'routes');
  const hosts = several(chain.virtualHosts, 'virtual host', 'virtual hosts');
  setLines(row.cells[1], `HTTP${over(chain)}: ${routes} in ${hosts}`, `statistics: http.${chain.statPrefix}`);
  setLines(row.cells[2], rateText(rate), `${count(chain.requests)} in all`);
  showAnswers(row.cells[3], chain.answered);
  setText(row.cells[4], latency(chain.latencyMs));
  setText(row.cells[5], count(chain.connections));
}

function showTcp(row, chain, rate) {
  setLines(row.cells[1], `TCP${over(chain)} to ${chain.clusters.join(', ')}`, `statistics: tcp.${chain.statPrefix}`);
  setLines(row.cells[2], rateText(rate), `${several(chain.connections, 'connection', 'connections')} in all`);
  setLines(row.cells[3], `${bytes(chain.receivedBytes)} received, ${bytes(chain.sentBytes)} sent`, '');
}

// In words for everybody, and as a bar whose parts have the same order.
function showAnswers(cell, answered) {
  const parts = Object.entries(answered).filter(([, number]) => number > 0);
  const total = parts.reduce((sum, [, number]) => sum + number, 0);
  if (cell.children.length === 0) {
    const bar = document.createElement('div');
    bar.className = 'answers';
    bar.setAttribute('aria-hidden', 'true');
    cell.append(document.createElement('span'), bar);
  }
  const [words, bar] = cell.children;
  setText(words, total === 0 ? 'none yet' : parts.map(([name, number]) => `${count(number)} ${name}`).join(' · '));
  bar.hidden = total === 0;
  while (bar.children.length < parts.length) bar.append(document.createElement('i'));
  while (bar.children.length > parts.length) bar.lastElementChild.remove();
  parts.forEach(([name, number], index) => {
    bar.children[index].className = `s${name}`;
    bar.children[index].style.width = `${(100 * number) / total}%`;
  });
}

// ---- Clusters ------------------------------------------------------------------------------------------------------

const clusterLabels = [
  { label: 'Cluster' },
  { label: '' },
  { label: 'per second', className: 'number' },
  { label: 'latency p50 / p99', className: 'number' },
  { label: 'in flight', className: 'number' },
  { label: 'trouble' },
];

const policies = { 'round-robin': 'in turn', 'least-request': 'least requests', random: 'at random' };
const discoveries = {
  static: 'configured',
  eds: 'EDS',
  'strict-dns': 'all of DNS',
  'logical-dns': 'one of DNS',
  'original-dst': 'original destination',
};

function showClusters(facts, earlier) {
  const { total, matching, listed } = facts.clusters;
  const isSearching = byId('search').value !== '';
  byId('cluster-rows').closest('table').hidden = listed.length === 0;
  byId('no-clusters').hidden = listed.length > 0;
  setText(byId('no-clusters'), isSearching ? 'No cluster has this in its name.' : 'No cluster is configured.');
  setText(byId('cluster-count'), countText(total, matching, listed.length));
  const known = new Map(earlier === null ? [] : earlier.clusters.listed.map((each) => [each.name, each.requests]));
  const seconds = earlier === null ? 0 : (facts.atMs - earlier.atMs) / 1000;
  showRows(byId('cluster-rows'), listed, {
    keyOf: ({ name }) => name,
    labels: clusterLabels,
    show: (row, cluster) => {
      const { discovery, balancer } = cluster;
      const how = policies[balancer] === undefined ? '' : `, chosen ${policies[balancer]}`;
      const over = cluster.security === '' ? '' : ` · ${cluster.security}`;
      setLines(row.cells[0], cluster.name, `${discoveries[discovery] ?? discovery}${how}${over}`);
      showEndpoints(row.cells[1], cluster);
      setLines(row.cells[2], rateText(rateOf(cluster.requests, known.get(cluster.name), seconds)), `${count(cluster.requests)} in all`);
      setText(row.cells[3], latency(cluster.latencyMs));
      setLines(row.cells[4], count(cluster.active), several(cluster.connections, 'connection', 'connections'));
      setLines(row.cells[5], troubleOf(cluster), retriesOf(cluster), isTroubledNow(cluster, facts.atMs) ? 'bad' : '');
    },
  });
}

function countText(total, matching, listed) {
  if (total === 0) return '';
  if (matching < total) return `${count(matching)} of ${count(total)} match${listed < matching ? `, first ${listed} shown` : ''}`;
  return listed < total ? `first ${listed} of ${count(total)}: trouble, then traffic` : several(total, 'cluster', 'clusters');
}

function troubleOf(cluster) {
  const parts = [
    cluster.endpointCount === 0 && cluster.discovery !== 'original-dst' ? 'no endpoint' : '',
    cluster.connectFailures > 0 ? several(cluster.connectFailures, 'failed connect', 'failed connects') : '',
    cluster.timeouts > 0 ? several(cluster.timeouts, 'timeout', 'timeouts') : '',
    cluster.overflows > 0 ? several(cluster.overflows, 'over a limit', 'over a limit') : '',
    cluster.answered5xx > 0 ? `${count(cluster.answered5xx)} answered 5xx` : '',
  ].filter((part) => part !== '');
  return parts.length === 0 ? 'none' : parts.join(' · ');
}

/** Trouble by cluster: how much there was, and when it last grew. */
const troubles = new Map();
/** Trouble of the last minute is red, older trouble is history. */
const recentMs = 60_000;

function isTroubledNow(cluster, atMs) {
  if (cluster.endpointCount === 0 && cluster.discovery !== 'original-dst') return true;
  const total = cluster.connectFailures + cluster.timeouts + cluster.overflows + cluster.answered5xx;
  const known = troubles.get(cluster.name);
  if (known === undefined) troubles.set(cluster.name, { total, grewAtMs: Number.NEGATIVE_INFINITY });
  else if (total !== known.total) troubles.set(cluster.name, { total, grewAtMs: atMs });
  return atMs - troubles.get(cluster.name).grewAtMs < recentMs;
}

function retriesOf(cluster) {
  return cluster.retries > 0 ? several(cluster.retries, 'retry', 'retries') : '';
}

function showEndpoints(cell, cluster) {
  if (cell.children.length === 0) {
    const details = document.createElement('details');
    details.append(document.createElement('summary'), document.createElement('ul'));
    cell.append(details);
  }
  const [summary, list] = cell.firstElementChild.children;
  const { endpointCount, usableCount, endpoints } = cluster;
  const isOpen = endpointCount === 0 && cluster.discovery === 'original-dst';
  setText(summary, isOpen ? 'as asked for' : usableCount === endpointCount ? several(endpointCount, 'endpoint', 'endpoints') : `${usableCount} of ${endpointCount} healthy`);
  summary.className = !isOpen && usableCount === 0 ? 'bad' : '';
  const lines = endpoints.map(endpointLine);
  if (endpointCount > endpoints.length) lines.push(`and ${count(endpointCount - endpoints.length)} more`);
  while (list.children.length < lines.length) list.append(document.createElement('li'));
  while (list.children.length > lines.length) list.lastElementChild.remove();
  lines.forEach((line, index) => {
    list.children[index].className = endpoints[index]?.isUsable === false ? 'code bad' : 'code';
    setText(list.children[index], line);
  });
}

function endpointLine({ address, health, isUsable, requests, errors }) {
  const state = isUsable ? '' : ` ${health},`;
  return `${address}:${state} ${count(requests)} requests${errors > 0 ? `, ${count(errors)} failed` : ''}`;
}

// ---- Tiles ---------------------------------------------------------------------------------------------------------

function totalsOf(facts) {
  const sum = { requests: 0, errors: 0, active: 0, open: 0, latency: null };
  let busiest = -1;
  for (const { chain } of chainsOf(facts)) {
    if (chain.kind !== 'HTTP') continue;
    sum.requests += chain.requests;
    sum.errors += chain.answered['5xx'];
    sum.active += chain.active;
    sum.open += chain.connections;
    // Quantiles do not add up: those of the busiest listener stand for all.
    if (chain.latencyMs !== null && chain.requests > busiest) {
      busiest = chain.requests;
      sum.latency = chain.latencyMs;
    }
  }
  return sum;
}

function showTiles(facts, earlier) {
  const now = totalsOf(facts);
  setText(byId('active'), count(now.active));
  setText(byId('open'), count(now.open));
  setText(byId('p50'), now.latency === null ? '–' : milliseconds(now.latency.p50));
  setText(byId('p99'), now.latency === null ? '–' : milliseconds(now.latency.p99));
  setText(byId('memory'), bytes(facts.residentBytes));
  if (earlier === null) return;
  const seconds = (facts.atMs - earlier.atMs) / 1000;
  if (seconds <= 0) return;
  const then = totalsOf(earlier);
  const rate = rateOf(now.requests, then.requests, seconds);
  const errors = rateOf(now.errors, then.errors, seconds);
  const cpu = Math.max(0, facts.cpuMicroseconds - earlier.cpuMicroseconds);
  setText(byId('rate'), count(rate));
  setText(byId('errors'), rate === 0 ? '–' : `${percentText(errors / rate)}`);
  byId('errors').className = errors > 0 ? 'bad' : '';
  setText(byId('cpu'), `${Math.round(cpu / seconds / 10_000)} %`);
  // Below some requests the page itself is most of the cost.
  setText(byId('cost'), rate < 20 ? '–' : `${Math.round(cpu / (rate * seconds))} µs`);
  draw(byId('rate-line'), rates, rate);
  draw(byId('errors-line'), errorRates, errors);
}

function percentText(share) {
  const percent = Math.min(100, share * 100);
  return percent > 0 && percent < 0.1 ? '< 0.1 %' : `${percent >= 10 || percent === 0 ? percent.toFixed(0) : percent.toFixed(1)} %`;
}

/** The last minute, newest on the right. */
function draw(svg, values, value) {
  values.push(value);
  if (values.length > 60) values.shift();
  const top = Math.max(1, ...values);
  const first = 60 - values.length;
  const points = values.map((each, index) => `${first + index},${(19 - (18 * each) / top).toFixed(2)}`).join(' ');
  let line = svg.firstElementChild;
  if (line === null) {
    line = document.createElementNS('http://www.w3.org/2000/svg', 'polyline');
    svg.append(line);
  }
  line.setAttribute('points', points);
}

// ---- Updating ------------------------------------------------------------------------------------------------------

const states = { LIVE: ['serving', 'live'], DRAINING: ['draining', 'leaving'], INITIALIZING: ['starting', ''] };

function show(facts) {
  // The process was started anew, or the search changed what is listed: there is nothing to compare with.
  const earlier = before !== null && facts.uptimeSeconds >= before.uptimeSeconds ? before : null;
  const [name, className] = states[facts.state] ?? [facts.state, ''];
  setText(byId('state'), name);
  byId('state').className = `pill ${className}`;
  const late = facts.generations.filter((each) => each !== Math.max(...facts.generations)).length;
  const workers = several(facts.generations.length, 'worker', 'workers');
  const parts = [facts.node, `version ${facts.version}`, `up ${duration(facts.uptimeSeconds)}`, workers];
  if (late > 0) parts.push(`${late} not yet on the newest configuration`);
  setText(byId('about'), parts.filter((part) => part !== '').join(' · '));
  document.title = `outrigger ${name}${facts.node === '' ? '' : ` · ${facts.node}`}`;
  showTiles(facts, earlier);
  showListeners(facts, earlier);
  showClusters(facts, earlier);
  showConfiguration(facts);
  showCertificates(facts);
  showCapture(facts, earlier);
  showSampling(facts.sampling);
  showErrors(facts.errors);
  before = facts;
}

function setLost(reason) {
  const isLost = reason !== null;
  document.body.classList.toggle('stale', isLost && before !== null);
  const since = answeredAtMs === 0 ? '' : ` since ${new Date(answeredAtMs).toLocaleTimeString()}; below is what it said last`;
  setText(byId('lost'), isLost ? `No answer from the admin interface${since}. Trying again. (${reason})` : '');
  byId('lost').hidden = !isLost;
  if (!isLost) return;
  setText(byId('state'), 'not reachable');
  byId('state').className = 'pill lost';
}

async function update() {
  const asked = byId('search').value;
  try {
    const response = await fetch(`overview?clusters=${encodeURIComponent(asked)}`, { signal: AbortSignal.timeout(patienceMs) });
    if (!response.ok) throw new Error(`status ${response.status}`);
    const facts = await response.json();
    answeredAtMs = Date.now();
    // The answer to what was typed a moment ago must not replace that to what is typed now.
    if (asked !== byId('search').value) return;
    setLost(null);
    show(facts);
  } catch (error) {
    setLost(error instanceof Error ? error.message : String(error));
  }
}

let timer = 0;

async function run() {
  clearTimeout(timer);
  // A page that nobody looks at asks nothing.
  if (!document.hidden) await update();
  clearTimeout(timer);
  timer = setTimeout(run, pollMs);
}

byId('search').addEventListener('input', run);
document.addEventListener('visibilitychange', run);
run();
