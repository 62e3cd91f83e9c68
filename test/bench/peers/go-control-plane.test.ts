// The second control plane: what it serves over a delta stream, and how it is driven.
import { Client, type ClientDuplexStream, credentials } from '@grpc/grpc-js';
import { Reader, Writer } from 'protobufjs/minimal.js';
import t from 'tap';
import {
  buildControlPlane,
  type ControlPlaneOptions,
  startControlPlane,
} from '../../../bench/peers/go-control-plane.ts';
import { onlyItems } from '../../support/only-items.ts';
import { whyNotBuilt } from '../../support/why-not-built.ts';

const CLUSTER = 'type.googleapis.com/envoy.config.cluster.v3.Cluster';
const ASSIGNMENT = 'type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment';
const ROUTES = 'type.googleapis.com/envoy.config.route.v3.RouteConfiguration';
const OPTIONS: ControlPlaneOptions = { clusters: 3, hosts: 3, listenerPorts: [10_000], endpointPort: 81 };

const missing = whyNotBuilt(buildControlPlane);

type Delta = { readonly typeUrl: string; readonly nonce: string; readonly names: readonly string[] };

/** One delta stream over ADS, with the few fields that are looked at here. */
class DeltaStream {
  readonly #client: Client;
  readonly #call: ClientDuplexStream<Buffer, Buffer>;
  readonly #responses: AsyncIterator<Buffer>;

  constructor(port: number) {
    const bytes = (message: Buffer) => message;
    this.#client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
    const path = '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources';
    this.#call = this.#client.makeBidiStreamRequest(path, bytes, bytes);
    this.#responses = this.#call[Symbol.asyncIterator]();
  }

  request(typeUrl: string, options: { subscribe?: readonly string[]; nonce?: string; refusal?: string }): void {
    const writer = Writer.create();
    writer.uint32(0x0a).fork().uint32(0x0a).string('node').ldelim().uint32(0x12).string(typeUrl);
    for (const name of options.subscribe ?? []) writer.uint32(0x1a).string(name);
    if (options.nonce !== undefined) writer.uint32(0x32).string(options.nonce);
    if (options.refusal !== undefined) writer.uint32(0x3a).fork().uint32(0x12).string(options.refusal).ldelim();
    this.#call.write(Buffer.from(writer.finish()));
  }

  /** The next response; undefined when the stream ended. */
  async next(): Promise<Delta | undefined> {
    const { value, done } = await this.#responses.next();
    return done === true ? undefined : readDelta(value);
  }

  close(): void {
    this.#client.close();
  }
}

function readDelta(bytes: Buffer): Delta {
  const reader = Reader.create(bytes);
  const names: string[] = [];
  let typeUrl = '';
  let nonce = '';
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag >>> 3 === 2) names.push(resourceName(reader.bytes()));
    else if (tag >>> 3 === 4) typeUrl = reader.string();
    else if (tag >>> 3 === 5) nonce = reader.string();
    else reader.skipType(tag & 7);
  }
  return { typeUrl, nonce, names: names.sort() };
}

function resourceName(bytes: Uint8Array): string {
  const reader = Reader.create(bytes);
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag >>> 3 === 3) return reader.string();
    reader.skipType(tag & 7);
  }
  return '';
}

for (const cache of ['linear', 'snapshot'] as const) {
  t.test(`a change of one endpoint is one resource, from the ${cache} cache`, { skip: missing }, async (t) => {
    const controlPlane = await startControlPlane({ ...OPTIONS, cache });
    const stream = new DeltaStream(controlPlane.xdsPort);
    t.teardown(() => {
      stream.close();
      return controlPlane.stop();
    });
    stream.request(CLUSTER, {});
    t.match(await stream.next(), { typeUrl: CLUSTER, names: onlyItems('service-0', 'service-1', 'service-2') });
    stream.request(ASSIGNMENT, { subscribe: ['service-0', 'service-1'] });
    const { nonce } = (await stream.next())!;
    stream.request(ASSIGNMENT, { nonce });
    await controlPlane.changeEndpoint('service-1', '127.0.0.1:82');
    const startedAt = Date.now() * 1000;
    t.match(await stream.next(), { typeUrl: ASSIGNMENT, names: onlyItems('service-1') });
    const { responses, streams } = await controlPlane.status('eds', 1);
    t.equal(streams, 1);
    t.match(responses, onlyItems({ resources: 1, removed: 0, answered_at_us: 0 }));
    t.ok(Math.abs(responses[0]!.sent_at_us - startedAt) < 10e6);
  });
}

t.test('a push of fewer clusters removes, a refusal is told by its text', { skip: missing }, async (t) => {
  const controlPlane = await startControlPlane(OPTIONS);
  const stream = new DeltaStream(controlPlane.xdsPort);
  t.teardown(() => {
    stream.close();
    return controlPlane.stop();
  });
  stream.request(CLUSTER, {});
  const { nonce } = (await stream.next())!;
  stream.request(CLUSTER, { nonce, refusal: 'no: name' });
  stream.request(ROUTES, { subscribe: ['routes'] });
  await stream.next();
  t.match(await controlPlane.status('cds'), { responses: onlyItems({ resources: 3, nack: 'no: name' }) });
  await controlPlane.push({ clusters: '1' });
  await stream.next();
  t.match(await controlPlane.status('cds', 1), { responses: onlyItems({ removed: 2 }) });
  await t.rejects(
    controlPlane.changeRoute('service-9.example', 'service-0'),
    /no virtual host is for "service-9.example"/,
  );
  await t.rejects(controlPlane.push({ clusters: 'x' }), /clusters takes a whole number/);
});

t.test('streams end when they are told to, and the next one is served', { skip: missing }, async (t) => {
  const controlPlane = await startControlPlane(OPTIONS);
  t.teardown(() => controlPlane.stop());
  const stream = new DeltaStream(controlPlane.xdsPort);
  t.teardown(() => stream.close());
  stream.request(CLUSTER, {});
  await stream.next();
  await controlPlane.restartStreams();
  t.equal(await stream.next(), undefined);
  const next = new DeltaStream(controlPlane.xdsPort);
  t.teardown(() => next.close());
  next.request(CLUSTER, {});
  t.equal((await next.next())!.names.length, 3);
});
