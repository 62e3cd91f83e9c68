// Runs the cases of a suite through both proxies, one after the other, and returns what differed.

import { join } from 'node:path';
import { exchange } from './exchange.ts';
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

const OUTRIGGER = join(import.meta.dirname, '../../proxy/main.ts');

/** Stats of listeners, connection managers, TCP proxies and clusters; the admin interface's are left out. */
const STATS = '^(http|listener|tcp|cluster)\\.';
const IGNORED_STATS = /^(http\.admin|listener\.admin|cluster\.[^.]+\.(lb_|max_host_weight))|\.worker_0\./;
/** Zero when nothing is under way any more. */
const ACTIVITY = /\.(downstream_cx_active|downstream_rq_active|upstream_rq_active|upstream_rq_pending_active)$/;

export async function compareSuite(suite: Suite, options: ComparisonOptions): Promise<Difference[]> {
  const started: ProxyProcess[] = [];
  try {
    const proxies = await startBoth(suite, options, started);
    const facts = await runAll(suite, proxies, options.origin);
    await Promise.all(proxies.map((proxy) => proxy.stop()));
    const [envoy, outrigger] = proxies.map((proxy, index) => observeAll(facts[index]!, proxy.accessLog()));
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

type CaseFacts = Omit<Facts, 'logLines'>;

async function runAll(suite: Suite, proxies: readonly ProxyProcess[], origin: RecordingOrigin): Promise<CaseFacts[][]> {
  const facts: CaseFacts[][] = proxies.map(() => []);
  for (const each of suite.cases) {
    for (const [index, proxy] of proxies.entries()) facts[index]!.push(await runCase(each, proxy, origin));
  }
  return facts;
}

async function runCase(each: Case, proxy: ProxyProcess, origin: RecordingOrigin): Promise<CaseFacts> {
  const before = await proxy.stats(STATS);
  origin.expect(stepsOf(each), each.isTcp);
  const done = await exchange(proxy.port(each.listener ?? 'main'), {
    send: typeof each.send === 'string' ? [each.send] : each.send,
    expects: each.expects ?? 1,
    isTcp: each.isTcp ?? false,
    halfCloses: each.clientHalfCloses ?? false,
    ...(each.clientResets ? { resetsAfter: origin.nextRequest() } : {}),
  });
  const received: readonly HttpMessage[] = await origin.received();
  const after = await settledStats(proxy);
  return { exchange: done, received, before, after, ports: proxy.ports };
}

function stepsOf({ origin }: Case): readonly OriginStep[] {
  if (origin === undefined) return [{ onEnd: hello }];
  return typeof origin === 'string' ? [{ onEnd: origin }] : origin;
}

/** Statistics when the connection of the case is gone and nothing is in flight. */
async function settledStats(proxy: ProxyProcess): Promise<Stats> {
  for (;;) {
    const stats = await proxy.stats(STATS);
    const isBusy = [...stats].some(([name, value]) => value !== 0 && ACTIVITY.test(name) && !IGNORED_STATS.test(name));
    if (!isBusy) return new Map([...stats].filter(([name]) => !IGNORED_STATS.test(name)));
  }
}

function observeAll(facts: readonly CaseFacts[], log: readonly string[]): Observation[] {
  return facts.map((each) => {
    const address = `127.0.0.1:${each.exchange.clientPort}\t`;
    return observe({ ...each, logLines: log.filter((line) => line.startsWith(address)) });
  });
}
