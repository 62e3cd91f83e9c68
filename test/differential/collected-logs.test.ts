// The same requests through Envoy and through outrigger, logged by an access log service and by an OpenTelemetry collector:
// the same fields with the same values, except for what is listed here.

import { once } from 'node:events';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type Entry, startAccessLogCollector } from '../support/access-log-collector.ts';
import { startHttpOrigin } from '../support/http-origin.ts';
import { type OtlpCollector, startOtlpCollector } from '../support/otlp-collector.ts';
import { type AnyValue, attributesOf, type KeyValue, plainValue } from '../support/otlp-messages.ts';
import { programFile } from '../support/program-file.ts';
import { bootstrap, cluster, httpListener, type Json, routesOf, tcpListener } from './bootstrap.ts';
import { findEnvoy } from './envoy-binary.ts';
import { type ProxyName, ProxyProcess } from './proxy-process.ts';

const LOGGERS = 'type.googleapis.com/envoy.extensions.access_loggers';
const OUTRIGGER = programFile('proxy/main.ts');

/** Fields that differ, or that only one of the two has, and why. */
const accepted: readonly { readonly field: RegExp; readonly reason: string }[] = [
  { field: /header_bytes_(sent|received)$/, reason: 'a head is counted with its line and separators' },
  { field: /wire_bytes_(sent|received)$/, reason: 'without the framing of chunks' },
  { field: /^connection\.common_properties\.stream_id$/, reason: 'connections have no ids of their own' },
  { field: /response_headers_bytes$/, reason: 'the milliseconds of the endpoint are among the headers' },
  {
    field: /^\/(empty|refused|none)\.response\.(response_body_bytes|response_headers\.content-length)$/,
    reason: 'a local reply says what happened, and how to go on',
  },
];

t.setTimeout(900_000);
const envoy = findEnvoy();
if ('missing' in envoy) t.pass('the comparison with Envoy', { skip: envoy.missing });
else {
  const directory = t.testdir({});
  t.test('an access log service and a collector are told the same', (t) => compare(t, envoy.path, directory));
}

async function compare(t: Test, envoyPath: string, directory: string): Promise<void> {
  const origin = await startHttpOrigin(t, (request, response) => {
    request.resume();
    response.setHeader('x-from', ['a', 'b']);
    response.end('hello');
  });
  const shared = { origin, directory };
  const [ofEnvoy, ofOutrigger] = await Promise.all([
    observe(t, 'envoy', { command: [envoyPath], isReady: [/starting main dispatch loop/], ...shared }),
    observe(t, 'outrigger', {
      command: [process.execPath, OUTRIGGER],
      isReady: [/configuration is served/, /admin interface is listening/],
      ...shared,
    }),
  ]);
  const used = new Set<string>();
  const differences: string[] = [];
  for (const field of new Set([...ofEnvoy.keys(), ...ofOutrigger.keys()])) {
    const values = [ofEnvoy.get(field), ofOutrigger.get(field)];
    if (values[0] === values[1]) continue;
    const known = accepted.find((each) => each.field.test(field));
    if (known === undefined) differences.push(`${field}: ${values[0]} in Envoy, ${values[1]} here`);
    else used.add(known.reason);
  }
  t.ok(ofEnvoy.size > 150, `${ofEnvoy.size} fields`);
  t.same(differences, []);
  t.same(
    accepted.filter(({ reason }) => !used.has(reason)).map(({ reason }) => reason),
    [],
    'every accepted difference still occurs',
  );
}

interface Stage {
  readonly command: readonly string[];
  readonly isReady: readonly RegExp[];
  readonly origin: number;
  readonly directory: string;
}

const requests: readonly (readonly [path: string, init: RequestInit])[] = [
  ['/direct', { headers: { 'x-a': '1', referer: 'from', 'user-agent': 'agent' } }],
  ['/up?x=1', { method: 'POST', body: 'posted' }],
  ['/up', { method: 'PATCH', headers: { 'x-a': '2' } }],
  ['/empty', {}],
  ['/refused', {}],
  ['/none', { method: 'OPTIONS' }],
];

/** All fields by request and place, told by both collectors. */
async function observe(t: Test, name: ProxyName, stage: Stage): Promise<ReadonlyMap<string, string>> {
  const entries = await startAccessLogCollector();
  const records = await startOtlpCollector(t);
  t.teardown(() => entries.stop());
  const started: ProxyProcess[] = [];
  t.teardown(() => {
    for (const proxy of started) proxy.kill();
  });
  const ports = { als: entries.port, otel: records.grpcPort };
  const proxy = await ProxyProcess.start({
    name,
    command: stage.command,
    isReady: stage.isReady,
    bootstrap: loggedBootstrap(stage.origin, ports),
    directory: join(stage.directory, name),
    started,
  });
  const at = `http://127.0.0.1:${proxy.port('web')}`;
  // Envoy forgets what is logged before its stream is there.
  const isWarm = (): boolean => entries.httpEntries.length > 0 && logRecords(records).length > 0;
  while (!isWarm()) await (await fetch(`${at}/warm`)).text();
  for (const [path, init] of requests) await (await fetch(at + path, init)).text();
  const told = (): readonly Entry[] => entries.httpEntries.filter((entry) => !pathOf(entry).startsWith('/warm'));
  const recorded = (): readonly LogRecord[] =>
    logRecords(records).filter(({ body }) => !String(plainValue(body)).includes('/warm'));
  await entries.until(() => told().length >= requests.length);
  await records.until(() => recorded().length >= requests.length);
  // The first one is lost in Envoy here too.
  while (entries.tcpEntries.length === 0) await speakTcp(proxy.port('plain'));
  const fields = new Map<string, string>();
  const names: readonly (readonly [number, string])[] = [
    ...[...proxy.ports].map(([listener, port]) => [port, listener] as const),
    [stage.origin, 'origin'],
  ];
  for (const [index, entry] of told().entries()) flatten(`${requests[index]![0]}`, entry, { fields, names });
  flatten('connection', entries.tcpEntries[0]!, { fields, names });
  for (const [index, { body, attributes, traceId }] of recorded().entries()) {
    fields.set(`record ${index} body`, JSON.stringify(plainValue(body)));
    fields.set(`record ${index} attributes`, JSON.stringify(Object.entries(attributesOf(attributes)).sort()));
    fields.set(`record ${index} trace`, String(traceId.length));
  }
  fields.set('resource', JSON.stringify(attributesOf(resourceLogs(records)[0]!.resource.attributes)));
  const { identifier } = entries.messages[0]!.message as { identifier: { node: Entry; log_name: string } };
  fields.set('log_name', identifier.log_name);
  fields.set('node', JSON.stringify([identifier.node['id'], identifier.node['cluster'], identifier.node['metadata']]));
  await proxy.stop();
  return fields;
}

function pathOf(entry: Entry): string {
  const request = entry['request'] as { path?: string; original_path?: string };
  return request.original_path ?? request.path ?? '';
}

async function speakTcp(port: number): Promise<void> {
  const connection = createConnection(port, '127.0.0.1');
  connection.write('GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n');
  connection.resume();
  await once(connection, 'close');
}

interface Flattening {
  readonly fields: Map<string, string>;
  readonly names: readonly (readonly [number, string])[];
}

// What no two runs share is told by its being there.
const unequal = /\.(start_time|duration|time_to_\w+|request_id|stream_id)$/;

function flatten(place: string, value: unknown, into: Flattening): void {
  if (unequal.test(place)) into.fields.set(place, 'there');
  else if (place.endsWith('.port_value')) {
    into.fields.set(place, into.names.find(([port]) => port === value)?.[1] ?? 'a port');
  } else if (place.endsWith('.authority')) into.fields.set(place, String(value).replace(/\d+$/, 'PORT'));
  else if (typeof value === 'object' && value !== null) {
    for (const [key, item] of Object.entries(value)) flatten(`${place}.${key}`, item, into);
  } else into.fields.set(place, String(value));
}

interface LogRecord {
  readonly body: AnyValue;
  readonly attributes: readonly KeyValue[];
  readonly traceId: Buffer;
}
interface ResourceLogs {
  readonly resource: { readonly attributes: readonly KeyValue[] };
  readonly scopeLogs: readonly { readonly logRecords: readonly LogRecord[] }[];
}

function resourceLogs({ requests }: OtlpCollector): readonly ResourceLogs[] {
  return requests.flatMap(({ message }) => message['resourceLogs'] as ResourceLogs[]);
}

function logRecords(collector: OtlpCollector): readonly LogRecord[] {
  return resourceLogs(collector).flatMap(({ scopeLogs }) => scopeLogs.flatMap(({ logRecords: records }) => records));
}

function loggedBootstrap(origin: number, ports: { readonly als: number; readonly otel: number }): Json {
  const common = {
    log_name: 'mylog',
    transport_api_version: 'V3',
    buffer_flush_interval: '0.05s',
    grpc_service: { envoy_grpc: { cluster_name: 'als' } },
    custom_tags: [
      { tag: 'literal', literal: { value: 'v' } },
      { tag: 'header', request_header: { name: 'x-a', default_value: 'd' } },
      { tag: 'nothing', request_header: { name: 'x-nothing' } },
      { tag: 'environment', environment: { name: 'OUTRIGGER_NOT_SET', default_value: 'd' } },
    ],
  };
  const httpLogs = [
    {
      name: 'entries',
      typed_config: {
        '@type': `${LOGGERS}.grpc.v3.HttpGrpcAccessLogConfig`,
        common_config: common,
        additional_request_headers_to_log: ['X-A', ':path', 'x-none'],
        additional_response_headers_to_log: ['x-from', 'content-length', ':status'],
        additional_response_trailers_to_log: ['x-none'],
      },
    },
    {
      name: 'records',
      typed_config: {
        '@type': `${LOGGERS}.open_telemetry.v3.OpenTelemetryAccessLogConfig`,
        common_config: { ...common, custom_tags: [], grpc_service: { envoy_grpc: { cluster_name: 'otel' } } },
        custom_tags: common.custom_tags,
        body: { string_value: '%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL% %RESPONSE_CODE%' },
        attributes: {
          values: [
            { key: 'none', value: { string_value: '%REQ(x-none)%' } },
            {
              key: 'map',
              value: { kvlist_value: { values: [{ key: 'flags', value: { string_value: '%RESPONSE_FLAGS%' } }] } },
            },
            {
              key: 'list',
              value: { array_value: { values: [{ string_value: 'a%PROTOCOL%' }, { string_value: 'b' }] } },
            },
          ],
        },
        resource_attributes: { values: [{ key: 'own', value: { string_value: 'x' } }] },
      },
    },
  ];
  const tcpLogs = [
    {
      name: 'entries',
      typed_config: {
        '@type': `${LOGGERS}.grpc.v3.TcpGrpcAccessLogConfig`,
        common_config: { ...common, log_name: 'tcp' },
      },
    },
  ];
  const routes = [
    { name: 'warm', match: { prefix: '/warm' }, direct_response: { status: 200 } },
    {
      name: 'direct',
      match: { prefix: '/direct' },
      direct_response: { status: 200, body: { inline_string: 'hello' } },
    },
    { name: 'up', match: { prefix: '/up' }, route: { cluster: 'app', prefix_rewrite: '/other' } },
    { name: 'empty', match: { prefix: '/empty' }, route: { cluster: 'empty' } },
    { name: 'refused', match: { prefix: '/refused' }, route: { cluster: 'refused' } },
  ];
  const http2 = {
    typed_extension_protocol_options: {
      'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
        '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
        explicit_http_config: { http2_protocol_options: {} },
      },
    },
  };
  return bootstrap(
    [
      httpListener('web', routesOf(routes), { access_log: httpLogs }),
      tcpListener('plain', { cluster: 'app', access_log: tcpLogs }),
    ],
    [
      cluster('app', [origin]),
      cluster('empty', []),
      cluster('refused', [1]),
      cluster('als', [ports.als], http2),
      cluster('otel', [ports.otel], http2),
    ],
    { node: { id: 'n1', cluster: 'c1', metadata: { a: 'b' }, locality: { zone: 'z1' } } },
  );
}
