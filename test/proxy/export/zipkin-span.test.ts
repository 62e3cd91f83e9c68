import fc from 'fast-check';
import t from 'tap';
import { readSpan } from '../../../proxy/export/span-view.ts';
import { zipkinSpanField } from '../../../proxy/export/zipkin-protobuf.ts';
import { zipkinEndpoint, zipkinSpan } from '../../../proxy/export/zipkin-span.ts';
import { encodeSpan, type SpanShape, someTraceId } from '../../support/span-fixtures.ts';
import { decodeZipkin, zipkinProblems } from '../../support/zipkin-collector.ts';

const local = zipkinEndpoint('reviews', '10.0.0.1', 0);
const convert = (shape: SpanShape, isShared = false) => zipkinSpan(readSpan(encodeSpan(shape))!, local, isShared);

t.test('a span of a request as Zipkin has it, with the names of Envoy', (t) => {
  const span = convert({
    parentSpanId: '00f067aa0ba902b7',
    startNs: 1_760_000_000_123_456_789n,
    endNs: 1_760_000_000_135_456_789n,
    events: [{ name: 'upstream_attempt', timeNs: 1_760_000_000_124_000_000n }],
    attributes: {
      'http.request.method': 'GET',
      'http.response.status_code': 503,
      'http.request.body.size': 3,
      'http.response.body.size': 4,
      'url.scheme': 'http',
      'url.path': '/a',
      'url.query': 'b=c',
      'server.address': 'reviews',
      'server.port': 9080,
      'client.address': '10.0.0.9',
      'network.peer.address': '10.0.0.2',
      'network.peer.port': 40_000,
      'network.protocol.version': '1.1',
      'user_agent.original': 'curl',
      'guid:x-request-id': 'id',
      'sampling.reason': 'error',
    },
    error: 'no healthy endpoint',
  });
  t.same(JSON.parse(JSON.stringify(span)), {
    traceId: someTraceId,
    id: 'b7ad6b7169203331',
    parentId: '00f067aa0ba902b7',
    kind: 'SERVER',
    name: 'GET /a',
    timestamp: 1_760_000_000_123_456,
    duration: 12_000,
    localEndpoint: { serviceName: 'reviews', ipv4: '10.0.0.1' },
    remoteEndpoint: { ipv4: '10.0.0.2', port: 40_000 },
    annotations: [{ timestamp: 1_760_000_000_124_000, value: 'upstream_attempt' }],
    tags: {
      'http.method': 'GET',
      'http.status_code': '503',
      'http.url': 'http://reviews:9080/a?b=c',
      'http.protocol': 'HTTP/1.1',
      request_size: '3',
      response_size: '4',
      user_agent: 'curl',
      'peer.address': '10.0.0.9',
      'guid:x-request-id': 'id',
      'sampling.reason': 'error',
      error: 'true',
      'error.message': 'no healthy endpoint',
    },
  });
  t.end();
});

t.test('an attempt is a client, a shared span says so, and a 64-bit trace id stays one', (t) => {
  const attempt = { 'url.full': 'http://a/b', upstream_address: '10.0.0.2:80', 'http.request.resend_count': 1 };
  t.match(convert({ kind: 3, attributes: attempt }), {
    kind: 'CLIENT',
    tags: { 'http.url': 'http://a/b', 'peer.address': '10.0.0.2:80', 'retry.count': '1' },
  });
  t.equal(convert({}, true).shared, true);
  t.notOk('shared' in convert({}));
  t.equal(convert({ traceId: '0000000000000000463ac35c9f6413ad' }).traceId, '463ac35c9f6413ad');
  t.notOk('kind' in convert({ kind: 1 }));
  t.end();
});

t.test('what takes no time takes one microsecond', (t) => {
  t.equal(convert({ startNs: 5_000n, endNs: 5_999n }).duration, 1);
  t.equal(convert({ startNs: 5_000n, endNs: 1_000n }).duration, 1);
  t.end();
});

t.test('addresses: IPv6, and what is no address', (t) => {
  t.match(convert({ attributes: { 'network.peer.address': '2001:db8::1' } }).remoteEndpoint, { ipv6: '2001:db8::1' });
  t.notOk('remoteEndpoint' in convert({ attributes: { 'network.peer.address': '/run/a.sock' } }));
  t.match(convert({ attributes: { 'url.scheme': 'http', 'url.path': '/', 'server.address': '::1' } }).tags, {
    'http.url': 'http://[::1]/',
  });
  t.end();
});

t.test('a tag may be called anything', (t) => {
  const { tags } = convert({ attributes: { ['__proto__']: 'a', constructor: 'b' } });
  t.same(Object.entries(tags!), [
    ['__proto__', 'a'],
    ['constructor', 'b'],
  ]);
  t.end();
});

t.test('every span is one by the rules of the API, in both forms alike', (t) => {
  const hex = (digits: number) =>
    fc.string({ unit: fc.constantFrom(...'123456789abcdef'), minLength: digits, maxLength: digits });
  const shape = fc.record({
    traceId: hex(32),
    spanId: hex(16),
    parentSpanId: fc.oneof(fc.constant(''), hex(16)),
    name: fc.string({ minLength: 1 }),
    kind: fc.constantFrom(2, 3),
    startNs: fc.bigInt({ min: 946_684_800_000_000_000n, max: 4_102_444_799_000_000_000n }),
    attributes: fc.dictionary(fc.string({ minLength: 1 }), fc.oneof(fc.string(), fc.integer(), fc.boolean())),
    events: fc.array(fc.record({ name: fc.string({ minLength: 1 }), timeNs: fc.constant(1_760_000_000_000_000_000n) })),
  });
  fc.assert(
    fc.property(shape, fc.boolean(), (shape, isShared) => {
      const span = convert(shape, isShared);
      const json = JSON.parse(JSON.stringify(span));
      t.same(zipkinProblems(json), []);
      const [decoded] = decodeZipkin(zipkinSpanField(span));
      // Empty maps are not there at all.
      const { tags: decodedTags = {}, ...decodedRest } = decoded!;
      const { tags, ...rest } = json;
      t.same(decodedRest, rest);
      t.same(decodedTags, tags);
    }),
    { numRuns: 100 },
  );
  t.end();
});

t.test('an address of IPv4 within IPv6 is one of IPv4, and an interface is nobody’s business', (t) => {
  const endpoint = (address: string) => zipkinEndpoint('', address, 80);
  t.same(endpoint('::ffff:10.0.0.2'), { ipv4: '10.0.0.2', port: 80 });
  t.same(endpoint('fe80::1%eth0'), { ipv6: 'fe80::1', port: 80 });
  t.same(endpoint('::ffff:a00:2'), { ipv6: '::ffff:a00:2', port: 80 });
  for (const none of ['', '10.0.0', '10.0.0.256', ':', 'a:b', 'localhost']) t.same(endpoint(none), { port: 80 }, none);
  t.end();
});

t.test('the rules find what is wrong', (t) => {
  const right = convert({ parentSpanId: '00f067aa0ba902b7' });
  t.same(zipkinProblems(right), []);
  const at = right.timestamp;
  const endpointsThatAreNone = [
    { ipv4: '10.0.0.256' },
    { ipv4: '::1' },
    { ipv6: '10.0.0.1' },
    { ipv6: '::ffff:10.0.0.1' },
    { ipv6: 'fe80::1%eth0' },
    { port: 0 },
    { port: 65_536 },
    { port: '80' },
    { serviceName: '' },
    { serviceName: 7 },
    { service_name: 'a' },
    'reviews',
  ];
  for (const wrong of [
    ...[
      'ABC',
      '',
      '0'.repeat(16),
      '0'.repeat(32),
      'a'.repeat(15),
      'a'.repeat(17),
      'a'.repeat(33),
      'A'.repeat(32),
      7,
    ].map((traceId) => ({ traceId })),
    ...['', '0'.repeat(16), 'a'.repeat(15), 'a'.repeat(17), 'a'.repeat(32), 'G'.repeat(16)].flatMap((id) => [
      { id },
      { parentId: id },
    ]),
    ...[1.5, 0, -1, at / 1000, at * 1000, String(at)].map((timestamp) => ({ timestamp })),
    ...[0, -1, 0.5, '1'].map((duration) => ({ duration })),
    ...['INTERNAL', 'client', '', 2].map((kind) => ({ kind })),
    ...endpointsThatAreNone.flatMap((endpoint) => [{ localEndpoint: endpoint }, { remoteEndpoint: endpoint }]),
    ...[{ a: 1 }, { a: null }, { a: true }, 'a'].map((tags) => ({ tags })),
    ...[{ timestamp: at }, { timestamp: at / 1000, value: 'a' }, { timestamp: at, value: 'a', more: 1 }].map(
      (each) => ({
        annotations: [each],
      }),
    ),
    { annotations: {} },
    { shared: 'true' },
    { debug: 1 },
    { name: '' },
    { name: 1 },
    { more: 1 },
  ]) {
    t.equal(zipkinProblems({ ...right, ...wrong }).length, 1, JSON.stringify(wrong));
  }
  for (const missing of ['traceId', 'id']) {
    const { [missing]: _, ...rest } = { ...right } as Record<string, unknown>;
    t.same(zipkinProblems(rest), [`${missing} is missing`]);
  }
  t.end();
});
