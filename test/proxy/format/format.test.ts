import fc from 'fast-check';
import t from 'tap';
import { defaultTextFormat, formatCommands, parseFormat, validateFormat } from '../../../config/format-commands.ts';
import { compileFormat } from '../../../proxy/format/format.ts';
import type { FormatContext } from '../../../proxy/format/format-context.ts';
import { HeaderTable } from '../../../proxy/http/header-table.ts';
import { ResponseFlag, StreamInfo } from '../../../proxy/http/stream-info.ts';
import { request, response } from '../../support/route-fixtures.ts';

function finishedRequest(): FormatContext {
  const info = new StreamInfo();
  Object.assign(info, {
    startWallMs: Date.UTC(2026, 10, 21, 12, 43, 25, 7),
    startedAtMs: 1000,
    requestEndAtMs: 1002.9,
    upstreamRequestEndAtMs: 1003,
    responseHeadAtMs: 1010,
    endedAtMs: 1015.5,
    protocol: 'HTTP/1.1',
    responseCode: 200,
    responseCodeDetails: 'via_upstream',
    requestBodyBytes: 12,
    responseBodyBytes: 345,
    requestHeaderBytes: 67,
    responseHeaderBytes: 89,
    upstreamBytesSent: 79,
    upstreamBytesReceived: 434,
    connectionId: 42,
    requestId: 'id-1',
    attemptCount: 2,
    downstreamRemoteAddress: '10.0.0.3:51234',
    downstreamDirectRemoteAddress: '[fd00::3]:51235',
    downstreamLocalAddress: '10.0.0.2:80',
    upstreamRemoteAddress: '10.0.0.7:8080',
    upstreamLocalAddress: '10.0.0.2:40000',
    upstreamHostname: 'pod-7',
    upstreamCluster: 'service',
    routeName: 'all',
    virtualHostName: 'shop',
    filterChainName: 'plain',
  });
  return {
    info,
    request: request({
      method: 'POST',
      path: '/new?q',
      headers: [
        ['User-Agent', 'curl "8"'],
        ['X-A', '1'],
        ['x-a', '2'],
      ],
    }),
    response: response(200, [['Server', 'origin']]),
    responseTrailers: null,
    localReplyBody: '',
  };
}

function written(format: string, context: FormatContext = finishedRequest()): string {
  return compileFormat(format).write(context);
}

t.test('every command writes its part', async (t) => {
  for (const [format, expected] of [
    ['%START_TIME%', '2026-11-21T12:43:25.007Z'],
    ['%PROTOCOL%', 'HTTP/1.1'],
    ['%UPSTREAM_PROTOCOL%', 'HTTP/1.1'],
    ['%RESPONSE_CODE%', '200'],
    ['%RESPONSE_CODE_DETAILS%', 'via_upstream'],
    ['%RESPONSE_FLAGS%', '-'],
    ['%RESPONSE_FLAGS_LONG%', '-'],
    ['%CONNECTION_TERMINATION_DETAILS%', '-'],
    ['%FAILURE_REASON%', '-'],
    ['%BYTES_RECEIVED% %BYTES_SENT%', '12 345'],
    ['%REQUEST_HEADERS_BYTES% %RESPONSE_HEADERS_BYTES%', '67 89'],
    ['%DOWNSTREAM_HEADER_BYTES_RECEIVED% %DOWNSTREAM_HEADER_BYTES_SENT%', '67 89'],
    ['%UPSTREAM_WIRE_BYTES_SENT% %UPSTREAM_WIRE_BYTES_RECEIVED%', '79 434'],
    ['%DURATION%', '15'],
    ['%REQUEST_DURATION%', '2'],
    ['%REQUEST_TX_DURATION%', '3'],
    ['%RESPONSE_DURATION%', '10'],
    ['%RESPONSE_TX_DURATION%', '5'],
    ['%DOWNSTREAM_REMOTE_ADDRESS%', '10.0.0.3:51234'],
    ['%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %DOWNSTREAM_REMOTE_PORT%', '10.0.0.3 51234'],
    ['%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%', '[fd00::3]:51235'],
    ['%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT% %DOWNSTREAM_DIRECT_REMOTE_PORT%', 'fd00::3 51235'],
    ['%DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_DIRECT_LOCAL_ADDRESS%', '10.0.0.2:80 10.0.0.2:80'],
    ['%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT% %DOWNSTREAM_LOCAL_PORT%', '10.0.0.2 80'],
    ['%UPSTREAM_HOST% %UPSTREAM_REMOTE_ADDRESS%', '10.0.0.7:8080 10.0.0.7:8080'],
    ['%UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %UPSTREAM_REMOTE_PORT%', '10.0.0.7 8080'],
    ['%UPSTREAM_LOCAL_ADDRESS%', '10.0.0.2:40000'],
    ['%UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT% %UPSTREAM_LOCAL_PORT%', '10.0.0.2 40000'],
    ['%UPSTREAM_HOST_NAME%', 'pod-7'],
    ['%UPSTREAM_CLUSTER% %UPSTREAM_CLUSTER_RAW%', 'service service'],
    ['%UPSTREAM_REQUEST_ATTEMPT_COUNT%', '2'],
    ['%UPSTREAM_TRANSPORT_FAILURE_REASON%', '-'],
    ['%ROUTE_NAME% %VIRTUAL_HOST_NAME% %VIRTUAL_CLUSTER_NAME% %FILTER_CHAIN_NAME%', 'all shop - plain'],
    ['%REQUESTED_SERVER_NAME%', '-'],
    ['%CONNECTION_ID% %STREAM_ID%', '42 id-1'],
    ['%TRACE_ID%', '-'],
    ['%DOWNSTREAM_TLS_VERSION% %DOWNSTREAM_TLS_CIPHER% %DOWNSTREAM_PEER_URI_SAN%', '- - -'],
    ['%REQ(:METHOD)% %REQ(:PATH)% %REQ(:AUTHORITY)% %REQ(:SCHEME)%', 'POST /new?q shop.example http'],
    ['%REQ(user-agent)%', 'curl "8"'],
    ['%REQ(X-A)%', '1'],
    ['%REQ(X-NO)% %REQ(X-NO?X-A)% %REQ(X-NO?X-NO2)%', '- 1 -'],
    ['%REQ(USER-AGENT):4%|%REQ(X-A):9%|%REQ(X-NO):1%', 'curl|1|-'],
    ['%RESP(server)% %RESP(:STATUS)% %RESP(x)%', 'origin 200 -'],
    ['%TRAILER(x)%', '-'],
    ['%GRPC_STATUS%', '-'],
    ['100%% of %RESPONSE_CODE%%%', '100% of 200%'],
    ['', ''],
  ] as const) {
    t.equal(written(format), expected, format);
  }
});

t.test('every command of the table compiles and writes something', async (t) => {
  for (const [name, rule] of formatCommands) {
    const argument = rule.arguments === 'required' ? (name === 'METADATA' ? '(ROUTE:a)' : '(a)') : '';
    const format = `%${name}${argument}%`;
    t.same(validateFormat(format), [], format);
    t.type(written(format), 'string');
  }
});

t.test('what did not happen is a dash, or nothing when empty values are omitted', async (t) => {
  const info = new StreamInfo();
  const context = { ...finishedRequest(), info, request: null, response: null };
  const format = '%DURATION%|%REQ(a)%|%RESP(a)%|%UPSTREAM_HOST%|%DOWNSTREAM_REMOTE_PORT%|%PROTOCOL%|%RESPONSE_CODE%';
  t.equal(written(format, context), '-|-|-|-|-|-|0');
  t.equal(compileFormat(format, { omitEmptyValues: true }).write(context), '||||||0');
});

t.test('the default format is the one of Envoy, with the path before rewriting', async (t) => {
  const context = finishedRequest();
  context.request!.headers.append('x-envoy-original-path', '/old?q');
  t.equal(
    written(defaultTextFormat, context),
    '[2026-11-21T12:43:25.007Z] "POST /old?q HTTP/1.1" 200 - 12 345 15 - "-" "curl "8"" "-" "shop.example" "10.0.0.7:8080"\n',
  );
});

t.test('response flags are listed in the order of their bits, short and long', async (t) => {
  const context = finishedRequest();
  context.info.responseFlags = ResponseFlag.upstreamRetryLimitExceeded | ResponseFlag.upstreamConnectionFailure;
  t.equal(written('%RESPONSE_FLAGS%', context), 'UF,URX');
  t.equal(written('%RESPONSE_FLAGS_LONG%', context), 'UpstreamConnectionFailure,UpstreamRetryLimitExceeded');
});

t.test('the gRPC status comes from the trailers, or from the head', async (t) => {
  const context = finishedRequest();
  context.response = response(200, [['grpc-status', '5']]);
  t.equal(written('%GRPC_STATUS% %GRPC_STATUS(SNAKE_STRING)% %GRPC_STATUS_NUMBER%', context), 'NotFound NOT_FOUND 5');
  context.responseTrailers = new HeaderTable();
  context.responseTrailers.append('grpc-status', '0');
  t.equal(written('%GRPC_STATUS% %GRPC_STATUS(NUMBER)% %TRAILER(grpc-status)%', context), 'OK 0 0');
  context.responseTrailers.set({ text: 'grpc-status', bytes: Buffer.from('grpc-status'), id: 29 }, '99');
  t.equal(written('%GRPC_STATUS%', context), '99');
});

t.test('metadata is read by namespace and path, and never from a prototype', async (t) => {
  const context = finishedRequest();
  context.info.routeMetadata = { istio: { a: { b: ['x', 1] }, text: 'é', n: 7 } };
  context.info.clusterMetadata = { c: { v: true } };
  context.info.endpointMetadata = { e: { zone: 'z1' } };
  context.info.dynamicMetadata = new Map([['ns', new Map<string, unknown>([['k', { deep: 'value' }]])]]);
  for (const [format, expected] of [
    ['%METADATA(ROUTE:istio:a:b)%', '["x",1]'],
    ['%METADATA(ROUTE:istio:text)%', '\u00c3\u00a9'],
    ['%METADATA(ROUTE:istio:n)%', '7'],
    ['%METADATA(ROUTE:istio:no:b)%', '-'],
    ['%METADATA(ROUTE:istio:constructor:name)%', '-'],
    ['%METADATA(ROUTE:constructor)%', '-'],
    ['%METADATA(CLUSTER:c:v)% %CLUSTER_METADATA(c)%', 'true {"v":true}'],
    ['%METADATA(UPSTREAM_HOST:e:zone)% %UPSTREAM_METADATA(e:zone)%', 'z1 z1'],
    ['%DYNAMIC_METADATA(ns:k:deep)% %DYNAMIC_METADATA(ns)%', 'value {"k":{"deep":"value"}}'],
    ['%DYNAMIC_METADATA(ns:k:deep):3% %METADATA(DYNAMIC:ns:x)%', 'val -'],
  ] as const) {
    t.equal(written(format, context), expected, format);
  }
});

t.test('no value can end the line it is written to', async (t) => {
  const context = finishedRequest();
  context.info.requestedServerName = 'a\nb\r\u007f\u0000';
  context.info.dynamicMetadata = new Map([['n', new Map([['k', 'x\ny']])]]);
  t.equal(written('%REQUESTED_SERVER_NAME% %DYNAMIC_METADATA(n:k)%', context), 'a\\x0ab\\x0d\\x7f\\x00 x\\x0ay');
});

t.test('the trace id is the one of the W3C header', async (t) => {
  const context = finishedRequest();
  context.request!.headers.append('traceparent', '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01');
  t.equal(written('%TRACE_ID%', context), '4bf92f3577b34da6a3ce929d0e0e4736');
});

t.test('the environment is read once', async (t) => {
  process.env['OUTRIGGER_FORMAT_TEST'] = 'blue';
  const format = compileFormat('%ENVIRONMENT(OUTRIGGER_FORMAT_TEST):2% %ENVIRONMENT(OUTRIGGER_NO_SUCH)%');
  delete process.env['OUTRIGGER_FORMAT_TEST'];
  t.equal(format.write(finishedRequest()), 'bl -');
});

t.test('what is wrong with a format is said in a sentence', async (t) => {
  for (const [format, message] of [
    ['%NO_SUCH%', '%NO_SUCH% is not a supported command'],
    ['%FILTER_STATE(x)%', '%FILTER_STATE% is not a supported command'],
    ['%PROTOCOL(x)%', '%PROTOCOL% takes no argument'],
    ['%PROTOCOL:3%', '%PROTOCOL% takes no length'],
    ['%REQ%', '%REQ% needs an argument'],
    ['%REQ()%', '%REQ% needs an argument'],
    ['%REQ(a?b?c)%', '%REQ(a?b?c)% may name one alternative header'],
    ['%REQ(a\nb)%', '%REQ()% may not hold line breaks'],
    ['%GRPC_STATUS(x)%', '%GRPC_STATUS(x)% must be CAMEL_STRING, SNAKE_STRING or NUMBER'],
    ['%METADATA(X:a)%', '%METADATA(X:a)% must begin with DYNAMIC, CLUSTER, ROUTE or UPSTREAM_HOST'],
    ['at 100% now', 'position 6: % must begin a command such as %PROTOCOL% or be written %%'],
    ['%REQ(a%', 'position 0: % must begin a command such as %PROTOCOL% or be written %%'],
    ['%', 'position 0: % must begin a command such as %PROTOCOL% or be written %%'],
  ] as const) {
    t.same(validateFormat(format), [message], format);
    t.throws(() => compileFormat(format), { message: /format/ });
  }
});

t.test('any text is either refused or written, and never throws in between', async () => {
  const piece = fc.constantFrom(
    '%',
    '%%',
    'REQ',
    '(',
    ')',
    ':',
    '3',
    'x?y',
    'PROTOCOL',
    '%PROTOCOL%',
    '%REQ(a)%',
    '\n',
    'é',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const text = pieces.join('');
      const valid = validateFormat(text).length === 0;
      return !valid || typeof written(text) === 'string';
    }),
    { numRuns: 2000 },
  );
});

t.test('literal text survives escaping', async () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const { pieces, errors } = parseFormat(text.replaceAll('%', '%%'));
      return errors.length === 0 && pieces.join('') === text;
    }),
  );
});
