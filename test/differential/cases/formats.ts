// What every command of format strings writes that the other suites do not log, as text in lines and as typed values.

import {
  accessLogOf,
  allTo,
  bootstrap,
  cluster,
  httpListener,
  httpManager,
  type Json,
  listener,
  logFields,
  tcpProxy,
} from '../bootstrap.ts';
import { answer, get, post, type Suite } from '../suite.ts';

/** Equal whatever the request takes and however large its head is: also in a reply of ours, where they keep their type. */
const plainFields = [
  'ACCESS_LOG_TYPE',
  'BYTES_RETRANSMITTED',
  'CUSTOM_FLAGS',
  'DOWNSTREAM_DETECTED_CLOSE_TYPE',
  'DOWNSTREAM_DIRECT_LOCAL_ADDRESS_ENDPOINT_ID',
  'DOWNSTREAM_DIRECT_LOCAL_ADDRESS_WITHOUT_PORT',
  'DOWNSTREAM_DIRECT_LOCAL_PORT',
  'DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT(9)',
  'DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID',
  'DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT(33)',
  'DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT(0)',
  'FILTER_STATE(a)',
  'FILTER_STATE(a:PLAIN)',
  'FILTER_STATE(upstream_peer:FIELD:workload)',
  'LISTENER_NAME',
  'METADATA(LISTENER:a:text)',
  'METADATA(LISTENER:a):6',
  'METADATA(LISTENER_FILTER_CHAIN:a)',
  'METADATA(LISTENER_FILTER_CHAIN:b)',
  'METADATA(VIRTUAL_HOST:a:number)',
  'METADATA(ROUTE:a:list)',
  'METADATA(CLUSTER:a)',
  'PACKETS_RETRANSMITTED',
  'PATH',
  'PATH(NQ)',
  'PATH(WQ:ORIG)',
  'PATH(NQ:PATH):5',
  'PATH(:ORIG_OR_PATH)',
  'QUERY_PARAM(a)',
  'QUERY_PARAM(b)',
  'QUERY_PARAM(c):2',
  'QUERY_PARAMS',
  'QUERY_PARAMS(ORIG):4',
  'QUERY_PARAMS(DECODED)',
  'REQUEST_HEADER(X-NONE?X-IN)',
  'REQUEST_HEADER(X-IN):2',
  'RESPONSE_HEADER(X-NONE?X-OUT)',
  'RESPONSE_TRAILER(X-SUM)',
  'STREAM_INFO_REQ(X-IN)',
  'RESPONSE_CODE_DETAILS(ALLOW_WHITESPACES)',
  'RESPONSE_TRAILERS_BYTES',
  'ROUNDTRIP_DURATION',
  'TLS_JA3_FINGERPRINT',
  'TLS_JA4_FINGERPRINT',
  'UNIQUE_ID',
  'UPSTREAM_CONNECTION_IDS_ATTEMPTED',
  'UPSTREAM_DETECTED_CLOSE_TYPE',
  'UPSTREAM_FILTER_STATE(a)',
  'UPSTREAM_HOSTS_ATTEMPTED',
  'UPSTREAM_HOSTS_ATTEMPTED_WITHOUT_PORT',
  'UPSTREAM_HOST_NAME',
  'UPSTREAM_HOST_NAMES_ATTEMPTED',
  'UPSTREAM_HOST_NAMES_ATTEMPTED_WITHOUT_PORT',
  'UPSTREAM_HOST_NAME_WITHOUT_PORT',
  'UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT(16)',
  'UPSTREAM_REMOTE_ADDRESS_ENDPOINT_ID',
  'COALESCE({"operators":["UPSTREAM_TRANSPORT_FAILURE_REASON",{"command":"REQ","param":"x-none"},"ROUTE_NAME","PROTOCOL"]})',
  'COALESCE({"operators":[{"command":"REQ","param":":METHOD","max_length":2},"PROTOCOL"]})',
  'COALESCE({"operators":["UPSTREAM_HOST","UPSTREAM_CLUSTER"]}):4',
  'COALESCE({"operators":["RESPONSE_FLAGS","RESPONSE_CODE"]})',
  'COALESCE({"operators":["ROUTE_NAME",{"command":"RESP","param":"x-none"}]})',
];

/** Numbers that are chance; whether there is one is not. */
const measured = [
  'COMMON_DURATION(DS_RX_BEG:DS_RX_END:ms)',
  'COMMON_DURATION(DS_RX_BEG:US_TX_BEG:us)',
  'COMMON_DURATION(DS_RX_BEG:US_TX_END:us)',
  'COMMON_DURATION(DS_RX_BEG:US_RX_BEG:ns)',
  'COMMON_DURATION(DS_RX_BEG:US_RX_END:us)',
  'COMMON_DURATION(DS_RX_BEG:DS_TX_BEG:us)',
  'COMMON_DURATION(DS_RX_BEG:DS_TX_END:us)',
  'COMMON_DURATION(DS_CX_BEG:DS_CX_END:us)',
  'UPSTREAM_CONNECTION_ID',
  'UPSTREAM_CONNECTION_POOL_READY_DURATION',
  'START_TIME_LOCAL',
  'START_TIME_LOCAL(%H:%M:%S %z)',
  'EMIT_TIME',
  'EMIT_TIME(%s.%6f)',
  'EMIT_TIME_LOCAL',
];

const logged = [...plainFields, ...measured];
const access_log = accessLogOf([...logFields, ...logged]);

const typed: Json = {
  local_reply_config: {
    body_format: { json_format: Object.fromEntries([...plainFields].sort().map((field) => [field, `%${field}%`])) },
  },
};

/** Of everything that can have any. */
const metadata: Json = {
  filter_metadata: { a: { text: 'é "x"', number: 3, list: [1, 'x', true, null], object: { b: 0.5 } } },
};

const hostRoutes: readonly Json[] = [
  { match: { prefix: '/rewritten' }, route: { cluster: 'app', prefix_rewrite: '/new' } },
  { match: { prefix: '/dead' }, route: { cluster: 'dead' } },
  { match: { prefix: '/own' }, metadata, direct_response: { status: 404 } },
  {
    match: { prefix: '/again' },
    route: { cluster: 'app', retry_policy: { retry_on: '5xx', num_retries: 1 } },
  },
  { match: { prefix: '/' }, route: { cluster: 'app' } },
];
const routes: Json = { virtual_hosts: [{ name: 'all', domains: ['*'], metadata, routes: hostRoutes }] };

/** A listener and a filter chain that have metadata, too. */
function described(filter: Json): Json {
  return { metadata, filter_chains: [{ filters: [filter], metadata }] };
}

const query = '?a=%41%2bx+y&b=%zz&c&a=2&%64=1&e=%2F%3d%26&u=%C3%A9&%25=%7F%7e%20%21';

export const formats: Suite = {
  name: 'formats',
  moreLogFields: logged,
  bootstrap: (origin) =>
    bootstrap(
      [
        httpListener('main', routes, {}, described(httpManager('main', routes, { access_log }))),
        httpListener('typed', routes, {}, described(httpManager('typed', routes, { access_log, ...typed }))),
        httpListener('trailers', allTo('trailers'), {
          access_log,
          http_protocol_options: { enable_trailers: true },
        }),
        listener('tcp', tcpProxy('tcp', { cluster: 'app', access_log })),
      ],
      [
        cluster('app', [origin], { metadata }),
        cluster('dead', [1]),
        cluster('trailers', [origin], {
          typed_extension_protocol_options: {
            'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
              '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
              explicit_http_config: { http_protocol_options: { enable_trailers: true } },
            },
          },
        }),
      ],
    ),
  cases: [
    { name: 'a request', send: get('/', 'X-In: abc') },
    { name: 'an answer with the field', send: get('/'), origin: answer('200 OK', 'x', 'X-Out: 1') },
    { name: 'a body', send: post('/', 'abc') },
    { name: 'a query', send: get(`/p${query}`) },
    { name: 'an empty query', send: get('/p?') },
    { name: 'a rewritten path', send: get(`/rewritten/p${query}`) },
    { name: 'an endpoint that is not there', send: get('/dead') },
    { name: 'an answer of the proxy', send: get('/own') },
    {
      name: 'a second attempt',
      send: get('/again'),
      origin: [{ onEnd: answer('500 No') }, { onEnd: answer('200 OK') }],
    },
    { name: 'typed values of an answer of the proxy', listener: 'typed', send: get(`/own${query}`, 'X-In: abc') },
    { name: 'typed values where there is no endpoint', listener: 'typed', send: get('/dead') },
    {
      name: 'trailers',
      listener: 'trailers',
      send: get('/'),
      origin: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-Sum: 12\r\n\r\n',
    },
    { name: 'a TCP connection', listener: 'tcp', send: 'hello', isTcp: true, clientHalfCloses: true, expects: 'end' },
    {
      name: 'a TCP connection that its client resets',
      listener: 'tcp',
      send: 'hello',
      isTcp: true,
      clientResets: true,
    },
    {
      name: 'a TCP connection that the endpoint resets',
      listener: 'tcp',
      send: 'hello',
      isTcp: true,
      origin: [{ ending: 'reset' }],
      expects: 'end',
    },
  ],
};
