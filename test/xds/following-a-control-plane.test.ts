// Rules of the protocol that the stream and what becomes of resources keep together: the whole of `xds/` beside a control plane
// that does what a test wants, over gRPC. Those of the stream alone: test/xds/client.

import { setImmediate as aTurn } from 'node:timers/promises';
import { Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';
import t, { type Test } from 'tap';
import { emptySnapshot, type Snapshot } from '../../config/snapshot.ts';
import { DynamicConfiguration } from '../../xds/dynamic-configuration.ts';
import { type AskedControlPlane, startAskedControlPlane } from '../support/asked-control-plane.ts';
import {
  applied,
  assignment,
  edsCluster,
  encodedOf,
  inlineListener,
  rdsListener,
  routeTable,
  staticCluster,
} from '../support/assembly-bench.ts';
import { bootstrapOf } from '../support/config-fixtures.ts';
import {
  endpointType,
  listenerType,
  type Protocol,
  readRequest,
  routeType,
  type SentResource,
  writeResponse,
} from '../support/discovery-messages.ts';

t.setTimeout(900_000);

const types = {
  cluster: 'envoy.config.cluster.v3.Cluster',
  members: 'envoy.config.endpoint.v3.ClusterLoadAssignment',
  listener: 'envoy.config.listener.v3.Listener',
  routes: 'envoy.config.route.v3.RouteConfiguration',
};

function sent(type: keyof typeof types, name: string, yaml: string, version = '1'): SentResource {
  return { name, version, bytes: encodedOf(types[type], yaml) };
}

interface Following {
  readonly controlPlane: AskedControlPlane;
  readonly configuration: DynamicConfiguration;
  /** What is served now. */
  snapshot(): Snapshot;
}

async function follow(t: Test, teach: (controlPlane: AskedControlPlane) => void): Promise<Following> {
  const { controlPlane, port } = await startAskedControlPlane(t);
  teach(controlPlane);
  const address = `{socket_address: {address: 127.0.0.1, port_value: ${port}}}`;
  const services = 'grpc_services: [{envoy_grpc: {cluster_name: xds}}]';
  const yaml = `
node: {id: n, cluster: c}
dynamic_resources:
  ads_config: {api_type: DELTA_GRPC, transport_api_version: V3, ${services}}
  cds_config: {ads: {}, resource_api_version: V3, initial_fetch_timeout: 0s}
  lds_config: {ads: {}, resource_api_version: V3, initial_fetch_timeout: 0s}
static_resources:
  clusters:
  - name: xds
    type: STATIC
    http2_protocol_options: {}
    load_assignment: {cluster_name: xds, endpoints: [{lb_endpoints: [{endpoint: {address: ${address}}}]}]}`;
  return { controlPlane, ...configured(t, yaml) };
}

function configured(t: Test, yaml: string): Omit<Following, 'controlPlane'> {
  let snapshot = emptySnapshot;
  const configuration = new DynamicConfiguration({
    bootstrap: bootstrapOf(yaml).bootstrap,
    sockets: { prepare: () => undefined, discard: () => undefined, openLogs: () => undefined },
    drainTimeMs: 0,
    schedule: (delayMs, callback) => {
      const timer = setTimeout(callback, delayMs);
      return () => clearTimeout(timer);
    },
    defer: setImmediate,
    clock: Date.now,
    random: () => 0,
    runtime: () => new Map(),
    onRuntimeLayer: () => undefined,
    onChange: (change) => {
      snapshot = applied(snapshot, change);
    },
    onReady: () => undefined,
    log: () => undefined,
  });
  t.teardown(() => configuration.stop());
  configuration.start();
  return { configuration, snapshot: () => snapshot };
}

/** The time of the file bounds it. */
async function until(isThere: () => boolean): Promise<void> {
  while (!isThere()) await aTurn();
}

t.test('clusters are acknowledged before their members come: a control plane may wait for that', async (t) => {
  const { controlPlane, snapshot } = await follow(t, (plane) => {
    plane.offered.set('Cluster', [sent('cluster', 'a', edsCluster('a'))]);
    plane.offered.set('Listener', []);
    plane.onAnswer = (type) => {
      if (type === 'Cluster') plane.send('ClusterLoadAssignment', [sent('members', 'a', assignment('a', 80))]);
    };
  });
  await until(() => snapshot().assignments.has('a'));
  t.equal(controlPlane.answered[0], 'ack Cluster');
  t.ok(controlPlane.asked.includes('+ClusterLoadAssignment a'));
});

t.test('routes without a virtual host are routes: the listener that waits for them serves', async (t) => {
  const { controlPlane, snapshot } = await follow(t, (plane) => {
    plane.offered.set('Cluster', []);
    plane.offered.set('Listener', [sent('listener', 'l', rdsListener('l', 1000, 'unknown'))]);
  });
  await until(() => controlPlane.asked.includes('+RouteConfiguration unknown'));
  t.notOk(snapshot().listeners.has('l'));
  controlPlane.send('RouteConfiguration', [sent('routes', 'unknown', '{name: unknown}')]);
  await until(() => snapshot().listeners.has('l'));
  t.same(snapshot().routes.get('unknown')?.virtualHosts, []);
});

t.test(
  'the name of members goes with the last cluster that has it, and is asked for again with the next',
  async (t) => {
    const { controlPlane, snapshot } = await follow(t, (plane) => {
      const clusters = ['a', 'b'].map((name) => sent('cluster', name, edsCluster(name, { service: 's' })));
      plane.offered.set('Cluster', clusters);
      plane.offered.set('Listener', []);
      plane.answers.set('s', sent('members', 's', assignment('s', 80)));
    });
    const asked = () => controlPlane.asked.filter((text) => text.includes('ClusterLoadAssignment'));
    await until(() => snapshot().clusters.size === 2);
    controlPlane.send('Cluster', [], ['a']);
    await until(() => snapshot().clusters.size === 1);
    t.same(asked(), ['+ClusterLoadAssignment s']);
    controlPlane.send('Cluster', [], ['b']);
    await until(() => asked().length === 2);
    controlPlane.send('Cluster', [sent('cluster', 'c', edsCluster('c', { service: 's' }), '2')]);
    await until(() => snapshot().clusters.has('c'));
    t.same(asked(), ['+ClusterLoadAssignment s', '-ClusterLoadAssignment s', '+ClusterLoadAssignment s']);
    t.equal(snapshot().assignments.size, 1);
  },
);

t.test(
  'what was refused is named at a reconnect with the version that is held, so that it is sent again',
  async (t) => {
    const { controlPlane, snapshot } = await follow(t, (plane) => {
      plane.offered.set('Cluster', [sent('cluster', 'a', staticCluster('a', 80), 'good')]);
      plane.offered.set('Listener', []);
    });
    await until(() => snapshot().clusters.has('a'));
    controlPlane.send('Cluster', [
      sent('cluster', 'a', '{name: a, type: STATIC, lb_policy: CLUSTER_PROVIDED}', 'bad'),
      sent('cluster', 'never', '{name: never, type: STATIC, lb_policy: CLUSTER_PROVIDED}', 'bad'),
      sent('cluster', 'b', staticCluster('b', 80), 'new'),
    ]);
    await until(() => snapshot().clusters.has('b'));
    await until(() => controlPlane.answered.some((text) => text.startsWith('nack Cluster')));
    const [refusal] = controlPlane.answered.filter((text) => text.startsWith('nack Cluster'));
    t.match(refusal, /\ba: .*lb_policy/);
    t.match(refusal, /\bnever: .*lb_policy/);
    controlPlane.begun.length = 0;
    controlPlane.stop();
    await controlPlane.start();
    await until(() => controlPlane.begun.length > 0);
    t.equal(controlPlane.begun[0], 'Cluster a=good b=new');
    t.ok(snapshot().clusters.has('a'), 'its last good state serves on');
    t.notOk(snapshot().clusters.has('never'));
  },
);

t.test(
  'a listener with a type that nobody knows is refused by name and shown, and the one beside it serves',
  async (t) => {
    const type = 'type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors';
    const unknown = Buffer.from(encodedOf(types.listener, withCors(type))).toString('latin1');
    // Of the same length: lengths stand before it.
    const bytes = Buffer.from(unknown.replace(type, type.replace('cors.v3.Cors', 'nobo.v3.Dyes')), 'latin1');
    const { controlPlane, configuration, snapshot } = await follow(t, (plane) => {
      plane.offered.set('Cluster', []);
      plane.offered.set('Listener', [{ name: 'strange', bytes }, sent('listener', 'l', inlineListener('l', 1001))]);
    });
    await until(() => controlPlane.answered.some((text) => text.includes('Listener')));
    await until(() => snapshot().listeners.has('l'));
    t.match(controlPlane.answered.at(-1), /^nack Listener strange: .*nobo\.v3\.Dyes/);
    t.notOk(snapshot().listeners.has('strange'));
    const shown = configuration.resources(listenerType).find(({ name }) => name === 'strange');
    t.equal(shown?.state, 'refused');
    t.match(JSON.stringify(shown?.refused?.document()), /nobo\.v3\.Dyes/);
  },
);

function withCors(type: string): string {
  const cors = `http_filters: [{name: cors, typed_config: {"@type": ${type}}}, `;
  return inlineListener('strange', 1000).replace('http_filters: [', cors);
}

t.test('routes may come before the clusters that they name, and the other way round', async (t) => {
  const { controlPlane, snapshot } = await follow(t, (plane) => {
    plane.offered.set('Cluster', []);
    plane.offered.set('Listener', [sent('listener', 'l', rdsListener('l', 1000, 'r'))]);
    plane.answers.set('r', sent('routes', 'r', routeTable('r', 'late')));
  });
  await until(() => snapshot().listeners.has('l'));
  t.ok(snapshot().routes.has('r'), 'a cluster that nobody has spoken of is not waited for');
  controlPlane.send('Cluster', [sent('cluster', 'late', staticCluster('late', 80))]);
  await until(() => snapshot().clusters.has('late'));
  t.notOk(controlPlane.answered.some((text) => text.startsWith('nack')));
});

/** Streams for one type each: what is sent on each, once it is asked for. */
interface TypeStream {
  readonly path: string;
  readonly protocol: Protocol;
  readonly type: string;
  readonly resource: SentResource;
}

/** Resolves with the port; `heard` is told of each request. */
function serveTypes(t: Test, streams: readonly TypeStream[], heard: (text: string) => void): Promise<number> {
  const server = new Server();
  const asIs = (bytes: Buffer) => bytes;
  for (const { path, protocol, type, resource } of streams) {
    const definition = {
      path,
      requestStream: true,
      responseStream: true,
      requestSerialize: asIs,
      requestDeserialize: asIs,
      responseSerialize: asIs,
      responseDeserialize: asIs,
    } as const;
    const onStream = (stream: ServerDuplexStream<Buffer, Buffer>) => {
      // The client is gone.
      stream.on('error', () => undefined);
      stream.on('data', (message: Buffer) => {
        const { node, subscribe, names, nonce, error = 'ok' } = readRequest(protocol, message);
        heard(`${path.split('/').at(-1)} ${nonce === '' ? `${node}: ${[...subscribe, ...names]}` : error}`);
        if (nonce !== '') return;
        stream.write(Buffer.from(writeResponse(protocol, { type, nonce: '1', resources: [resource] })));
      });
    };
    server.addService({ stream: definition }, { stream: onStream });
  }
  t.teardown(() => server.forceShutdown());
  return new Promise((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
      error === null ? resolve(port) : reject(error),
    );
  });
}

t.test(
  'members and routes may come by streams of their own, each in its protocol, without an aggregated one',
  async (t) => {
    const heard: string[] = [];
    const service = (name: string) => `/envoy.service.${name}`;
    const members = {
      path: service('endpoint.v3.EndpointDiscoveryService/StreamEndpoints'),
      protocol: 'state-of-the-world',
      type: endpointType,
      resource: sent('members', 'a', assignment('a', 80)),
    } as const;
    const routes = {
      path: service('route.v3.RouteDiscoveryService/DeltaRoutes'),
      protocol: 'delta',
      type: routeType,
      resource: sent('routes', 'r', routeTable('r', 'a')),
    } as const;
    const port = await serveTypes(t, [members, routes], (text) => heard.push(text));
    const own = (apiType: string) =>
      `{api_config_source: {api_type: ${apiType}, transport_api_version: V3, grpc_services: [{envoy_grpc: {cluster_name: xds}}]}}`;
    const { snapshot } = configured(
      t,
      `
node: {id: n, cluster: c}
static_resources:
  clusters:
  - ${edsCluster('a').replace('{ads: {}}', own('GRPC'))}
  - ${staticCluster('xds', port).replace('{name', '{http2_protocol_options: {}, name')}
  listeners:
  - ${rdsListener('l', 1000, 'r').replace('{ads: {}}', own('DELTA_GRPC'))}`,
    );
    await until(() => snapshot().listeners.has('l') && heard.length === 4);
    t.same([...snapshot().assignments.keys(), ...snapshot().routes.keys()], ['a', 'r']);
    t.strictSame(heard.sort(), ['DeltaRoutes n: r', 'DeltaRoutes ok', 'StreamEndpoints n: a', 'StreamEndpoints ok']);
  },
);
