// Redirects of the origin that are followed in place of the client.

import { allTo, bootstrap, cluster, httpListener, type Json } from '../bootstrap.ts';
import type { OriginStep } from '../recording-origin.ts';
import { answer, type Case, get, post, requestOf, type Suite } from '../suite.ts';

const predicates = 'type.googleapis.com/envoy.extensions.internal_redirect';
const previousRoutes = {
  name: 'p',
  typed_config: { '@type': `${predicates}.previous_routes.v3.PreviousRoutesConfig` },
};
const safe = { name: 's', typed_config: { '@type': `${predicates}.safe_cross_scheme.v3.SafeCrossSchemeConfig` } };
const listed = (...names: readonly string[]): Json => ({
  name: 'l',
  typed_config: {
    '@type': `${predicates}.allow_listed_routes.v3.AllowListedRoutesConfig`,
    allowed_route_names: names,
  },
});

const to = (name: string, prefix: string, policy: Json | undefined, more: Json = {}): Json => ({
  name,
  match: { prefix },
  route: { cluster: 'app', ...(policy && { internal_redirect_policy: policy }), ...more },
});
const all = { redirect_response_codes: [301, 302, 303, 307, 308] };
const hosts: readonly Json[] = [
  {
    name: 'a',
    domains: ['a.example'],
    routes: [
      to('one', '/one', {}),
      to('three', '/three', { max_internal_redirects: 3 }),
      to('none', '/none', { max_internal_redirects: 0 }),
      to('codes', '/codes', all),
      to('odd', '/odd', { redirect_response_codes: [200, 301] }),
      to('cross', '/cross', { allow_cross_scheme_redirect: true }),
      to('safe', '/safe', { allow_cross_scheme_redirect: true, predicates: [safe] }),
      to('listed', '/listed', { predicates: [listed('there', 'copied')] }),
      to('previous', '/previous', { max_internal_redirects: 5, predicates: [previousRoutes] }),
      to('copying', '/copying', { response_headers_to_copy: ['X-Copied', 'x-cleared'] }),
      to('rewritten', '/rewritten', {}, { prefix_rewrite: '/re', host_rewrite_literal: 're.example' }),
      to('retried', '/retried', {}, { retry_policy: { retry_on: 'retriable-4xx' } }),
      to('plain', '/plain', undefined),
      { name: 'copied', match: { prefix: '/by', headers: [{ name: 'x-copied' }] }, route: { cluster: 'app' } },
    ],
  },
  { name: 'b', domains: ['b.example', 'b.example:81'], routes: [to('there', '/', { max_internal_redirects: 9 })] },
  { name: 'said', domains: ['said.example'], routes: [{ match: { prefix: '/' }, direct_response: { status: 418 } }] },
  {
    name: 'moved',
    domains: ['moved.example'],
    routes: [{ match: { prefix: '/' }, redirect: { path_redirect: '/x' } }],
  },
];

const ok = answer('200 OK', 'fine');
const moved = (location: string, status = '302 Found', body = '', ...more: readonly string[]): string =>
  answer(status, body, `Location: ${location}`, ...more);
const steps = (...answers: readonly string[]): OriginStep[] => answers.map((onEnd) => ({ onEnd }));
const there = 'http://b.example/there';
const on = (name: string, path: string, answers: readonly string[], send = get(path)): Case => ({
  name,
  send,
  origin: steps(...answers),
});

const locations = [
  'http://b.example',
  'http://b.example/',
  'http://b.example/x?y=1#z',
  'http://b.example?y=1',
  'HTTP://b.example/x',
  'http://B.EXAMPLE/x',
  'http://b.example:81/x',
  'http://b.example:x/',
  'https://b.example/x',
  'ftp://b.example/x',
  '/relative',
  '//b.example/x',
  'nonsense',
  'http://',
  'http:///x',
  'http://b.example/a b',
  'http://b.example/a\tb',
  'http://nobody.example/',
  'http://a.example/no-route',
  'http://a.example/plain',
  'http://said.example/',
  'http://moved.example/y',
  'http://b.example/a/../c',
  `http://b.example/${'x'.repeat(4000)}`,
];

export const redirects: Suite = {
  name: 'redirects',
  bootstrap: (origin) =>
    bootstrap(
      [
        httpListener('main', { name: 'routes', virtual_hosts: hosts }),
        httpListener(
          'small',
          allTo('app', { internal_redirect_policy: all }),
          {},
          { per_connection_buffer_limit_bytes: 1024 },
        ),
      ],
      [cluster('app', [origin])],
    ),
  cases: [
    ...locations.map((location) => on(`to ${location.slice(0, 40)}`, '/one', [moved(location), ok])),
    on('without a location', '/one', [answer('302 Found'), ok]),
    on('with an empty location', '/one', [moved(''), ok]),
    on('with a body', '/one', [moved(there, '302 Found', 'a body'), ok]),
    on('a second redirect of one', '/one', [moved('http://a.example/one'), moved(there), ok]),
    on('the limit is that of the route that is redirected', '/one', [moved(there), moved(there), moved(there), ok]),
    on('three of three', '/three', [...Array<string>(3).fill(moved('http://a.example/three')), ok]),
    on('four of three', '/three', [...Array<string>(4).fill(moved('http://a.example/three')), ok]),
    on('none at all', '/none', [moved(there), ok]),
    on('where no policy is', '/plain', [moved(there), ok]),
    ...['301 Moved', '302 Found', '303 See Other', '307 Temporary', '308 Permanent', '300 Many', '200 OK'].flatMap(
      (status) => [
        on(`${status} of a GET`, '/codes', [moved(there, status), ok]),
        on(`${status} of a POST`, '/codes', [moved(there, status), ok], post('/codes', 'a body')),
        on(`${status} of a HEAD`, '/codes', [moved(there, status), ok], requestOf('HEAD', '/codes', [])),
        on(`${status} where 200 and 301 are named`, '/odd', [moved(there, status), ok]),
      ],
    ),
    on(
      '303 of chunks',
      '/codes',
      [moved(there, '303 See Other'), ok],
      `${requestOf('POST', '/codes', ['Transfer-Encoding: chunked'])}3\r\nabc\r\n0\r\n\r\n`,
    ),
    on(
      '307 of chunks',
      '/codes',
      [moved(there, '307 Temporary'), ok],
      `${requestOf('POST', '/codes', ['Transfer-Encoding: chunked'])}3\r\nabc\r\n0\r\n\r\n`,
    ),
    on('to https where that is allowed', '/cross', [moved('https://b.example/x'), ok]),
    on('to https where that is not safe', '/safe', [moved('https://b.example/x'), ok]),
    on('to http where that is safe', '/safe', [moved(there), ok]),
    on('to a route that is listed', '/listed', [moved(there), ok]),
    on('to a route that is not listed', '/listed', [moved('http://a.example/plain'), ok]),
    on('to a route that was gone to', '/previous', [...Array<string>(3).fill(moved('http://a.example/previous')), ok]),
    on('to another route', '/previous', [moved(there), moved('http://a.example/previous'), moved(there), ok]),
    on(
      'headers copied',
      '/copying',
      [moved('http://a.example/by', '302 Found', '', 'X-Copied: 1', 'X-Copied: 2'), ok],
      get('/copying', 'X-Copied: 0', 'X-Cleared: 0'),
    ),
    on(
      'headers not there to be copied',
      '/copying',
      [moved('http://b.example/by'), ok],
      get('/copying', 'X-Copied: 0', 'X-Cleared: 0'),
    ),
    on(
      'headers copied in vain',
      '/copying',
      [moved('http://a.example/nowhere', '302 Found', '', 'X-Copied: 1'), ok],
      get('/copying', 'X-Copied: 0'),
    ),
    on('what the first route had rewritten', '/rewritten', [moved(there), ok]),
    on('of a retry', '/retried', [answer('409 Conflict'), moved(there), ok]),
    {
      ...on('a body that fits', '/', [moved(there, '307 Temporary'), ok], post('/', 'x'.repeat(1000))),
      listener: 'small',
    },
    {
      ...on('a body that does not fit', '/', [moved(there, '307 Temporary'), ok], post('/', 'x'.repeat(20_000))),
      listener: 'small',
    },
    {
      ...on('of two requests on one connection', '/one', [moved(there), ok, ok]),
      send: [get('/one'), get('/plain')],
      expects: 2,
    },
  ],
};
