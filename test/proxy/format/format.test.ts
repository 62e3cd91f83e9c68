import fc from 'fast-check';
import t from 'tap';
import { defaultTextFormat, formatCommands, validateFormat } from '../../../config/format-commands.ts';
import { compileFormat } from '../../../proxy/format/format.ts';
import type { FormatContext } from '../../../proxy/format/format-context.ts';
import { StreamInfo } from '../../../proxy/http/stream-info.ts';
import { finishedRequest } from '../../support/format-fixtures.ts';

function written(format: string, context: FormatContext = finishedRequest()): string {
  return compileFormat(format).write(context);
}

t.test('the first of several commands writes that has something to say', (t) => {
  for (const [operators, expected] of [
    ['"FAILURE_REASON", {"command": "REQ", "param": "x-none"}, "PROTOCOL", "RESPONSE_CODE"', 'HTTP/1.1'],
    ['"RESPONSE_CODE", "PROTOCOL"', '200'],
    ['{"command": "REQ", "param": ":METHOD", "max_length": 2}', 'PO'],
    ['"FAILURE_REASON"', '-'],
  ] as const) {
    t.equal(written(`%COALESCE({"operators": [${operators}]})%`), expected);
  }
  t.equal(written('%COALESCE({"operators": ["PROTOCOL"]}):4%'), 'HTTP');
  t.equal(
    compileFormat('%COALESCE({"operators": ["RESPONSE_CODE"]})%').single?.(finishedRequest()),
    200,
    'a number in JSON',
  );
  t.end();
});

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
    ['%DOWNSTREAM_WIRE_BYTES_RECEIVED% %DOWNSTREAM_WIRE_BYTES_SENT%', '79 434'],
    ['%RESPONSE_HEADERS_BYTES% %RESPONSE_TRAILERS_BYTES%', '22 0'],
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
    ['%UPSTREAM_CLUSTER% %UPSTREAM_CLUSTER_RAW%', 'service;team=a service'],
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

const needed = new Map([
  ['METADATA', '(ROUTE:a)'],
  ['COALESCE', '({"operators": ["PROTOCOL"]})'],
  ['COMMON_DURATION', '(DS_RX_BEG:DS_TX_END:us)'],
]);

t.test('every command of the table compiles and writes something', async (t) => {
  for (const [name, rule] of formatCommands) {
    const argument = rule.arguments === 'required' ? (needed.get(name) ?? '(a)') : '';
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

t.test('no value can end the line it is written to', async (t) => {
  const context = finishedRequest();
  context.info.requestedServerName = 'a\nb\r\u007f\u0000';
  context.info.dynamicMetadata = new Map([['n', new Map([['k', 'x\ny']])]]);
  t.equal(written('%REQUESTED_SERVER_NAME% %DYNAMIC_METADATA(n:k)%', context), 'a\\x0ab\\x0d\\x7f\\x00 x\\x0ay');
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

t.test('a format that decoding should have refused does not compile', async (t) => {
  t.throws(() => compileFormat('%NO_SUCH%'), { message: 'format "%NO_SUCH%": %NO_SUCH% is not a supported command' });
});
