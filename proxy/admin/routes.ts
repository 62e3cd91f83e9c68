// Every admin path: what it answers, what it can be asked, and whether it changes something.

import { type AdminAnswer, type AdminRequest, type AnswerPath, json, ok, text } from './admin-answer.ts';
import type { AdminContext } from './admin-context.ts';
import { capture } from './capture.ts';
import { certs } from './certs.ts';
import { clusters } from './clusters.ts';
import { configDump } from './config-dump.ts';
import { errors } from './errors.ts';
import { explain } from './explain.ts';
import { logging } from './logging.ts';
import { cost } from './metrics-cost.ts';
import { overview } from './overview.ts';
import { page } from './page.ts';
import { modifyRuntime, runtime } from './runtime.ts';
import { sampling } from './sampling.ts';
import { listeners, memory, ready, serverInfo } from './server-info.ts';
import { prometheus, stats } from './stats-answers.ts';
import { xds } from './xds.ts';

export interface AdminRoute {
  readonly path: string;
  readonly help: string;
  /** POST only. */
  readonly changes: boolean;
  /** A page that a browser shows. */
  readonly isForPeople?: boolean;
  readonly answer: AnswerPath;
  /** Query parameters, each with a sentence. */
  readonly parameters: Readonly<Record<string, string>>;
}

const statsParameters = {
  usedonly: 'Only what was ever written',
  filter: 'Regular expression (RE2) that a name must contain a match of',
  invert_filter: 'Takes what the filter does not match',
};

export const adminRoutes: readonly AdminRoute[] = [
  { ...get('/', 'a live page for people', page), isForPeople: true },
  get('/capture', 'who redirects connections here, and what became of them', capture, {
    format: 'One of (text, json)',
  }),
  get('/certs', 'certificates in use', ({ state }) => certs(state.certificates, state.nowMs)),
  get('/clusters', 'clusters and their endpoints', clusters, {
    filter: 'Regular expression (RE2) for names of clusters',
    format: 'One of (text, json)',
  }),
  get('/config_dump', 'the configuration that is served, without secrets', configDump, {
    resource: 'One kind of resource, such as static_clusters',
    mask: 'Fields to keep, separated by commas; with resource, fields of each element',
    name_regex: 'Only what is called so: a regular expression (RE2) for the whole name',
    include_eds: 'Adds the endpoints of clusters',
  }),
  get('/contention', 'lock contention', () => text('Workers share no lock: there is no contention to show.\n')),
  post('/drain_listeners', 'stops accepting connections and asks clients to leave', drainListeners, {
    graceful: 'Asks clients to leave first; stops accepting after --drain-time-s',
    skip_exit: 'Asks clients to leave and goes on accepting',
    inboundonly: 'Only listeners with traffic_direction INBOUND',
  }),
  get('/errors', 'the latest errors whose trace was kept', errors, { format: 'One of (text, json)' }),
  get('/explain', 'what would become of a request, and why', explain, {
    listener: 'Its name; may be left out where there is one',
    method: 'GET when left out',
    authority: 'The host, as in Host',
    path: 'With the query',
    header: 'name:value, as often as needed',
    server_name: 'SNI of a TLS connection; also tls, alpn=a,b, source=ip:port, destination=ip:port',
    format: 'One of (text, json)',
  }),
  post('/healthcheck/fail', 'makes /ready fail', ({ state }) => {
    state.setFailsHealthCheck(true);
    return ok();
  }),
  post('/healthcheck/ok', 'takes that back', ({ state }) => {
    state.setFailsHealthCheck(false);
    return ok();
  }),
  get('/help', 'this list', () => text(helpText())),
  get('/hot_restart_version', 'what a process must speak to take our place', ({ state }) =>
    text(state.ancestry.hotRestartVersion),
  ),
  get('/init_dump', 'what start-up waits for', () => json({})),
  get('/listeners', 'listeners and their addresses', listeners, { format: 'One of (text, json)' }),
  post('/logging', 'shows and changes levels of the process log', logging, {
    level: 'One level for all loggers; One of (trace, debug, info, warning, error, critical, off)',
    paths: 'Levels of several: name:level,name:level',
  }),
  get('/memory', 'memory of the process', memory),
  get('/metrics/cost', 'which metrics and labels make how many series', cost, { format: 'One of (text, json)' }),
  get('/overview', 'what the live page shows, as JSON', (context, { query }) => json(overview(context, query)), {
    clusters: 'Part of the names of the clusters to list',
  }),
  post('/quitquitquit', 'ends the process in order', ({ shutdown }) => {
    setImmediate(shutdown);
    return ok();
  }),
  get('/ready', '200 LIVE when traffic is served, else 503', ready),
  post('/reopen_logs', 'opens access log files anew', ({ reopenLogs }) => {
    reopenLogs();
    return ok();
  }),
  post('/reset_counters', 'sets all counters to 0', ({ store }) => {
    store.resetCounters();
    return ok();
  }),
  get('/runtime', 'runtime values', runtime),
  post('/runtime_modify', 'sets runtime values: ?key1=value1&key2=value2; an empty value takes it back', modifyRuntime),
  get('/sampling', 'how often traces are kept, by key, and why', sampling, { format: 'One of (text, json)' }),
  get('/server_info', 'version, state, uptime, command line', serverInfo),
  get('/stats', 'statistics', stats, {
    ...statsParameters,
    format: 'One of (text, json, prometheus)',
    type: 'One of (All, Counters, Gauges, Histograms, TextReadouts)',
    histogram_buckets: 'One of (cumulative, disjoint, detailed, summary)',
  }),
  get('/stats/prometheus', 'statistics for Prometheus', prometheus, {
    ...statsParameters,
    text_readouts: 'Adds texts, as gauges of value 0 with a label text_value',
    histogram_buckets: 'One of (cumulative, summary)',
  }),
  get('/xds', 'how it stands with control planes, and what each worker runs', xds, { format: 'One of (text, json)' }),
];

/** Envoy's list: a path and its parameters, each with a sentence. */
export function helpText(): string {
  const lines = adminRoutes.map(({ path, help, changes, parameters }) => {
    const known = Object.entries(parameters).map(([name, sentence]) => `      ${name}: ${sentence}\n`);
    return `  ${path}${changes ? ' (POST)' : ''}: ${help}\n${known.join('')}`;
  });
  return `admin commands are:\n${lines.join('')}`;
}

function get(path: string, help: string, answer: AnswerPath, parameters = {}): AdminRoute {
  return { path, help, changes: false, answer, parameters };
}

function post(path: string, help: string, answer: AnswerPath, parameters = {}): AdminRoute {
  return { path, help, changes: true, answer, parameters };
}

function drainListeners({ pool, flags }: AdminContext, { query }: AdminRequest): AdminAnswer {
  const inboundOnly = query.has('inboundonly');
  const keepsAccepting = query.has('skip_exit');
  // As in Envoy, nothing is left to delay when accepting goes on.
  const isGraceful = query.has('graceful') && !keepsAccepting;
  pool.drain(inboundOnly, !keepsAccepting && !isGraceful);
  if (isGraceful) setTimeout(() => pool.drain(inboundOnly, true), flags.drainTimeMs).unref();
  return ok();
}
