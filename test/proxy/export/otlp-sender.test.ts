import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import t, { type Test } from 'tap';
import type { TelemetryService } from '../../../config/telemetry-service.ts';
import { openSender } from '../../../proxy/export/otlp-sender.ts';
import type { Sender } from '../../../proxy/export/sender.ts';
import { FakeClusters, loopback, senderContext } from '../../support/export-fixtures.ts';
import { type OtlpCollector, startOtlpCollector } from '../../support/otlp-collector.ts';
import { encodeOtlp } from '../../support/otlp-messages.ts';
import { certificateSecret, trustSecret, upstreamTls } from '../../support/tls-config-fixtures.ts';
import { Authority } from '../../support/tls-fixtures.ts';

const http: TelemetryService = {
  kind: 'http',
  cluster: 'otel',
  uri: 'http://collector.example:4318/v1/traces',
  timeoutMs: 5000,
  headers: [['x-tenant', 'a']],
};
const grpc: TelemetryService = {
  kind: 'grpc',
  cluster: 'otel',
  authority: '',
  timeoutMs: 5000,
  metadata: [['x-tenant', 'a']],
};
const request = encodeOtlp('ExportTraceServiceRequest', {
  resourceSpans: [{ scopeSpans: [{ spans: [{ name: 'a', traceId: Buffer.alloc(16, 1) }, { name: 'b' }] }] }],
});

interface Bench {
  readonly collector: OtlpCollector;
  readonly clusters: FakeClusters;
  readonly sender: Sender;
  readonly warnings: readonly string[];
}

async function makeBench(t: Test, service: TelemetryService, changes: Partial<TelemetryService> = {}): Promise<Bench> {
  const collector = await startOtlpCollector(t);
  const port = service.kind === 'http' ? collector.httpPort : collector.grpcPort;
  const clusters = new FakeClusters().set('otel', [{ address: loopback(port) }]);
  const warnings: string[] = [];
  const changed = { ...service, ...changes } as TelemetryService;
  const sender = openSender(changed, 'traces', senderContext(clusters, warnings));
  t.teardown(() => sender.close());
  return { collector, clusters, sender, warnings };
}

function setEnvironment(t: Test, values: Readonly<Record<string, string>>): void {
  Object.assign(process.env, values);
  t.teardown(() => {
    for (const name of Object.keys(values)) delete process.env[name];
  });
}

for (const service of [http, grpc]) {
  const { kind } = service;

  t.test(`${kind}: a request arrives as it was encoded`, async (t) => {
    const { collector, sender, warnings } = await makeBench(t, service);
    t.same(await sender.send(request), { kind: 'sent', rejected: 0 });
    t.same(
      collector.spans().map(({ name }) => name),
      ['a', 'b'],
    );
    const [{ headers, protocol }] = collector.requests as [(typeof collector.requests)[0]];
    t.equal(protocol, kind);
    t.equal(headers['x-tenant'], 'a');
    t.match(headers['user-agent'], /^outrigger/);
    t.equal(headers[kind === 'http' ? 'host' : ':authority'], kind === 'http' ? 'collector.example:4318' : 'otel');
    t.same(warnings, []);
  });

  t.test(
    `${kind}: the environment gives compression and further headers, the configuration goes before it`,
    async (t) => {
      setEnvironment(t, {
        OTEL_EXPORTER_OTLP_TRACES_COMPRESSION: 'gzip',
        OTEL_EXPORTER_OTLP_HEADERS: 'x-key=secret,X-Tenant=b',
        OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1',
      });
      const { collector, sender } = await makeBench(t, service);
      t.match(await sender.send(request), { kind: 'sent' });
      const [{ headers }] = collector.requests as [(typeof collector.requests)[0]];
      t.equal(headers['x-key'], 'secret');
      t.equal(headers['x-tenant'], 'a');
      // gRPC's server keeps its own to itself: see the test of its transport.
      if (kind === 'http') t.equal(headers['content-encoding'], 'gzip');
    },
  );

  t.test(`${kind}: a header that cannot be sent is left out, and said`, async (t) => {
    setEnvironment(t, { OTEL_EXPORTER_OTLP_HEADERS: 'x-bad=a%0ab,x-good=1' });
    const { collector, sender, warnings } = await makeBench(t, service);
    t.match(await sender.send(request), { kind: 'sent' });
    t.equal(collector.requests[0]!.headers['x-good'], '1');
    t.matchOnly(warnings, [/"x-bad"/]);
  });

  t.test(`${kind}: a partial success is counted, said once, and never sent again`, async (t) => {
    const { collector, sender, warnings } = await makeBench(t, service);
    collector.behaviour = { kind: 'partial', rejected: 1, message: 'no name' };
    t.same(await sender.send(request), { kind: 'sent', rejected: 1 });
    t.same(await sender.send(request), { kind: 'sent', rejected: 1 });
    t.equal(collector.received, 2);
    t.matchOnly(warnings, [/refused 1 of the traces.*no name/]);
    t.equal(warnings.length, 1);
  });

  t.test(`${kind}: a warning is said though all was taken, and no more than the beginning of it`, async (t) => {
    const { collector, sender, warnings } = await makeBench(t, service);
    collector.behaviour = { kind: 'partial', rejected: 0, message: 'm'.repeat(10_000) };
    t.same(await sender.send(request), { kind: 'sent', rejected: 0 });
    t.matchOnly(warnings, [/refused 0 of the traces.*"m{200}"$/]);
  });

  t.test(`${kind}: what was closed before its first request sends none`, async (t) => {
    const { collector, sender } = await makeBench(t, service);
    sender.close();
    t.same(await sender.send(request), { kind: 'failed', reason: 'the process ends' });
    t.equal(collector.received, 0);
  });

  t.test(`${kind}: an answer that is no OTLP is said once; it was taken`, async (t) => {
    const { collector, sender, warnings } = await makeBench(t, service);
    collector.behaviour = { kind: 'nonsense' };
    t.same(await sender.send(request), { kind: 'sent', rejected: 0 });
    t.matchOnly(warnings, [/not OTLP/]);
  });

  t.test(`${kind}: what says "later" is tried again, what says "no" is not`, async (t) => {
    const { collector, sender } = await makeBench(t, service);
    for (const [code, status] of [
      [429, 14],
      [502, 1],
      [503, 4],
      [504, 10],
      [503, 11],
      [503, 15],
    ] as const) {
      collector.behaviour = { kind: 'refuse', http: code, grpc: status };
      const before = collector.received;
      const outcome = sender.send(request);
      await collector.until(({ received }) => received === before + 2);
      collector.behaviour = { kind: 'accept' };
      t.match(await outcome, { kind: 'sent' }, `${code} ${status}`);
    }
    for (const [code, status] of [
      [400, 3],
      [404, 12],
      [500, 13],
      [413, 8],
      [301, 5],
      [501, 2],
    ] as const) {
      collector.behaviour = { kind: 'refuse', http: code, grpc: status };
      const before = collector.received;
      t.match(await sender.send(request), { kind: 'refused' }, `${code} ${status}`);
      t.equal(collector.received, before + 1);
    }
  });

  t.test(`${kind}: a collector may ask for time`, async (t) => {
    const { collector, sender } = await makeBench(t, service);
    // gRPC's RESOURCE_EXHAUSTED is worth another attempt only with a time.
    collector.behaviour = { kind: 'refuse', http: 503, grpc: 8, retryAfter: '60' };
    t.match(await sender.send(request), { kind: 'failed', reason: /of rest/ });
    t.equal(collector.received, 1);
    const { collector: other, sender: toOther } = await makeBench(t, service);
    other.behaviour = { kind: 'refuse', http: 400, grpc: 3, retryAfter: '1' };
    t.match(await toOther.send(request), { kind: 'refused' }, 'what is wrong is not better later');
    t.equal(other.received, 1);
  });

  t.test(`${kind}: a collector that says nothing is given up after the time-out`, async (t) => {
    const { collector, sender } = await makeBench(t, service, { timeoutMs: 20 });
    collector.behaviour = { kind: 'silent' };
    t.match(await sender.send(request), {
      kind: 'failed',
      reason: kind === 'http' ? /no answer within 20 ms/ : /DEADLINE/,
    });
    t.ok(collector.received <= 6);
  });

  t.test(`${kind}: where the configuration has no time-out the environment's counts`, async (t) => {
    setEnvironment(t, { OTEL_EXPORTER_OTLP_TRACES_TIMEOUT: '20' });
    const { collector, sender } = await makeBench(t, service, { timeoutMs: 0 });
    collector.behaviour = { kind: 'silent' };
    t.match(await sender.send(request), { kind: 'failed' });
  });

  t.test(`${kind}: a collector that is not there fails, and is found where it went`, async (t) => {
    const { collector, clusters, sender } = await makeBench(t, service);
    const address = clusters.snapshot().assignments.get('otel')!.localities[0]!.endpoints[0]!.address as never;
    clusters.set('otel', [{ address: loopback(1) }]);
    t.match(await sender.send(request), { kind: 'failed' });
    clusters.set('otel', [{ address }]);
    t.match(await sender.send(request), { kind: 'sent' });
    t.equal(collector.requests.length, 1);
    clusters.remove('otel');
    t.match(await sender.send(request), { kind: 'no-cluster' });
  });

  t.test(`${kind}: closing ends what is on its way`, async (t) => {
    const { collector, sender } = await makeBench(t, service);
    collector.behaviour = { kind: 'silent' };
    const outcome = sender.send(request);
    await collector.until(({ received }) => received > 0);
    sender.close();
    t.match(await outcome, { kind: 'failed' });
    t.match(await sender.send(request), { kind: 'failed' });
  });
}

t.test('http: a connection is kept for the next request', async (t) => {
  const { collector, sender } = await makeBench(t, http);
  const ports = new Set<string>();
  for (let count = 0; count < 3; count++) {
    t.match(await sender.send(request), { kind: 'sent' });
    ports.add(collector.requests[count]!.headers['host']!);
  }
  t.equal(collector.connections, 1);
});

t.test('http: a connection that is cut in the place of an answer is tried again', async (t) => {
  const { collector, sender } = await makeBench(t, http);
  collector.behaviour = { kind: 'cut' };
  const outcome = sender.send(request);
  await collector.until(({ received }) => received === 3);
  collector.behaviour = { kind: 'accept' };
  t.match(await outcome, { kind: 'sent' });
});

t.test('http: what is no HTTP, and an answer without an end, take neither time nor memory', async (t) => {
  const garbage = createTcpServer((socket) => void socket.on('error', () => {}).end('hello\r\n\r\n')).listen(
    0,
    '127.0.0.1',
  );
  const { promise: isLeft, resolve: leave } = Promise.withResolvers<void>();
  const endless = createServer((_request, response) => {
    response.once('close', leave);
    const chunk = Buffer.alloc(16 * 1024);
    const pour = (): void => void (response.writable && response.write(chunk, pour));
    pour();
  }).listen(0, '127.0.0.1');
  t.teardown(() => {
    garbage.close();
    endless.close();
    endless.closeAllConnections();
  });
  const clusters = new FakeClusters();
  const warnings: string[] = [];
  const sender = openSender(http, 'traces', senderContext(clusters, warnings));
  t.teardown(() => sender.close());
  for (const [server, kind] of [
    [garbage, 'failed'],
    [endless, 'sent'],
  ] as const) {
    if (!server.listening) await once(server, 'listening');
    clusters.set('otel', [{ address: loopback(((server as Server).address() as AddressInfo).port) }]);
    t.match(await sender.send(request), { kind });
  }
  t.matchOnly(warnings, [/not OTLP/]);
  // Nobody reads on, once what it said is enough.
  await isLeft;
});

t.test('http: a collector behind a Unix socket', async (t) => {
  const name = `outrigger-test-${process.pid}`;
  const server = createServer((_request, response) => void response.end()).listen(`\0${name}`);
  await once(server, 'listening');
  t.teardown(() => server.close());
  const clusters = new FakeClusters().set('otel', [{ address: { kind: 'pipe', path: `@${name}` } }]);
  const sender = openSender(http, 'traces', senderContext(clusters));
  t.teardown(() => sender.close());
  t.match(await sender.send(request), { kind: 'sent' });
});

for (const service of [http, grpc]) {
  const { kind } = service;

  t.test(
    `${kind}: headers of the environment that cannot be sent are left out, and named without their values`,
    async (t) => {
      setEnvironment(t, { OTEL_EXPORTER_OTLP_HEADERS: 'x+y=secret%0A,x-tab=secret%09,x-key=1' });
      const { collector, sender, warnings } = await makeBench(t, service);
      t.same(await sender.send(request), { kind: 'sent', rejected: 0 });
      t.equal(collector.requests[0]!.headers['x-key'], '1');
      t.match(warnings[0], /"x\+y" cannot be sent/);
      t.notMatch(warnings.join(), /secret/);
    },
  );
}

t.test('http: what a path may not have is escaped, a host that cannot be sent is the address', async (t) => {
  const { collector, sender } = await makeBench(t, http, { uri: 'http://käse.example/v1/tr aces?ü=\ud800%20' });
  t.same(await sender.send(request), { kind: 'sent', rejected: 0 });
  const [{ headers, path }] = collector.requests as [(typeof collector.requests)[0]];
  t.equal(path, '/v1/tr%20aces?%C3%BC=%EF%BF%BD%20');
  t.match(headers['host'], /^127\.0\.0\.1:/);
});

for (const service of [http, grpc]) {
  const { kind } = service;

  t.test(`${kind}: a collector over TLS gets what is sent, and another who answers for it nothing`, async (t) => {
    const authority = Authority.make(`${t.testdir({})}/ca`, 'mesh');
    const server = authority.issue({ subjectAltName: 'DNS:otel.test' });
    const terms = { cert: server.certificateChain, key: server.privateKey, clientRoots: authority.certificate };
    const collector = await startOtlpCollector(t, { kind: 'accept' }, terms);
    const clusters = new FakeClusters();
    const own = authority.issue({ subjectAltName: 'URI:spiffe://t/web' });
    clusters.secrets.set('client', certificateSecret('client', own));
    const roots = { kind: 'pem', pem: authority.certificate } as const;
    const at = (dns: string): void => {
      const matcher = { kind: 'exact', value: dns, ignoreCase: false } as const;
      clusters.secrets.set('trust', trustSecret('trust', { roots, subjectAltNames: [{ type: 'dns', matcher }] }));
      const address = loopback(kind === 'http' ? collector.httpPort : collector.grpcPort);
      const transport = { kind: 'tls', tls: upstreamTls() } as const;
      clusters.set('otel', [{ address }], { transport, protocol: kind === 'http' ? 'http1' : 'http2' });
    };
    at('otel.test');
    const sender = openSender(service, 'traces', senderContext(clusters));
    t.teardown(() => sender.close());
    for (let count = 0; count < 3; count++) t.same(await sender.send(request), { kind: 'sent', rejected: 0 });
    if (kind === 'http') t.equal(collector.connections, 1, 'over one connection');
    t.equal(collector.requests.length, 3);
    at('else.test');
    t.match(await sender.send(request), { kind: 'failed', reason: /DNS|is for otel\.test, and not for else\.test/ });
    t.equal(collector.received, 3, 'not a byte');
    at('otel.test');
    t.same(await sender.send(request), { kind: 'sent', rejected: 0 });
  });
}
