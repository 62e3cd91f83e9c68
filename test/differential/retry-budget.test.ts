// How many retries a budget allows beside Envoy: the same bootstrap, the same requests, which the origin holds until all have
// come and then fails one by one. After each it is known what became of it, another attempt or the response, so that the
// two are compared step by step, and with them what /clusters says of the budget while requests of both priorities run.

import { request, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { startHttpOrigin } from '../support/http-origin.ts';
import { programFile } from '../support/program-file.ts';
import { bootstrap, cluster, httpListener, type Json } from './bootstrap.ts';
import { findEnvoy } from './envoy-binary.ts';
import { type ProxyName, ProxyProcess } from './proxy-process.ts';

t.setTimeout(900_000);

interface Budget {
  /** Of its cluster, and of its routes. */
  readonly name: string;
  readonly retry_budget: Json;
  readonly requests: number;
  /** Of the other priority, which have a budget of their own. */
  readonly urgent?: number;
}

const percent = (value: number): Json => ({ value });

const budgets: readonly Budget[] = [
  { name: 'defaults', retry_budget: {}, requests: 20 },
  { name: 'few', retry_budget: { budget_percent: percent(20), min_retry_concurrency: 2 }, requests: 4 },
  { name: 'half', retry_budget: { budget_percent: percent(50), min_retry_concurrency: 1 }, requests: 9 },
  { name: 'least', retry_budget: { budget_percent: percent(0), min_retry_concurrency: 2 }, requests: 5 },
  { name: 'none', retry_budget: { budget_percent: percent(0), min_retry_concurrency: 0 }, requests: 3 },
  { name: 'whole', retry_budget: { budget_percent: percent(100), min_retry_concurrency: 0 }, requests: 5 },
  {
    name: 'both',
    retry_budget: { budget_percent: percent(40), min_retry_concurrency: 1 },
    requests: 10,
    urgent: 6,
  },
];

/** Its responses are the test's. */
class HoldingOrigin {
  readonly #waiting: ((response: ServerResponse) => void)[] = [];
  readonly #promises = new Map<Promise<ServerResponse>, (response: ServerResponse) => void>();

  hold(response: ServerResponse): void {
    const take = this.#waiting.shift();
    if (take === undefined) throw new Error('a request came that nobody waits for');
    take(response);
  }

  next(): Promise<ServerResponse> {
    const { promise, resolve } = Promise.withResolvers<ServerResponse>();
    this.#waiting.push(resolve);
    this.#promises.set(promise, resolve);
    return promise;
  }

  /** Nothing is to come. */
  forget(promise: Promise<ServerResponse>): void {
    this.#waiting.splice(this.#waiting.indexOf(this.#promises.get(promise)!), 1);
  }
}

const envoy = findEnvoy();
if ('missing' in envoy) t.pass('the comparison with Envoy', { skip: envoy.missing });
else {
  const directory = t.testdir({});
  t.test('a budget allows the retries that it allows in Envoy', (t) => compare(t, envoy.path, directory));
}

async function compare(t: Test, envoyPath: string, directory: string): Promise<void> {
  const origin = new HoldingOrigin();
  const port = await startHttpOrigin(t, (_request, response) => origin.hold(response));
  const started: ProxyProcess[] = [];
  t.teardown(() => {
    for (const proxy of started) proxy.kill();
  });
  const config = bootstrapOf(port);
  const start = (name: ProxyName, command: readonly string[], isReady: readonly RegExp[]) =>
    ProxyProcess.start({ name, command, isReady, bootstrap: config, directory: join(directory, name), started });
  const ours = [process.execPath, programFile('proxy/main.ts')];
  const proxies = [
    await start('envoy', [envoyPath], [/starting main dispatch loop/]),
    await start('outrigger', ours, [/configuration is served/, /admin interface is listening/]),
  ] as const;
  for (const budget of budgets) {
    const [theirs, own] = [await spend(proxies[0], origin, budget), await spend(proxies[1], origin, budget)];
    t.same(own, theirs, budget.name);
    t.match(theirs.outcomes.join(), budget.name === 'whole' ? /^retried/ : /503/, 'there is something to compare');
  }
}

function bootstrapOf(originPort: number): Json {
  const retry_policy = { retry_on: '5xx', num_retries: 1 };
  const routes = budgets.flatMap(({ name }) => [
    { match: { prefix: `/${name}/urgent` }, route: { cluster: name, priority: 'HIGH', retry_policy } },
    { match: { prefix: `/${name}` }, route: { cluster: name, retry_policy } },
  ]);
  const clusters = budgets.map(({ name, retry_budget }) =>
    cluster(name, [originPort], {
      circuit_breakers: {
        thresholds: [{ retry_budget }, { priority: 'HIGH', retry_budget: { budget_percent: percent(50) } }],
      },
    }),
  );
  const virtual_hosts = [{ name: 'all', domains: ['*'], routes }];
  return bootstrap([httpListener('main', { virtual_hosts })], clusters);
}

/** Sends all requests, lets the origin fail each, and tells what became of it. */
async function spend(proxy: ProxyProcess, origin: HoldingOrigin, { name, requests, urgent = 0 }: Budget) {
  const answers: Promise<string>[] = [];
  const firsts: ServerResponse[] = [];
  for (let index = 0; index < requests + urgent; index++) {
    answers.push(ask(proxy.port('main'), index < requests ? `/${name}` : `/${name}/urgent`));
    firsts.push(await origin.next());
  }
  const allowed = (await proxy.admin('GET', '/clusters')).match(new RegExp(`^${name}::.*::max_retries::\\d+$`, 'gm'));
  const outcomes: string[] = [];
  const retries: ServerResponse[] = [];
  for (const [index, first] of firsts.entries()) {
    const retry = origin.next();
    first.writeHead(503).end();
    const outcome = await Promise.race([retry, answers[index]!]);
    if (typeof outcome === 'string') origin.forget(retry);
    else retries.push(outcome);
    outcomes.push(typeof outcome === 'string' ? outcome : 'retried');
  }
  for (const retry of retries) retry.writeHead(200).end();
  const statuses = await Promise.all(answers);
  const stats = await proxy.stats(`^cluster\\.${name}\\.upstream_rq_(retry.*|total)$`);
  return { allowed, outcomes, statuses, stats: [...stats].sort() };
}

function ask(port: number, path: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const call = request({ port, host: '127.0.0.1', path, agent: false }, (response) => {
    response.resume().on('end', () => resolve(String(response.statusCode)));
  });
  call.on('error', reject).end();
  return promise;
}
