// `outrigger audit` on spans that proxies exported: over plain connections nothing is proved, over mutual TLS who called whom is.
// What it says of chains that were changed is the business of `test/proxy/audit/trust-audit.test.ts`.

import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { startHttpOrigin } from '../support/http-origin.ts';
import { startNamedOrigin } from '../support/named-origin.ts';
import { type CollectedSpan, type OtlpCollector, startOtlpCollector } from '../support/otlp-collector.ts';
import { clusterAt, httpFilterChain, type Sidecar, socketAddress, startSidecar } from '../support/sidecar.ts';
import { downstreamTlsSocket, over, upstreamTlsSocket } from '../support/tls-bootstrap.ts';
import { Authority } from '../support/tls-fixtures.ts';

// Each test starts processes, which takes seconds on a busy machine.
t.setTimeout(900_000);

const root = join(import.meta.dirname, '../..');

const provider = {
  name: 'envoy.tracers.opentelemetry',
  typed_config: {
    '@type': 'type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig',
    http_service: { http_uri: { uri: 'http://collector/v1/traces', cluster: 'collector', timeout: '1s' } },
    service_name: 'shop',
  },
};

/** As collectors write files: OTLP in JSON, an export a line. */
function lineOf({ traceId, spanId, parentSpanId, name, kind, attributes, resource }: CollectedSpan): string {
  const pairs = (values: CollectedSpan['attributes']) =>
    Object.entries(values).flatMap(([key, value]) =>
      typeof value === 'string' ? [{ key, value: { stringValue: value } }] : [],
    );
  const span = { traceId, spanId, parentSpanId, name, kind, attributes: pairs(attributes) };
  return JSON.stringify({
    resourceSpans: [{ resource: { attributes: pairs(resource) }, scopeSpans: [{ spans: [span] }] }],
  });
}

function fileOf(t: Test, spans: readonly CollectedSpan[]): string {
  const file = join(t.testdir(), 'spans.jsonl');
  writeFileSync(file, spans.map(lineOf).join('\n'));
  return file;
}

function audit(...args: readonly string[]) {
  return spawnSync(process.execPath, ['proxy/audit/main.ts', ...args], { cwd: root, encoding: 'utf8' });
}

t.test('calls over plain connections are shown as calls that nobody proved', async (t) => {
  const collector = await startOtlpCollector(t);
  const port = await startNamedOrigin(t, 'body');
  const chain = httpFilterChain('app', { tracing: { provider, spawn_upstream_span: true } });
  const listeners = [{ name: 'http', address: socketAddress(0), filter_chains: [chain] }];
  const clusters = [clusterAt('app', port), clusterAt('collector', collector.httpPort)];
  const proxy = await startSidecar(t, { bootstrap: { static_resources: { listeners, clusters } } });
  get({ port: proxy.port('http'), host: '127.0.0.1' }, (response) => response.resume());

  const spans = await collector.spansAfter(2);
  const file = fileOf(t, spans);
  const { status, stdout, stderr } = audit(file);
  t.equal(status, 1, stderr);
  t.match(stdout, `trace ${spans[0]!.traceId}\n  somebody called shop`);
  t.match(stdout, '\n0 proved, 2 plain, 0 broken\n');
  t.equal(audit('--allow-plain', file).status, 0);
  const missing = audit(join(t.testdirName, 'none'));
  t.equal(missing.status, 2);
  t.match(missing.stderr, /^outrigger audit: ENOENT/);
});

const NAMES = { web: 'spiffe://mesh.test/ns/a/sa/web', app: 'spiffe://mesh.test/ns/a/sa/app' };

/** The caller's proxy, the callee's behind mutual TLS, and an application whose status is the path of the request. */
async function startMesh(t: Test, collector: OtlpCollector): Promise<Sidecar> {
  const authority = Authority.make(`${t.testdir({})}/ca`, 'mesh');
  const roots = authority.certificate;
  const identityOf = (name: keyof typeof NAMES) => authority.issue({ subjectAltName: `URI:${NAMES[name]}` });
  const port = await startHttpOrigin(t, ({ url }, response) => response.writeHead(Number(url!.slice(1))).end());
  const start = (direction: string, chain: object, cluster: object, errors: object) => {
    const listener = { name: 'http', address: socketAddress(0), traffic_direction: direction, filter_chains: [chain] };
    const clusters = [cluster, clusterAt('collector', collector.httpPort)];
    const settings = { sampling: { base_rate: 0, rules: [], slow: { keep: 'never' }, errors } };
    const file = join(t.testdirName, `${direction}.yaml`);
    writeFileSync(file, JSON.stringify(settings));
    return startSidecar(t, {
      bootstrap: { static_resources: { listeners: [listener], clusters } },
      flags: ['--concurrency', '1', '--sampling-config', file],
    });
  };
  const chain = httpFilterChain('app', { tracing: { provider } });
  const served = over(downstreamTlsSocket({ identity: identityOf('app'), roots }), chain);
  const callee = await start('INBOUND', served, clusterAt('app', port), { http: [404] });
  const called = upstreamTlsSocket({ identity: identityOf('web'), roots, uris: [NAMES.app] });
  return start('OUTBOUND', chain, over(called, clusterAt('app', callee.port('http'))), { http: ['5xx'] });
}

t.test(
  'over mutual TLS it is proved who called whom, and a callee that keeps a trace has its caller keep it',
  async (t) => {
    const collector = await startOtlpCollector(t);
    const proxy = await startMesh(t, collector);
    const ask = async (path: string, flags: string) => {
      const traceparent = `00-${'ab'.repeat(16)}-${'cd'.repeat(8)}-${flags}`;
      const response = await fetch(`http://127.0.0.1:${proxy.port('http')}${path}`, { headers: { traceparent } });
      await response.arrayBuffer();
      return response;
    };
    t.equal((await ask('/200', '01')).status, 200);
    const spans = await collector.spansAfter(2);
    const client = spans.find(({ kind }) => kind === 'SPAN_KIND_CLIENT')!;
    const server = spans.find(({ kind }) => kind === 'SPAN_KIND_SERVER')!;
    t.match(client.attributes, { 'trust.own_id': NAMES.web, 'trust.peer_id': NAMES.app, 'trust.transport': 'mtls' });
    t.match(server.attributes, {
      'trust.own_id': NAMES.app,
      'trust.peer_id': NAMES.web,
      'trust.chain': /^[0-9a-f]{64}$/,
    });
    const proved = audit(fileOf(t, spans));
    t.equal(proved.status, 0, proved.stderr);
    t.match(proved.stdout, `${NAMES.web} called ${NAMES.app}`);
    t.match(proved.stdout, '\n2 proved, 0 plain, 0 broken\n');
    const changed = { ...client, attributes: { ...client.attributes, 'trust.own_id': NAMES.app } };
    t.match(audit(fileOf(t, [changed, server])), { status: 1, stdout: / [12] broken\n/ });

    const unchosen = await ask('/404', '00');
    t.equal(unchosen.headers.get('server-timing'), null, 'who is not of the mesh is told nothing');
    const later = (await collector.spansAfter(4)).slice(2);
    t.strictSame(later.map(({ kind, attributes }) => [kind, attributes['sampling.reason']]).sort(), [
      ['SPAN_KIND_CLIENT', 'upgrade'],
      ['SPAN_KIND_SERVER', 'error'],
    ]);
  },
);
