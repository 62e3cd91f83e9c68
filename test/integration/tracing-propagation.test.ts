// What the next hop is told of a trace by a running proxy: the W3C suite's cases and B3 through real sockets, attempts, and
// the request id. What becomes of the spans is no matter here: nobody listens where they go.

import { once } from 'node:events';
import { request } from 'node:http';
import t, { type Test } from 'tap';
import { cases, parentId, traceId } from '../conformance/trace-context/cases.ts';
import { isAsExpected, readNextHop } from '../conformance/trace-context/hop.ts';
import { startHttpOrigin } from '../support/http-origin.ts';
import { clusterAt, httpFilterChain, type Sidecar, socketAddress, startSidecar } from '../support/sidecar.ts';
import { type Fields, modelB3, modelTraceparent, valuesOf } from '../support/trace-model.ts';

// Each test starts a process, which takes seconds on a busy machine.
t.setTimeout(900_000);

const closedPort = 1;
const opentelemetry = {
  name: 'envoy.tracers.opentelemetry',
  typed_config: {
    '@type': 'type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig',
    http_service: {
      http_uri: { uri: 'http://collector/v1/traces', cluster: 'collector', timeout: '1s' },
    },
    service_name: 'test',
  },
};
const zipkin = {
  name: 'envoy.tracers.zipkin',
  typed_config: {
    '@type': 'type.googleapis.com/envoy.config.trace.v3.ZipkinConfig',
    collector_cluster: 'collector',
    collector_endpoint: '/api/v2/spans',
    collector_endpoint_version: 'HTTP_JSON',
    trace_id_128bit: true,
  },
};

/** A proxy before an endpoint that answers with the header lines it got; a first request of `failsFirst` gets a 503. */
async function startEcho(t: Test, provider: object, tracing: object = {}): Promise<Sidecar> {
  const failed = new Set<string>();
  const port = await startHttpOrigin(t, ({ rawHeaders, url }, response) => {
    const isFailing = url?.startsWith('/fails-first/') === true && !failed.has(url);
    if (isFailing) failed.add(url);
    response.writeHead(isFailing ? 503 : 200);
    response.end(JSON.stringify(linesOf(rawHeaders)));
  });
  const route = {
    match: { prefix: '/' },
    route: { cluster: 'app', retry_policy: { retry_on: '5xx', num_retries: 1 } },
  };
  const manager = {
    tracing: { provider, random_sampling: { value: 0 }, ...tracing },
    route_config: { virtual_hosts: [{ name: 'all', domains: ['*'], routes: [route] }] },
  };
  const listeners = [{ name: 'http', address: socketAddress(0), filter_chains: [httpFilterChain('app', manager)] }];
  const clusters = [clusterAt('app', port), clusterAt('collector', closedPort)];
  return startSidecar(t, { bootstrap: { static_resources: { listeners, clusters } }, flags: ['--concurrency', '1'] });
}

function linesOf(rawHeaders: readonly string[]): readonly string[] {
  return rawHeaders.flatMap((name, index) => (index % 2 === 0 ? [`${name}: ${rawHeaders[index + 1]}`] : []));
}

/** Lines that the endpoint got for these lines of a request. */
async function told(proxy: Sidecar, lines: readonly string[], path = '/'): Promise<readonly string[]> {
  const headers = lines.flatMap((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]);
  const sent = request({ port: proxy.port('http'), host: '127.0.0.1', path, headers: ['Host', 'test', ...headers] });
  sent.end();
  const [response] = await once(sent, 'response');
  let body = '';
  for await (const chunk of response) body += chunk;
  return JSON.parse(body);
}

const fieldsOf = (lines: readonly string[]): Fields => lines.map((line) => line.split(': ') as [string, string]);

/** For all tests that need no other. */
const proxy = await startEcho(t, opentelemetry);

t.test('every case of the W3C suite holds through the proxy', async (t) => {
  for (const each of cases) {
    const next = readNextHop(await told(proxy, each.lines));
    t.ok(isAsExpected(next, each), `${each.name}: ${each.lines.join(' | ').slice(0, 200)}`, { next });
  }
});

t.test('each request has a span of its own, whose flags are those of its parent', async (t) => {
  const spans = new Set<string>();
  for (const flags of [0, 1, 2, 3]) {
    const next = readNextHop(await told(proxy, [`traceparent: 00-${traceId}-${parentId}-0${flags}`]));
    t.equal(next.flags, flags);
    spans.add(next.spanId);
  }
  t.equal(spans.size, 4);
});

t.test('what arrived in B3 is answered in B3, and in W3C beside it', async (t) => {
  const fields = fieldsOf(await told(proxy, [`b3: ${traceId}-${parentId}-1`]));
  t.same(modelB3(fields)?.ids, modelTraceparent(fields)?.ids);
  t.same([modelB3(fields)?.ids?.traceId, modelB3(fields)?.decision], [traceId, 'sampled']);
  const debug = fieldsOf(await told(proxy, [`X-B3-TraceId: ${traceId}`, `X-B3-SpanId: ${parentId}`, 'X-B3-Flags: 1']));
  t.same(valuesOf(debug, 'x-b3-flags'), ['1']);
  t.same(valuesOf(debug, 'x-b3-sampled'), []);
  t.equal(modelTraceparent(debug)?.decision, 'sampled');
});

t.test("Zipkin's tracer writes B3 whatever arrived", async (t) => {
  const other = await startEcho(t, zipkin);
  const begun = fieldsOf(await told(other, []));
  t.match(valuesOf(begun, 'x-b3-traceid')[0], /^[0-9a-f]{32}$/);
  t.same(valuesOf(begun, 'x-b3-sampled'), ['0']);
  t.same(valuesOf(begun, 'traceparent'), []);
  const continued = fieldsOf(
    await told(other, [`X-B3-TraceId: ${traceId}`, `X-B3-SpanId: ${parentId}`, 'X-B3-Sampled: 1']),
  );
  t.same(valuesOf(continued, 'x-b3-traceid'), [traceId]);
  t.same(valuesOf(continued, 'x-b3-sampled'), ['1']);
});

t.test(
  'a further attempt is a span of its own where attempts are spans, and the same where they are not',
  async (t) => {
    for (const spawns of [true, false]) {
      const other = await startEcho(t, opentelemetry, { spawn_upstream_span: spawns });
      const lines = [`traceparent: 00-${traceId}-${parentId}-01`, `b3: ${traceId}-${parentId}-1`];
      const fields = fieldsOf(await told(other, lines, `/fails-first/${spawns}`));
      t.same(modelB3(fields)?.ids, modelTraceparent(fields)?.ids);
      t.equal(modelTraceparent(fields)?.ids?.traceId, traceId);
      const parent = valuesOf(fields, 'b3')[0]!.split('-')[3];
      if (spawns) t.not(parent, parentId, 'below the span of the request');
      else t.equal(parent, parentId, 'the span of the request');
    }
  },
);

t.test('the decision is written into the request id, and a decision in it counts', async (t) => {
  const id = (mark: string) => `11111111-1111-${mark}111-8111-111111111111`;
  const idOf = (fields: Fields) => valuesOf(fields, 'x-request-id')[0];
  const sampled = fieldsOf(
    await told(proxy, [`x-request-id: ${id('4')}`, `traceparent: 00-${traceId}-${parentId}-01`]),
  );
  t.equal(idOf(sampled), id('9'));
  const asked = fieldsOf(await told(proxy, [`x-request-id: ${id('9')}`]));
  t.same([idOf(asked), modelTraceparent(asked)?.decision], [id('9'), 'sampled']);
  const denied = fieldsOf(await told(proxy, [`x-request-id: ${id('9')}`, `traceparent: 00-${traceId}-${parentId}-00`]));
  t.equal(modelTraceparent(denied)?.decision, 'notSampled', 'the trace headers come first');
});
