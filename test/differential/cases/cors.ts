// Pages of other origins: preflights, what responses say of who may read them, and levels of policies.

import { bootstrap, cluster, httpListener, type Json } from '../bootstrap.ts';
import { answer, type Case, get, post, requestOf, type Suite } from '../suite.ts';

const TYPES = 'type.googleapis.com/envoy.';
const NAME = 'envoy.filters.http.cors';
const filter = (name: string, type: string): Json => ({ name, typed_config: { '@type': `${TYPES}${type}` } });
const router = filter('envoy.filters.http.router', 'extensions.filters.http.router.v3.Router');
const manager = { http_filters: [filter(NAME, 'extensions.filters.http.cors.v3.Cors'), router] };

const policy = (fields: Json): Json => ({
  typed_per_filter_config: { [NAME]: { '@type': `${TYPES}extensions.filters.http.cors.v3.CorsPolicy`, ...fields } },
});
const disabled = {
  typed_per_filter_config: { [NAME]: { '@type': `${TYPES}config.route.v3.FilterConfig`, disabled: true } },
};
const exact = (...origins: readonly string[]) => origins.map((origin) => ({ exact: origin }));
const to = (prefix: string, more: Json = {}, action: Json = {}): Json => ({
  match: { prefix },
  route: { cluster: 'app', ...action },
  ...more,
});
const share = (numerator: number) => ({ filter_enabled: { default_value: { numerator } } });
const shared = {
  allow_origin_string_match: [...exact('http://a.example'), { safe_regex: { regex: 'https://.*\\.b\\.example' } }],
  allow_methods: 'GET,PUT',
  allow_headers: 'x-a',
  expose_headers: 'x-b',
  max_age: '60',
  allow_credentials: true,
};
const weighted = {
  weighted_clusters: { clusters: [{ name: 'app', weight: 1, ...policy({ allow_methods: 'POST' }) }] },
};

const routes: readonly Json[] = [
  to('/near', policy({ allow_methods: 'PATCH', allow_credentials: false })),
  to('/other', policy({ allow_origin_string_match: exact('http://o.example') })),
  to('/any', policy({ allow_origin_string_match: exact('*') })),
  to('/kept', policy({ forward_not_matching_preflights: false })),
  to('/private', policy({ allow_private_network_access: true })),
  to('/never', policy(share(0))),
  to('/always', policy(share(100))),
  to('/off', disabled),
  to('/adds', {
    response_headers_to_add: [
      { header: { key: 'x-route', value: '1' } },
      { header: { key: 'access-control-allow-origin', value: 'http://route' } },
    ],
  }),
  { match: { prefix: '/weighted' }, route: weighted },
  { match: { prefix: '/refused' }, route: { cluster: 'refused' } },
  { match: { prefix: '/nowhere' }, route: { cluster: 'missing' } },
  { match: { prefix: '/moved' }, redirect: { host_redirect: 'n.example' }, ...policy(shared) },
  { match: { prefix: '/said' }, direct_response: { status: 200, body: { inline_string: 'x' } }, ...policy(shared) },
  to('/'),
];
const virtualHost = { name: 'all', domains: ['a.example'], routes, ...policy(shared) };
const table = { name: 'routes', virtual_hosts: [virtualHost], validate_clusters: false };

const everyHost = (name: string, host: string, levels: Json): Json => ({
  name,
  domains: [host],
  routes: [to('/off', disabled), to('/near', policy({ allow_methods: 'PATCH' })), to('/')],
  ...levels,
});
/** The policy of the whole configuration, of which virtual hosts say something else or nothing. */
const wholeTable = {
  name: 'whole',
  virtual_hosts: [
    everyHost('plain', 'plain.example', {}),
    everyHost('own', 'own.example', policy({ allow_methods: 'POST' })),
    everyHost('off', 'off.example', disabled),
  ],
  ...policy(shared),
};

const allowed = 'Origin: http://a.example';
const other = 'Origin: http://x.example';
const asked = 'Access-Control-Request-Method: PUT';
const preflight = (path: string, ...headers: readonly string[]) => requestOf('OPTIONS', path, headers);
const paths = '/ /near /other /any /kept /private /never /always /off /adds /weighted /nowhere /moved /said';
const everywhere = paths.split(' ').flatMap((path): Case[] => [
  { name: `a preflight at ${path}`, send: preflight(path, allowed, asked) },
  { name: `a preflight of another origin at ${path}`, send: preflight(path, other, asked) },
  { name: `a request at ${path}`, send: get(path, allowed) },
  { name: `a request of another origin at ${path}`, send: get(path, other) },
]);
const own = answer(
  '200 OK',
  'x',
  'Access-Control-Allow-Origin: http://endpoint',
  'Access-Control-Allow-Credentials: false',
  'Access-Control-Expose-Headers: x-endpoint',
  'Access-Control-Allow-Methods: DELETE',
);
const wide = 'Access-Control-Request-Private-Network: true';
const upgrade = ['Connection: Upgrade', 'Upgrade: websocket'];

export const cors: Suite = {
  name: 'cors',
  bootstrap: (origin) =>
    bootstrap(
      [
        httpListener('main', table, manager),
        httpListener('without', table),
        httpListener('whole', wholeTable, manager),
      ],
      [cluster('app', [origin]), cluster('refused', [1])],
    ),
  cases: [
    ...everywhere,
    ...['plain', 'own', 'off'].flatMap((name) =>
      ['/', '/near', '/off'].map((path) => ({
        name: `a preflight at ${path} of ${name}, with a policy of the whole table`,
        listener: 'whole',
        send: preflight(path, `Host: ${name}.example`, allowed, asked),
      })),
    ),
    { name: 'a preflight without the filter', listener: 'without', send: preflight('/', allowed, asked) },
    { name: 'an origin of a pattern', send: get('/', 'Origin: https://x.b.example') },
    { name: 'an origin that a pattern begins with', send: get('/', 'Origin: https://x.b.example.evil') },
    { name: 'an origin in another case', send: get('/', 'Origin: HTTP://A.EXAMPLE') },
    { name: 'an origin that is null', send: get('/any', 'Origin: null') },
    { name: 'an empty origin', send: get('/any', 'Origin:') },
    { name: 'two origins, the first allowed', send: preflight('/', allowed, other, asked) },
    { name: 'two origins, the second allowed', send: preflight('/', other, allowed, asked) },
    { name: 'OPTIONS that asks for no method', send: preflight('/', allowed) },
    { name: 'OPTIONS that asks for an empty method', send: preflight('/', allowed, 'Access-Control-Request-Method:') },
    { name: 'OPTIONS without an origin', send: preflight('/', asked) },
    { name: 'GET that asks for a method', send: get('/', allowed, asked) },
    { name: 'HEAD', send: requestOf('HEAD', '/', [allowed]) },
    { name: 'what the endpoint says, to an allowed origin', send: get('/', allowed), origin: own },
    { name: 'what the endpoint says, to another', send: get('/', other), origin: own },
    { name: 'what the endpoint says, without credentials', send: get('/near', allowed), origin: own },
    { name: 'a wider network', send: preflight('/private', allowed, asked, wide) },
    { name: 'a wider network that is not allowed', send: preflight('/', allowed, asked, wide) },
    { name: 'a wider network of another origin', send: preflight('/private', other, asked, wide) },
    { name: 'a request behind a preflight', send: [preflight('/', allowed, asked), get('/', allowed)], expects: 2 },
    { name: 'a refused connection', send: get('/refused', allowed) },
    { name: 'POST', send: post('/', 'body', allowed) },
    { name: 'an upgrade that no route allows', send: get('/', allowed, ...upgrade) },
    { name: 'no virtual host', send: get('/', allowed, 'Host: other.example') },
  ],
};
