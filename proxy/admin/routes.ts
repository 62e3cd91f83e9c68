// Every admin path: what it answers and whether it changes something.

import { readFileSync } from 'node:fs';
import { prometheusText } from '../telemetry/prometheus.ts';
import type { StatsQuery } from '../telemetry/stats-store.ts';
import { statsJson, statsText } from '../telemetry/stats-text.ts';
import { clustersJson, clustersText } from './clusters.ts';
import { configDump } from './config-dump.ts';
import { overview } from './overview.ts';
import type { AdminContext } from './server.ts';
import { listenersJson, listenersText, memory, runtime, serverInfo } from './server-info.ts';

export interface AdminRequest {
  readonly query: URLSearchParams;
}

export interface AdminAnswer {
  readonly status: number;
  readonly type: string;
  readonly body: string | Generator<string>;
}

export interface AdminRoute {
  readonly path: string;
  readonly help: string;
  /** POST only. */
  readonly changes: boolean;
  readonly answer: (context: AdminContext, request: AdminRequest) => AdminAnswer;
}

export const adminRoutes: readonly AdminRoute[] = [
  get('/', 'a live page for people', () => html(page)),
  get('/overview', 'what the live page shows, as JSON', (context) => json(overview(context))),
  get('/ready', 'LIVE when traffic is served', ({ state }) => ({
    ...text(`${state.name}\n`),
    status: state.name === 'LIVE' ? 200 : 503,
  })),
  get('/server_info', 'version, state, uptime, command line', (context) => json(serverInfo(context))),
  get('/stats', 'statistics; ?format=json|prometheus &filter=REGEX &usedonly', stats),
  get('/stats/prometheus', 'statistics for Prometheus; ?filter=REGEX &usedonly', prometheus),
  get('/config_dump', 'the configuration that is served', (context) => json(configDump(context))),
  get('/clusters', 'clusters and their endpoints; ?format=json', (context, { query }) =>
    query.get('format') === 'json' ? json(clustersJson(context)) : text(clustersText(context)),
  ),
  get('/listeners', 'listeners and their addresses; ?format=json', (context, { query }) =>
    query.get('format') === 'json' ? json(listenersJson(context)) : text(listenersText(context)),
  ),
  get('/certs', 'certificates in use', () => json({ certificates: [] })),
  get('/runtime', 'runtime values', (context) => json(runtime(context))),
  get('/memory', 'memory of the process', () => json(memory())),
  get('/help', 'this list', () => text(help())),
  post('/logging', 'log levels; ?level=LEVEL for all, ?COMPONENT=LEVEL for one', logging),
  post('/drain_listeners', 'drains; ?inboundonly ?graceful', ({ pool }, { query }) => {
    pool.drain(query.has('inboundonly'), !query.has('graceful'));
    return text('OK\n');
  }),
  post('/healthcheck/fail', 'makes /ready fail', ({ state }) => {
    state.setFailsHealthCheck(true);
    return text('OK\n');
  }),
  post('/healthcheck/ok', 'takes that back', ({ state }) => {
    state.setFailsHealthCheck(false);
    return text('OK\n');
  }),
  post('/quitquitquit', 'ends the process', ({ shutdown }) => {
    setImmediate(shutdown);
    return text('OK\n');
  }),
  post('/reset_counters', 'sets all counters to 0', ({ store }) => {
    store.resetCounters();
    return text('OK\n');
  }),
];

type Answer = AdminRoute['answer'];

function get(path: string, help: string, answer: Answer): AdminRoute {
  return { path, help, changes: false, answer };
}

function post(path: string, help: string, answer: Answer): AdminRoute {
  return { path, help, changes: true, answer };
}

function text(body: string | Generator<string>): AdminAnswer {
  return { status: 200, type: 'text/plain', body };
}

function json(value: unknown): AdminAnswer {
  return { status: 200, type: 'application/json', body: `${JSON.stringify(value, null, 1)}\n` };
}

function html(body: string): AdminAnswer {
  return { status: 200, type: 'text/html', body };
}

const page = readFileSync(new URL('./page.html', import.meta.url), 'utf8');

function stats(context: AdminContext, request: AdminRequest): AdminAnswer {
  const query = statsQuery(request);
  if (typeof query === 'string') return badRequest(query);
  const format = request.query.get('format') ?? 'text';
  switch (format) {
    case 'text':
      return text(statsText(context.store, query));
    case 'json':
      return { status: 200, type: 'application/json', body: statsJson(context.store, query) };
    case 'prometheus':
      return prometheus(context, request);
    default:
      return badRequest(`format=${format}: text, json and prometheus are supported\n`);
  }
}

function prometheus(context: AdminContext, request: AdminRequest): AdminAnswer {
  const query = statsQuery(request);
  if (typeof query === 'string') return badRequest(query);
  return text(prometheusText(context.store, query, context.buckets));
}

function statsQuery({ query }: AdminRequest): StatsQuery | string {
  const filter = query.get('filter');
  const usedOnly = query.has('usedonly');
  if (filter === null) return { usedOnly, accepts: null };
  let pattern: RegExp;
  try {
    pattern = new RegExp(filter);
  } catch (error) {
    return `filter: ${error instanceof Error ? error.message : String(error)}\n`;
  }
  return { usedOnly, accepts: (name) => pattern.test(name) };
}

function badRequest(body: string): AdminAnswer {
  return { status: 400, type: 'text/plain', body };
}

function logging({ log }: AdminContext, { query }: AdminRequest): AdminAnswer {
  for (const [name, level] of query) {
    const problem = name === 'level' ? log.setLevel(level) : log.setComponentLevel(name, level);
    if (problem !== null) return badRequest(`${problem}\n`);
  }
  const lines = [...log.levels()].map(([component, level]) => `  ${component}: ${level}`);
  return text(`active loggers:\n${lines.join('\n')}\n`);
}

function help(): string {
  return `admin commands are:\n${adminRoutes.map((route) => `  ${route.path}${route.changes ? ' (POST)' : ''}: ${route.help}`).join('\n')}\n`;
}
