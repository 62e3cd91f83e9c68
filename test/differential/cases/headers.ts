// Fields between hops, unusual names, and edits that the configuration asks for.

import { allTo, bootstrap, cluster, httpListener, type Json } from '../bootstrap.ts';
import { answer, get, type Suite } from '../suite.ts';

const add = (key: string, value: string, action?: string): Json => ({
  header: { key, value },
  ...(action === undefined ? {} : { append_action: action }),
});
const actions = ['APPEND_IF_EXISTS_OR_ADD', 'ADD_IF_ABSENT', 'OVERWRITE_IF_EXISTS_OR_ADD', 'OVERWRITE_IF_EXISTS'];
const edits = (level: string): Json => ({
  request_headers_to_add: [...actions.map((action, index) => add(`x-${index}`, level, action)), add('x-level', level)],
  request_headers_to_remove: [`x-remove-${level}`],
  response_headers_to_add: [
    ...actions.map((action, index) => add(`x-back-${index}`, level, action)),
    add('x-back-level', level),
  ],
  response_headers_to_remove: [`x-back-remove-${level}`],
});
const levels = (wins: boolean): Json => ({
  name: 'levels',
  most_specific_header_mutations_wins: wins,
  virtual_hosts: [
    {
      name: 'all',
      domains: ['*'],
      routes: [{ name: 'all', match: { prefix: '/' }, route: { cluster: 'app' }, ...edits('route') }],
      ...edits('host'),
    },
  ],
  ...edits('config'),
});

const operators = [
  'PROTOCOL',
  'DOWNSTREAM_REMOTE_ADDRESS',
  'DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT',
  'DOWNSTREAM_LOCAL_ADDRESS',
  'DOWNSTREAM_LOCAL_PORT',
  'UPSTREAM_REMOTE_ADDRESS',
  'UPSTREAM_CLUSTER',
  'ROUTE_NAME',
  'REQ(X-IN)',
  'REQ(X-NONE?X-IN)',
  'REQ(X-IN):2',
  'REQ(:PATH)',
  'REQ(:METHOD)',
  'RESPONSE_CODE',
  'RESPONSE_CODE_DETAILS',
  'RESPONSE_FLAGS',
  'BYTES_RECEIVED',
  'REQUESTED_SERVER_NAME',
  'DYNAMIC_METADATA(a)',
  'VIRTUAL_CLUSTER_NAME',
  'TRACE_ID',
];
const formatted: Json = {
  ...allTo('app'),
  request_headers_to_add: [
    ...operators.map((operator, index) => add(`x-op-${index}`, `a%${operator}%b`)),
    add('x-percent', '100%%'),
  ],
  response_headers_to_add: [
    ...operators.map((operator, index) => add(`x-op-${index}`, `a%${operator}%b`)),
    add('x-resp', '%RESP(X-ORIGIN)%'),
  ],
};
const emptyKept: Json = {
  ...allTo('app'),
  request_headers_to_add: [{ header: { key: 'x-empty', value: '%REQ(X-NONE)%' }, keep_empty_value: true }],
};
const underscores = (action: string): Json => ({
  common_http_protocol_options: { headers_with_underscores_action: action },
});
const four = (name: string): string[] => [0, 1, 2, 3].map((n) => `${name}-${n}: own`);

export const headers: Suite = {
  name: 'headers',
  bootstrap: (origin) =>
    bootstrap(
      [
        httpListener('main', allTo('app')),
        httpListener('levels', levels(false)),
        httpListener('specific', levels(true)),
        httpListener('formatted', formatted),
        httpListener('drop', allTo('app'), underscores('DROP_HEADER')),
        httpListener('reject', allTo('app'), underscores('REJECT_REQUEST')),
        httpListener('keep-empty', emptyKept),
        httpListener('internal-only', { ...allTo('app'), internal_only_headers: ['x-secret'] }),
      ],
      [cluster('app', [origin])],
    ),
  cases: [
    { name: 'Connection names a field', send: get('/', 'Connection: X-Hop', 'X-Hop: 1', 'X-End: 2') },
    { name: 'Connection names two and close', send: get('/', 'Connection: X-A, close, X-B', 'X-A: 1', 'X-B: 2') },
    { name: 'Connection names host', send: get('/', 'Connection: Host') },
    {
      name: 'Connection names x-forwarded-for',
      send: get('/', 'Connection: X-Forwarded-For', 'X-Forwarded-For: 1.1.1.1'),
    },
    { name: 'Connection names a cookie', send: get('/', 'Connection: Cookie', 'Cookie: a=b') },
    { name: 'Connection names thirteen', send: get('/', `Connection: ${[...'abcdefghijklm'].join(', ')}`) },
    { name: 'Keep-Alive', send: get('/', 'Connection: keep-alive', 'Keep-Alive: timeout=5') },
    { name: 'Proxy-Connection', send: get('/', 'Proxy-Connection: keep-alive') },
    { name: 'Proxy-Connection: close', send: get('/', 'Proxy-Connection: close') },
    { name: 'Proxy-Authorization', send: get('/', 'Proxy-Authorization: Basic YQ==') },
    { name: 'TE: trailers', send: get('/', 'TE: trailers') },
    { name: 'TE: gzip', send: get('/', 'TE: gzip') },
    { name: 'TE named by Connection', send: get('/', 'Connection: TE', 'TE: trailers, gzip') },
    { name: 'Trailer', send: get('/', 'Trailer: X-Sum') },
    {
      name: 'hop-by-hop fields of a response',
      send: get('/'),
      origin: answer(
        '200 OK',
        'x',
        'Connection: keep-alive, X-Hop',
        'X-Hop: 1',
        'Keep-Alive: timeout=5',
        'Proxy-Connection: keep-alive',
        'Proxy-Authenticate: Basic',
        'Trailer: X-Sum',
      ),
    },
    { name: 'an Upgrade offered', send: get('/'), origin: answer('200 OK', 'x', 'Connection: upgrade', 'Upgrade: h2') },
    {
      name: 'two fields of one name',
      send: get('/', 'X-Two: a', 'X-Two: b'),
      origin: answer('200 OK', 'x', 'X-Two: a', 'X-Two: b'),
    },
    {
      name: 'two cookies',
      send: get('/', 'Cookie: a=1', 'Cookie: b=2'),
      origin: answer('200 OK', '', 'Set-Cookie: a', 'Set-Cookie: b'),
    },
    { name: 'two accepts', send: get('/', 'Accept: a', 'X-Between: 1', 'Accept: b') },
    { name: 'an empty value', send: get('/', 'X-Empty:'), origin: answer('200 OK', 'x', 'X-Empty:') },
    { name: 'white space around a value', send: get('/', 'X-Space: \t a b \t ') },
    { name: 'latin1 in a value', send: get('/', 'X-Latin: caf\xe9'), origin: answer('200 OK', 'x', 'X-Latin: \xe9') },
    { name: 'a name of every token character', send: get('/', "X!#$%&'*+-.^_`|~9: 1") },
    { name: 'names that objects have', send: get('/', '__proto__: x', 'constructor: y') },
    { name: 'a name with an underscore', send: get('/', 'X_Under: 1') },
    { name: 'a name with an underscore, dropped', listener: 'drop', send: get('/', 'X_Under: 1', 'X-Not: 2') },
    { name: 'a name with an underscore, refused', listener: 'reject', send: get('/', 'X_Under: 1'), expects: 'end' },
    { name: 'Content_Length', send: get('/', 'Content_Length: 0') },
    ...['levels', 'specific'].flatMap((listener) => [
      { name: `edits on ${listener}, nothing there`, listener, send: get('/') },
      {
        name: `edits on ${listener}, all there`,
        listener,
        send: get('/', ...four('X'), 'X-Remove-route: 1', 'X-Remove-host: 1', 'X-Remove-config: 1'),
        origin: answer('200 OK', 'x', ...four('X-Back'), 'X-Back-Remove-route: 1', 'X-Back-Remove-config: 1'),
      },
    ]),
    { name: 'formatted values', listener: 'formatted', send: get('/p?q', 'X-In: abc') },
    { name: 'formatted values of nothing', listener: 'formatted', send: get('/p') },
    { name: 'an empty formatted value is kept', listener: 'keep-empty', send: get('/') },
    { name: 'internal only headers', listener: 'internal-only', send: get('/', 'X-Secret: 1') },
  ],
};
