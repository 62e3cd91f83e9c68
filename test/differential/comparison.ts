// Runs the cases of a suite through both proxies, one after the other, and returns what differed.

import { join } from 'node:path';
import { programFile } from '../support/program-file.ts';
import { logFields } from './bootstrap.ts';
import { type Exchange, exchange } from './exchange.ts';
import type { HttpMessage } from './http-message.ts';
import { compare, type Difference, type Facts, type Observation, observe } from './observation.ts';
import { type ProxyName, ProxyProcess, type Stats } from './proxy-process.ts';
import { hello, type OriginStep, type RecordingOrigin } from './recording-origin.ts';
import type { Case, Suite } from './suite.ts';

export interface ComparisonOptions {
  readonly envoyPath: string;
  readonly directory: string;
  readonly origin: RecordingOrigin;
}

const OUTRIGGER = programFile('proxy/main.ts');

/** Stats of listeners and their filters, connection managers, TCP proxies and clusters; the admin interface's are left out. */
const STATS = '^(http|listener|tcp|cluster|http_inspector|tls_inspector)\\.';
const IGNORED_STATS = /^(http\.admin|listener\.admin|cluster\.[^.]+\.(lb_|max_host_weight))|\.worker_0\./;
/** Zero when nothing is under way any more. */
const ACTIVITY = /\.(downstream_cx_active|downstream_rq_active|upstream_rq_active|upstream_rq_pending_active)$/;
/** More reads than a proxy can need to notice the end of a connection; each takes some milliseconds. */
const MAX_READS = 1000;

export async function compareSuite(suite: Suite, options: ComparisonOptions): Promise<Difference[]> {
  const started: ProxyProcess[] = [];
  try {
    const proxies = await startBoth(suite, options, started);
    const facts = await runAll(suite, proxies, options.origin);
    await Promise.all(proxies.map((proxy) => proxy.stop()));
    const fields = [...logFields, ...(suite.moreLogFields ?? [])];
    const [envoy, outrigger] = proxies.map((proxy, index) => observeAll(facts[index]!, proxy.accessLog(), fields));
    return suite.cases.flatMap(({ name }, index) =>
      compare(`${suite.name}: ${name}`, envoy![index]!, outrigger![index]!),
    );
  } finally {
    for (const proxy of started) proxy.kill();
  }
}

function startBoth(suite: Suite, options: ComparisonOptions, started: ProxyProcess[]): Promise<ProxyProcess[]> {
  const { envoyPath, origin } = options;
  const bootstrap = suite.bootstrap(origin.port);
  const start = (name: ProxyName, command: readonly string[], isReady: readonly RegExp[]) => {
    const directory = join(options.directory, suite.name, name);
    return ProxyProcess.start({ name, command, isReady, bootstrap, directory, started });
  };
  return Promise.all([
    start('envoy', [envoyPath], [/starting main dispatch loop/]),
    start('outrigger', [process.execPath, OUTRIGGER], [/configuration is served/, /admin interface is listening/]),
  ]);
}

type CaseFacts = Omit<Facts, 'logLines' | 'logFields'>;

async function runAll(suite: Suite, proxies: readonly ProxyProcess[], origin: RecordingOrigin): Promise<CaseFacts[][]> {
  const facts: CaseFacts[][] = proxies.map(() => []);
  let before = await Promise.all(proxies.map((proxy) => proxy.stats(STATS)));
  for (const each of suite.cases) {
    for (const [index, proxy] of proxies.entries()) {
      facts[index]!.push(await runCase(each, { proxy, origin, before: before[index]! }));
    }
    before = facts.map((all) => all.at(-1)!.after);
  }
  return facts;
}

interface Stage {
  readonly proxy: ProxyProcess;
  readonly origin: RecordingOrigin;
  readonly before: Stats;
}

async function runCase(each: Case, { proxy, origin, before }: Stage): Promise<CaseFacts> {
  origin.expect(stepsOf(each), each.isTcp);
  const listener = each.listener ?? 'main';
  const done = await exchange(proxy.port(listener), {
    send: typeof each.send === 'string' ? [each.send] : each.send,
    expects: each.expects ?? 1,
    isTcp: each.isTcp ?? false,
    halfCloses: each.clientHalfCloses ?? false,
    ...(each.clientResets ? { resetsAfter: origin.nextRequest() } : {}),
  });
  const received: readonly HttpMessage[] = await origin.received();
  const after = await settledStats(proxy, listener, before);
  return { listener, exchange: done, received, before, after, ports: proxy.ports };
}

function stepsOf({ origin }: Case): readonly OriginStep[] {
  if (origin === undefined) return [{ onEnd: hello }];
  return typeof origin === 'string' ? [{ onEnd: origin }] : origin;
}

/** Statistics when the connection of the case was counted from its begin to its end, and nothing moves any more. */
async function settledStats(proxy: ProxyProcess, listener: string, before: Stats): Promise<Stats> {
  let last = '';
  for (let read = 0; read < MAX_READS; read++) {
    const stats = new Map([...(await proxy.stats(STATS))].filter(([name]) => !IGNORED_STATS.test(name)));
    const text = JSON.stringify([...stats]);
    if (text === last && hasSettled(stats, listener, before)) return stats;
    last = text;
  }
  throw new Error(`${proxy.name}: the statistics of listener ${listener} do not come to rest: ${last}`);
}

function hasSettled(stats: Stats, listener: string, before: Stats): boolean {
  const value = (name: string): number => stats.get(name) ?? 0;
  const begun = `listener.${listener}.downstream_cx_total`;
  const isCounted = value(begun) > (before.get(begun) ?? 0);
  const isClosed = value(`http.${listener}.downstream_cx_total`) === value(`http.${listener}.downstream_cx_destroy`);
  return isCounted && isClosed && ![...stats].some(([name, active]) => active !== 0 && ACTIVITY.test(name));
}

/** The clock of a proxy is read once a turn; the kernel gives a port again much later. */
const clockToleranceMs = 100;

function isLineOf({ clientPort, startedAtMs, endedAtMs }: Exchange, line: string): boolean {
  const [address, time] = line.split('\t');
  const atMs = Date.parse(time ?? '');
  const isInTime = atMs >= startedAtMs - clockToleranceMs && atMs <= endedAtMs + clockToleranceMs;
  return isInTime && address === `127.0.0.1:${clientPort}`;
}

function observeAll(facts: readonly CaseFacts[], log: readonly string[], logFields: readonly string[]): Observation[] {
  return facts.map((each) =>
    observe({ ...each, logFields, logLines: log.filter((line) => isLineOf(each.exchange, line)) }),
  );
}
