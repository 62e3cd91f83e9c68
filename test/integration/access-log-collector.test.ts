// Access logs that go to collectors, by the whole process: entries for an access log service, records for an OpenTelemetry
// collector, and what a request notices of a collector that is not there (nothing).

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type Entry, startAccessLogCollector } from '../support/access-log-collector.ts';
import { startHttpOrigin } from '../support/http-origin.ts';
import { onlyItems } from '../support/only-items.ts';
import { startOtlpCollector } from '../support/otlp-collector.ts';
import { type AnyValue, attributesOf, type KeyValue, plainValue } from '../support/otlp-messages.ts';
import {
  clusterAt,
  fileAccessLog,
  httpFilterChain,
  socketAddress,
  startSidecar,
  tcpFilterChain,
} from '../support/sidecar.ts';

// Each test starts a process, which takes seconds on a busy machine.
t.setTimeout(900_000);

const LOGGERS = 'type.googleapis.com/envoy.extensions.access_loggers';

const http2 = {
  typed_extension_protocol_options: {
    'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
      '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
      explicit_http_config: { http2_protocol_options: {} },
    },
  },
};

function delivery(more: object = {}): object {
  return {
    log_name: 'log',
    transport_api_version: 'V3',
    grpc_service: { envoy_grpc: { cluster_name: 'als' } },
    buffer_flush_interval: '0.05s',
    ...more,
  };
}

function entryLog(kind: 'Http' | 'Tcp', more: object = {}): object {
  return {
    name: 'als',
    typed_config: { '@type': `${LOGGERS}.grpc.v3.${kind}GrpcAccessLogConfig`, common_config: delivery(), ...more },
  };
}

function startOrigin(t: Test): Promise<number> {
  return startHttpOrigin(t, (request, response) => {
    request.resume();
    response.setHeader('x-from', 'origin');
    response.end('hello');
  });
}

const node = { id: 'n1', cluster: 'c1', locality: { zone: 'z1' }, metadata: { a: 'b' } };

t.test('an access log service is told of requests and of connections', async (t) => {
  const collector = await startAccessLogCollector();
  t.teardown(() => collector.stop());
  const origin = await startOrigin(t);
  const headers = { additional_request_headers_to_log: ['x-a'], additional_response_headers_to_log: ['x-from'] };
  const sidecar = await startSidecar(t, {
    bootstrap: {
      node,
      static_resources: {
        listeners: [
          {
            name: 'web',
            address: socketAddress(0),
            filter_chains: [httpFilterChain('app', { access_log: [entryLog('Http', headers)] })],
          },
          {
            name: 'plain',
            address: socketAddress(0),
            filter_chains: [tcpFilterChain('app', { access_log: [entryLog('Tcp')] })],
          },
        ],
        clusters: [clusterAt('app', origin), clusterAt('als', collector.port, http2)],
      },
    },
  });
  const answer = await fetch(`http://127.0.0.1:${sidecar.port('web')}/a?b`, {
    method: 'POST',
    body: 'abc',
    headers: { 'x-a': '1' },
  });
  t.equal(await answer.text(), 'hello');
  await collector.entries(1);
  t.match(collector.messages[0]!.message, {
    identifier: { node: { id: 'n1', locality: { zone: 'z1' } }, log_name: 'log' },
  });
  const [entry] = collector.httpEntries;
  t.match(entry, {
    common_properties: {
      upstream_cluster: 'app',
      upstream_remote_address: { socket_address: { address: '127.0.0.1', port_value: origin } },
      downstream_local_address: { socket_address: { port_value: sidecar.port('web') } },
      upstream_request_attempt_count: 1,
      access_log_type: 'DownstreamEnd',
    },
    protocol_version: 'HTTP11',
    request: { request_method: 'POST', path: '/a?b', request_body_bytes: 3, request_headers: { 'x-a': '1' } },
    response: {
      response_code: { value: 200 },
      response_body_bytes: 5,
      response_code_details: 'via_upstream',
      response_headers: { 'x-from': 'origin' },
    },
  });
  t.notOk('response_flags' in (entry!['common_properties'] as Entry));

  const connection = createConnection(sidecar.port('plain'), '127.0.0.1');
  connection.end('GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n');
  connection.resume();
  await once(connection, 'close');
  await collector.entries(2);
  const [tcp] = collector.tcpEntries;
  t.match(tcp, { common_properties: { upstream_cluster: 'app', access_log_type: 'TcpConnectionEnd' } });
  t.equal((tcp!['connection_properties'] as Entry)['received_bytes'], 46);
  t.match(await sidecar.admin('/stats?filter=access_logs'), /access_logs\.grpc_access_log\.logs_written: 2/);
  t.match(await sidecar.admin('/stats?filter=access_logs'), /access_logs\.grpc_access_log\.logs_dropped: 0/);
});

for (const protocol of ['grpc', 'http'] as const) {
  t.test(`a collector is told by OTLP over ${protocol}, and what waits is sent at the end`, async (t) => {
    const collector = await startOtlpCollector(t);
    const origin = await startOrigin(t);
    const port = protocol === 'grpc' ? collector.grpcPort : collector.httpPort;
    const service =
      protocol === 'grpc'
        ? { grpc_service: { envoy_grpc: { cluster_name: 'otel' } } }
        : { http_service: { http_uri: { uri: 'http://otel.example/v1/logs', cluster: 'otel', timeout: '5s' } } };
    const log = {
      name: 'otel',
      typed_config: {
        '@type': `${LOGGERS}.open_telemetry.v3.OpenTelemetryAccessLogConfig`,
        ...service,
        log_name: 'log',
        buffer_flush_interval: '600s',
        body: { string_value: '%REQ(:METHOD)% %RESPONSE_CODE%' },
        attributes: { values: [{ key: 'path', value: { string_value: '%REQ(:PATH)%' } }] },
        resource_attributes: { values: [{ key: 'own', value: { string_value: 'x' } }] },
        stat_prefix: 'mine.',
      },
    };
    const sidecar = await startSidecar(t, {
      // Records of one worker are in order; the second request may be another connection.
      flags: ['--concurrency', '1'],
      bootstrap: {
        node,
        static_resources: {
          listeners: [
            {
              name: 'web',
              address: socketAddress(0),
              filter_chains: [httpFilterChain('app', { access_log: [log] })],
            },
          ],
          clusters: [clusterAt('app', origin), clusterAt('otel', port, protocol === 'grpc' ? http2 : {})],
        },
      },
    });
    for (const path of ['/1', '/2']) await (await fetch(`http://127.0.0.1:${sidecar.port('web')}${path}`)).text();
    sidecar.process.kill('SIGINT');
    t.equal(await sidecar.ended, 0);
    t.equal(collector.requests.length, 1);
    const [request] = collector.requests;
    t.match(request, { signal: 'logs', protocol });
    const [logs] = request!.message['resourceLogs'] as ResourceLogs[];
    t.strictSame(attributesOf(logs!.resource.attributes), {
      log_name: 'log',
      zone_name: 'z1',
      cluster_name: 'c1',
      node_name: 'n1',
      own: 'x',
    });
    t.strictSame(
      logs!.scopeLogs[0]!.logRecords.map(({ body, attributes }) => [plainValue(body), attributesOf(attributes)]),
      [
        ['GET 200', { path: '/1' }],
        ['GET 200', { path: '/2' }],
      ],
    );
  });
}

interface ResourceLogs {
  readonly resource: { readonly attributes: readonly KeyValue[] };
  readonly scopeLogs: readonly {
    readonly logRecords: readonly {
      readonly body: AnyValue;
      readonly attributes: readonly KeyValue[];
      readonly traceId: Buffer;
      readonly spanId: Buffer;
    }[];
  }[];
}

t.test('a collector that is not there costs no request, and is told when it comes', async (t) => {
  const origin = await startOrigin(t);
  const closed = createServer().listen(0, '127.0.0.1');
  await once(closed, 'listening');
  const { port } = closed.address() as { port: number };
  closed.close();
  await once(closed, 'close');
  const sidecar = await startSidecar(t, {
    bootstrap: {
      node,
      static_resources: {
        listeners: [
          {
            name: 'web',
            address: socketAddress(0),
            filter_chains: [httpFilterChain('app', { access_log: [entryLog('Http')] })],
          },
        ],
        clusters: [clusterAt('app', origin), clusterAt('als', port, http2)],
      },
    },
  });
  for (let sent = 0; sent < 20; sent++) {
    const answer = await fetch(`http://127.0.0.1:${sidecar.port('web')}/`);
    t.equal(await answer.text(), 'hello');
  }
  const warning = await sidecar.logged(/^access logs wait for cluster als/);
  t.equal(warning.level, 'warning');
  const collector = await startAccessLogCollector({ port });
  t.teardown(() => collector.stop());
  await collector.entries(20);
  t.equal(collector.httpEntries.length, 20, 'each once');
});

t.test('a line, an entry and a record lead to the same trace as the exported span', async (t) => {
  const entries = await startAccessLogCollector();
  t.teardown(() => entries.stop());
  const otel = await startOtlpCollector(t);
  const origin = await startOrigin(t);
  const file = join(t.testdir(), 'access.log');
  const tracing = {
    provider: {
      name: 'envoy.tracers.opentelemetry',
      typed_config: {
        '@type': 'type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig',
        grpc_service: { envoy_grpc: { cluster_name: 'otel' } },
        service_name: 'shop',
      },
    },
  };
  const records = {
    name: 'otel',
    typed_config: {
      '@type': `${LOGGERS}.open_telemetry.v3.OpenTelemetryAccessLogConfig`,
      grpc_service: { envoy_grpc: { cluster_name: 'otel' } },
      log_name: 'log',
      buffer_flush_interval: '0.05s',
    },
  };
  const access_log = [entryLog('Http'), records, fileAccessLog(file, '%TRACE_ID% %SPAN_ID% %SAMPLING_REASON%\n')];
  const sidecar = await startSidecar(t, {
    bootstrap: {
      node,
      static_resources: {
        listeners: [
          { name: 'web', address: socketAddress(0), filter_chains: [httpFilterChain('app', { tracing, access_log })] },
        ],
        clusters: [
          clusterAt('app', origin),
          clusterAt('als', entries.port, http2),
          clusterAt('otel', otel.grpcPort, http2),
        ],
      },
    },
  });
  await (await fetch(`http://127.0.0.1:${sidecar.port('web')}/`)).text();
  const [span] = await otel.spansAfter(1);
  await entries.entries(1);
  await otel.until(({ requests }) => requests.some(({ signal }) => signal === 'logs'));
  const { traceId, spanId } = span!;
  t.match(
    entries.httpEntries,
    onlyItems({ common_properties: { custom_tags: { trace_id: traceId, span_id: spanId, sampling_reason: 'head' } } }),
  );
  const logs = otel.requests.find(({ signal }) => signal === 'logs')!.message['resourceLogs'] as ResourceLogs[];
  const [record] = logs[0]!.scopeLogs[0]!.logRecords;
  t.equal(record!.traceId.toString('hex'), traceId);
  t.equal(record!.spanId.toString('hex'), spanId);
  sidecar.process.kill('SIGINT');
  t.equal(await sidecar.ended, 0);
  t.equal(readFileSync(file, 'utf8'), `${traceId} ${spanId} head\n`);
});
