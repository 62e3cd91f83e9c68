import t from 'tap';
import type { FormatContext } from '../../../proxy/format/format-context.ts';
import { encodeLine, HeaderTable } from '../../../proxy/http/header-table.ts';
import { RandomDigits } from '../../../proxy/tracing/random-digits.ts';
import { SamplingReason } from '../../../proxy/tracing/sampling-reason.ts';
import { TraceContext } from '../../../proxy/tracing/trace-context.ts';
import { addTraceLine, readTraceLine, writeTraceLine } from '../../../proxy/tracing/trace-line.ts';
import { routeOf } from '../../support/data-plane.ts';
import { FakeConnection } from '../../support/http-fixtures.ts';
import { addition, forwardAction, noMutations, retryPolicy } from '../../support/route-fixtures.ts';
import { mutual, type RecordedSpan, recordsIn, sentField, tracedScene } from '../../support/trace-fixtures.ts';

const plainLine = /^00-([0-9a-f]{32})-([0-9a-f]{16})-02$/;

/** Ids that an endpoint was told in `traceparent`, of a trace that is not chosen. */
function toldTo({ requestHead }: FakeConnection): readonly string[] {
  const told = plainLine.exec(sentField(requestHead, 'traceparent') ?? '');
  if (told === null) throw new Error(`no such trace was told: ${requestHead}`);
  return [told[1]!, told[2]!];
}

t.test('a line is no field before it is added, and its ids are read back after the store has grown', async (t) => {
  let next = 0;
  const random = new RandomDigits((bytes) => {
    for (let index = 0; index < bytes.length; index++) bytes[index] = ++next;
  });
  const headers = new HeaderTable();
  headers.appendLine(encodeLine('host', 'shop.example'));
  const at = writeTraceLine(headers, random);
  const text = () => {
    const target = Buffer.alloc(headers.encodedLength);
    headers.copyTo(target, 0);
    return target.latin1Slice();
  };
  t.equal(text(), 'host: shop.example\r\n');
  headers.append('x-large', 'x'.repeat(3000));
  addTraceLine(headers, at);
  const ids = ['0102030405060708090a0b0c0d0e0f10', '1112131415161718'] as const;
  const line = `traceparent: 00-${ids[0]}-${ids[1]}-02\r\n`;
  t.equal(text(), `host: shop.example\r\nx-large: ${'x'.repeat(3000)}\r\n${line}`);
  t.equal(headers.value(headers.rowCount - 1), line.slice('traceparent: '.length, -2));
  const context = new TraceContext();
  readTraceLine(headers, at, context);
  t.same([context.traceId, context.spanId, context.hasRandomFlag], [...ids, true]);
});

t.test('what is not chosen and fails is recorded with the ids that the endpoint was told', async (t) => {
  const scene = tracedScene();
  scene.request();
  const connection = scene.connect();
  scene.respond(connection, 500);
  const [record] = recordsIn(scene);
  const [span] = record!.spans;
  t.same([span!.traceId, span!.spanId, span!.parentSpanId], [...toldTo(connection), '']);
  t.same([span!.flags, record!.random], [0x103, span!.traceId.slice(-14)], 'random, and at the beginning of its trace');
  t.match(record, { reason: SamplingReason.error, isHeadKept: false });
  t.match(span!.attributes, { 'http.route': '/', upstream_cluster: 'service' });
});

t.test('all attempts of a request are told the same ids, and each is an event of its span', async (t) => {
  const routes = [routeOf('/', forwardAction({ retryPolicy: retryPolicy({ retryOn: ['5xx'], numRetries: 2 }) }))];
  const scene = tracedScene({}, { routes, isOutbound: true, endpoints: 3 });
  scene.request();
  const first = scene.connect();
  scene.respond(first, 503);
  scene.reactor.advance(200);
  const second = scene.connect();
  scene.lose(second);
  scene.reactor.advance(200);
  const third = scene.connect();
  scene.respond(third, 200);
  const [{ reason, spans }] = recordsIn(scene) as [ReturnType<typeof recordsIn>[number]];
  t.equal(reason, SamplingReason.retry);
  for (const connection of [first, second, third]) t.same(toldTo(connection), [spans[0]!.traceId, spans[0]!.spanId]);
  t.same(
    spans[0]!.events.map(({ attributes }) => attributes),
    [
      { upstream_address: first.endpoint, 'http.response.status_code': 503 },
      { upstream_address: second.endpoint, 'error.message': 'lost' },
      { upstream_address: third.endpoint, 'http.response.status_code': 200 },
    ],
  );
});

t.test('what a route adds of traces is taken out again, and the ids stay those of the request', async (t) => {
  const fields = [
    ['traceparent', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'],
    ['tracestate', 'other=1'],
    ['b3', '0'],
    ['x-b3-parentspanid', 'b7ad6b7169203331'],
  ] as const;
  for (const [name, value] of fields) {
    const routes = [
      routeOf('/', forwardAction(), { headers: { ...noMutations, requestAdd: [addition(name, value)] } }),
    ];
    const scene = tracedScene({}, { routes });
    scene.request();
    const connection = scene.connect();
    scene.respond(connection, 500);
    const lines = connection.requestHead.split('\n').filter((line) => /^(trace|b3|x-b3)/.test(line));
    const [span] = recordsIn(scene)[0]!.spans;
    t.same(lines, [`traceparent: 00-${span!.traceId}-${span!.spanId}-02`], name);
  }
});

t.test('logs and fields that a route adds are told the ids of the line', async (t) => {
  const logged: string[] = [];
  const log = ({ info }: FormatContext) => {
    logged.push(info.trace!.traceIdText, info.trace!.spanIdText);
  };
  const headers = { ...noMutations, requestAdd: [addition('x-trace', '%TRACE_ID%')] };
  const routes = [routeOf('/', forwardAction(), { headers })];
  const scene = tracedScene({}, { routes, accessLoggers: [{ log }] });
  scene.request();
  const connection = scene.connect();
  scene.respond(connection, 200);
  t.same(logged, toldTo(connection));
  t.equal(sentField(connection.requestHead, 'x-trace'), logged[0]);
});

t.test('an attempt that fails before it has a connection is an event like any other', async (t) => {
  const routes = [
    routeOf('/', forwardAction({ retryPolicy: retryPolicy({ retryOn: ['connect-failure'], numRetries: 1 }) })),
  ];
  const scene = tracedScene({}, { routes, endpoints: 2 });
  scene.request();
  scene.refuse();
  scene.reactor.advance(200);
  const second = scene.connect();
  scene.respond(second, 200);
  const [{ spans }] = recordsIn(scene) as [ReturnType<typeof recordsIn>[number]];
  t.same([spans[0]!.traceId, spans[0]!.spanId], toldTo(second));
  t.same(
    spans[0]!.events.map(({ attributes }) => [attributes['error.message'], attributes['http.response.status_code']]),
    [
      ['no', undefined],
      [undefined, 200],
    ],
  );
});

t.test('a request that is not chosen and ends well has its line alone, and none once it is over', async (t) => {
  const scene = tracedScene();
  const { stream } = scene.request();
  const connection = scene.connect();
  t.equal(stream.trace, null);
  t.same([stream.info.trace!.traceIdText, stream.info.trace!.spanIdText], toldTo(connection));
  scene.respond(connection, 200);
  t.same([stream.trace, stream.info.trace], [null, null]);
  t.same(recordsIn(scene), []);
});

t.test('an attempt that fails before it has a connection is an event like any other', async (t) => {
  const routes = [
    routeOf('/', forwardAction({ retryPolicy: retryPolicy({ retryOn: ['connect-failure'], numRetries: 1 }) })),
  ];
  const scene = tracedScene({}, { routes, endpoints: 2 });
  const { stream } = scene.request();
  scene.refuse();
  t.equal(stream.trace!.attemptCount, 1);
  scene.reactor.advance(200);
  const second = scene.connect();
  scene.respond(second, 200);
  const [{ spans }] = recordsIn(scene) as [ReturnType<typeof recordsIn>[number]];
  t.same([spans[0]!.traceId, spans[0]!.spanId], toldTo(second));
  t.equal(spans[0]!.events.length, 2);
  t.equal(spans[0]!.events[1]!.attributes['http.response.status_code'], 200);
});

t.test('what an earlier request left is nothing of a later one', async (t) => {
  const scene = tracedScene({}, { isOutbound: true });
  const operation: [string, string] = ['x-envoy-decorator-operation', 'theirs'];
  scene.request(({ headers }) => headers.append('traceparent', `00-${'a'.repeat(32)}-${'b'.repeat(16)}-00`));
  scene.respond(scene.connect(), 503, true, [operation]);
  for (const status of [500, 200, 502]) {
    scene.request();
    scene.respond(scene.connect(), status);
  }
  const spans = recordsIn(scene).map(({ spans: [span] }) => span!);
  t.same(
    spans.map(({ name, parentSpanId, attributes }) => [name, parentSpanId, attributes['http.response.status_code']]),
    [
      ['theirs', 'b'.repeat(16), 503],
      ['GET /', '', 500],
      ['GET /', '', 502],
    ],
  );
  t.equal(new Set(spans.map(({ traceId }) => traceId)).size, 3);
});

t.test('what is not chosen and fails tells whom its connection proved', async (t) => {
  const tls = mutual('own', 'peer');
  for (const isOutbound of [false, true]) {
    const scene = tracedScene({}, { isOutbound, facts: isOutbound ? {} : { tls } });
    scene.request();
    const { endpoint, waiter } = scene.waiting.shift()!;
    const connection = Object.assign(new FakeConnection(endpoint.addressText), { tls: isOutbound ? tls : null });
    waiter.onConnectionReady(connection);
    scene.respond(connection, 500);
    const [{ attributes }] = recordsIn(scene)[0]!.spans as [RecordedSpan];
    t.match(attributes, { 'trust.transport': 'mtls', 'trust.peer_id': 'spiffe://mesh.test/sa/peer' });
    t.match(attributes['trust.chain'], /^[0-9a-f]{64}$/);
  }
});
