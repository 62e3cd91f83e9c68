// Paths and hosts as routes and origins see them.

import { bootstrap, cluster, httpListener, type Json, routesOf } from '../bootstrap.ts';
import { get, requestOf, type Suite } from '../suite.ts';

const everything = routesOf([
  { name: 'admin', match: { prefix: '/admin' }, route: { cluster: 'app' } },
  { name: 'rest', match: { prefix: '/' }, route: { cluster: 'app' } },
]);

const managers: Readonly<Record<string, Json>> = {
  main: {},
  normalised: { normalize_path: true },
  merged: { normalize_path: true, merge_slashes: true },
  'merged-only': { merge_slashes: true },
  keep: { normalize_path: true, path_with_escaped_slashes_action: 'KEEP_UNCHANGED' },
  reject: { normalize_path: true, path_with_escaped_slashes_action: 'REJECT_REQUEST' },
  redirect: { normalize_path: true, path_with_escaped_slashes_action: 'UNESCAPE_AND_REDIRECT' },
  forward: { normalize_path: true, path_with_escaped_slashes_action: 'UNESCAPE_AND_FORWARD' },
  'any-port': { strip_any_host_port: true },
  dot: { strip_trailing_host_dot: true },
};

const paths = [
  '/',
  '/a/../admin',
  '/a/./b',
  '/a//b',
  '/a/b/../..',
  '/../a',
  '/a/%2e%2e/admin',
  '/%41dmin',
  '/a%2Fb',
  '/a%5cb%2f..%2fc',
  '/a\\..\\b',
  '/a?b=/../c//d',
  '/a;x=1/../b',
  '/user/..;foo=bar/admin',
  '/%zz',
  '/a%00b',
  '/a/',
  '/...',
];
const slashPaths = ['/a%2Fb', '/a%5cb%2f..%2fc?x=%2f', '/a%2fb?c'];
const hosts = [
  'A.Example',
  'a.example:80',
  'a.example:8080',
  'a.example:',
  'a.example.',
  '[::1]',
  '[::1]:80',
  '127.0.0.1:99999',
  'a_b.example',
  'user@a.example',
];

export const pathsAndHosts: Suite = {
  name: 'paths',
  bootstrap: (origin) =>
    bootstrap(
      Object.entries(managers).map(([name, manager]) => httpListener(name, everything, manager)),
      [cluster('app', [origin])],
    ),
  cases: [
    ...['main', 'normalised', 'merged', 'forward'].flatMap((listener) =>
      paths.map((path) => ({ name: `${path} on ${listener}`, listener, send: get(path) })),
    ),
    { name: '/a//b on merged-only', listener: 'merged-only', send: get('/a//b/..///c?x=//') },
    ...['keep', 'reject', 'redirect', 'forward'].flatMap((listener) =>
      slashPaths.map((path) => ({ name: `slashes of ${path} on ${listener}`, listener, send: get(path) })),
    ),
    { name: 'a fragment', send: get('/a#b') },
    { name: 'a raw character of UTF-8', send: get('/\xc3\xa9') },
    { name: 'a quote and a space encoded', send: get('/a%22%20b') },
    { name: 'visible characters that need no encoding', send: get('/a!$&\'()*+,;=:@|^`{}<>"') },
    ...hosts.map((host) => ({ name: `host ${host}`, send: requestOf('GET', '/', [`Host: ${host}`]) })),
    ...['a.example:80', 'a.example:8080', '[::1]:80'].map((host) => ({
      name: `host ${host} without any port`,
      listener: 'any-port',
      send: requestOf('GET', '/', [`Host: ${host}`]),
    })),
    { name: 'a host that ends in a dot', listener: 'dot', send: requestOf('GET', '/', ['Host: a.example.']) },
    { name: 'a host that ends in a dot, port', listener: 'dot', send: requestOf('GET', '/', ['Host: a.example.:80']) },
    { name: 'an empty host', send: requestOf('GET', '/', ['Host:']) },
  ],
};
