// What requests wait for with the filter on_demand: Envoy and outrigger, each under a control plane that answers by name. What the
// client gets, the log line, the counters and the names that were subscribed to are compared; where they differ on purpose, the
// step says how, and docs/differences-from-envoy.md why.

import { setImmediate as aTurn } from 'node:timers/promises';
import t from 'tap';
import { accessLogOf } from '../differential/bootstrap.ts';
import { findEnvoy } from '../differential/envoy-binary.ts';
import type { AskedControlPlane } from '../support/asked-control-plane.ts';
import type { SentResource } from '../support/discovery-messages.ts';
import { startNamedOrigin } from '../support/named-origin.ts';
import {
  type Asking,
  askFor,
  clusterAt,
  demandingListener,
  hostSaying,
  odcds,
  routesNamed,
  vhds,
  virtualHost,
} from '../support/on-demand-mesh.ts';
import { type AskedProxy, startAskedProxy } from './asked-proxy.ts';

t.setTimeout(900_000);

/** A bound for what never comes, below the silence after which the runner ends a file. What comes is not waited for. */
const longestWaitMs = 30_000;

const envoy = findEnvoy();
const fields = ['RESPONSE_CODE', 'RESPONSE_FLAGS', 'RESPONSE_CODE_DETAILS', 'UPSTREAM_CLUSTER'];
const logged = `access_log: ${JSON.stringify(accessLogOf(fields))}`;
const counters = '^http\\.in\\.(rq_total|no_route|no_cluster|downstream_rq_(total|completed))$';
/** Of what neither answers. */
const listener = demandingListener({
  fields: `${odcds.slice(0, -1)}, timeout: 1s}`,
  manager: `stream_idle_timeout: 2s, ${logged}`,
});

interface Step extends Asking {
  readonly name: string;
  /** What the control plane does by itself. */
  readonly before?: (controlPlane: AskedControlPlane) => void;
  /** Flags and details as logged, what was subscribed to, and what was counted. */
  readonly seen: string;
  /** Where it is not the same. */
  readonly ofEnvoy?: string;
}

const found = '200 - direct_response - +VirtualHost';
const once = 'downstream_rq_completed=1 downstream_rq_total=1';
const counted = `${once} rq_total=1`;
const unrouted = 'downstream_rq_completed=1 downstream_rq_total=1 no_route=1 rq_total=1';
const unclustered = 'downstream_rq_completed=1 downstream_rq_total=1 no_cluster=1 rq_total=1';

const steps: readonly Step[] = [
  { name: 'a host that is there', host: 'pushed', seen: `200 - direct_response - | ${counted}` },
  { name: 'a host that comes', host: 'found', seen: `${found} routes/found | ${counted}` },
  { name: 'the same again', host: 'found', seen: `200 - direct_response - | ${counted}` },
  { name: 'in capitals, with a port', host: 'Port:81', seen: `${found} routes/port:81 | ${counted}` },
  { name: 'under another name, by its alias', host: 'aliased', seen: `${found} routes/aliased | ${counted}` },
  { name: 'with a body', host: 'posted', body: 'body', seen: `${found} routes/posted | ${counted}` },
  {
    name: 'a host that does not exist, as VHDS says it',
    host: 'void',
    seen: `404 NR route_not_found - +VirtualHost routes/void | ${unrouted}`,
  },
  {
    name: 'one of which the answer has other domains',
    host: 'other',
    seen: `404 NR route_not_found - +VirtualHost routes/other | ${unrouted}`,
  },
  {
    name: 'one whose virtual host has no route',
    host: 'pathless',
    seen: `404 NR route_not_found - +VirtualHost routes/pathless | ${unrouted}`,
  },
  {
    name: 'one that is removed',
    host: 'removed',
    seen: `404 NR route_not_found - +VirtualHost routes/removed | ${unrouted}`,
    ofEnvoy: `504 SI stream_idle_timeout - +VirtualHost routes/removed | ${once}`,
  },
  {
    name: 'one that was pushed and has no route',
    host: 'pushed-pathless',
    seen: `404 NR route_not_found - | ${unrouted}`,
    ofEnvoy: `504 SI stream_idle_timeout - +VirtualHost routes/pushed-pathless | ${once}`,
  },
  {
    name: 'one that nobody answers',
    host: 'late',
    seen: `504 SI stream_idle_timeout - +VirtualHost routes/late | ${once}`,
  },
  {
    name: 'the same after it came at last',
    host: 'late',
    before: (controlPlane) => controlPlane.send('VirtualHost', [hostSaying('at last', 'late', 'late')]),
    seen: `200 - direct_response - | ${counted}`,
  },
  {
    name: 'the same with a body',
    host: 'late-posted',
    body: 'body',
    seen: `504 SI stream_idle_timeout - +VirtualHost routes/late-posted | ${once}`,
  },
  {
    name: 'a host and then a cluster that come',
    host: 'via',
    cluster: 'first',
    seen: `200 - via_upstream first +VirtualHost routes/via +Cluster first | ${counted}`,
  },
  {
    name: 'the same again',
    host: 'via',
    cluster: 'first',
    seen: `200 - via_upstream first | ${counted}`,
  },
  {
    name: 'a cluster that comes, with a body',
    host: 'via',
    cluster: 'second',
    body: 'body',
    seen: `200 - via_upstream second +Cluster second | ${counted}`,
  },
  {
    name: 'a cluster that does not exist',
    host: 'via',
    cluster: 'missing',
    seen: `503 NC cluster_not_found - +Cluster missing | ${unclustered}`,
  },
  {
    name: 'one that nobody answers',
    host: 'via',
    cluster: 'slow',
    seen: `503 NC cluster_not_found - +Cluster slow | ${unclustered}`,
  },
  {
    name: 'the same after it came at last, which is longer than any request waits',
    host: 'via',
    cluster: 'slow',
    before: (controlPlane) => controlPlane.send('Cluster', [controlPlane.answers.get('kept back') as SentResource]),
    seen: `200 - via_upstream slow | ${counted}`,
  },
  { name: 'no cluster is named', host: 'via', seen: `503 NC cluster_not_found - | ${unclustered}` },
];

/** What a new stream is told: all names that were asked for, and, with their type, those of what is held. */
const again = [
  ...['+Cluster first', '+Cluster missing', '+Cluster second', '+Cluster slow', '+RouteConfiguration routes'],
  ...[
    'aliased',
    'found',
    'late',
    'late-posted',
    'other',
    'pathless',
    'port:81',
    'posted',
    'removed',
    'via',
    'void',
  ].map((host) => `+VirtualHost routes/${host}`),
  'Cluster first= second= slow=',
  'Listener web=',
  'RouteConfiguration routes=',
  'VirtualHost routes/another= routes/elsewhere= routes/found= routes/late= routes/pathless= routes/port= routes/posted= routes/pushed-pathless= routes/pushed= routes/via=',
];
/** It has asked for one that was pushed, and says that it holds what it was told not to exist. */
const againOfEnvoy = [
  ...again.slice(0, -1),
  '+VirtualHost routes/pushed-pathless',
  `${again.at(-1)} routes/void=`,
].sort();

if ('missing' in envoy) t.pass('the comparison with Envoy of what is asked for', { skip: envoy.missing });
else {
  for (const name of ['envoy', 'outrigger'] as const) {
    t.test(`what requests ask for under ${name}`, async (t) => {
      const origin = await startNamedOrigin(t, 'origin');
      const prepare = (controlPlane: AskedControlPlane): void => teach(controlPlane, origin);
      const led = await startAskedProxy(t, { name, envoyPath: envoy.path, prepare });
      for (const step of steps) {
        step.before?.(led.controlPlane);
        const wanted = (name === 'envoy' ? step.ofEnvoy : undefined) ?? step.seen;
        t.equal(await seenOf(led, step, wanted), wanted, step.name);
      }
      t.same(await saidAgain(led.controlPlane), name === 'envoy' ? againOfEnvoy : again, 'a new stream');
    });
  }
}

function teach({ offered, answers }: AskedControlPlane, origin: number): void {
  const pathless = (name: string) =>
    virtualHost(name, [name], '{match: {prefix: /elsewhere}, direct_response: {status: 200}}');
  const pushed = [hostSaying('pushed', 'pushed', 'pushed'), pathless('pushed-pathless')];
  offered.set('Listener', [listener]);
  answers.set('routes', routesNamed('routes', vhds));
  // Envoy asks for the virtual hosts of its routes, outrigger for all.
  offered.set('VirtualHost', pushed);
  answers.set('VirtualHost routes', pushed);
  for (const host of ['found', 'posted']) answers.set(`routes/${host}`, hostSaying('yes', host, host));
  answers.set('routes/port:81', { ...hostSaying('yes', 'port', '"port:81"'), aliases: ['routes/port:81'] });
  answers.set('routes/aliased', hostSaying('yes', 'another', 'aliased'));
  answers.set('routes/void', { name: 'routes/void', aliases: ['routes/void'], isHeartbeat: true });
  answers.set('routes/other', { ...hostSaying('no', 'elsewhere', 'elsewhere'), aliases: ['routes/other'] });
  answers.set('routes/pathless', pathless('pathless'));
  answers.set('routes/removed', null);
  answers.set('routes/via', virtualHost('via', ['via'], '{match: {prefix: /}, route: {cluster_header: x-cluster}}'));
  for (const name of ['first', 'second']) answers.set(name, clusterAt(name, origin));
  answers.set('missing', null);
  answers.set('kept back', clusterAt('slow', origin));
}

/** Looks until all of `wanted` is there, or something is that is not in it, or the time is over. */
async function seenOf({ proxy, controlPlane }: AskedProxy, asking: Asking, wanted: string): Promise<string> {
  const before = await proxy.stats(counters);
  const lines = proxy.accessLog().length;
  controlPlane.asked.length = 0;
  await askFor(proxy.port('web'), asking);
  const deadline = Date.now() + longestWaitMs;
  for (;;) {
    const after = await proxy.stats(counters);
    const changes = [...after].map(([name, value]) => [name.slice('http.in.'.length), value - (before.get(name) ?? 0)]);
    const counts = changes.flatMap(([name, change]) => (change === 0 ? [] : `${name}=${change}`)).sort();
    const logged = proxy
      .accessLog()
      .slice(lines)
      .map((line) => line.replaceAll('\t', ' '));
    const seen = `${[...logged, ...controlPlane.asked].join(' ')} | ${counts.join(' ')}`;
    if (seen === wanted || Date.now() >= deadline) return seen;
    await aTurn();
  }
}

/** Until there is a first request of each type, or the time is over: then there is what came. */
async function saidAgain(controlPlane: AskedControlPlane): Promise<readonly string[]> {
  controlPlane.stop();
  controlPlane.asked.length = 0;
  controlPlane.begun.length = 0;
  await controlPlane.start();
  const deadline = Date.now() + longestWaitMs;
  while (controlPlane.begun.length < 4 && Date.now() < deadline) await aTurn();
  const held = controlPlane.begun.map((line) => line.split(' ').toSorted().join(' '));
  return [...controlPlane.asked, ...held].toSorted();
}
