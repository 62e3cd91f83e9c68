// What the next hop is told about the client, and what comes back about us.

import { allTo, bootstrap, cluster, httpListener, type Json } from '../bootstrap.ts';
import { answer, get, type Suite } from '../suite.ts';

const internal = (ip: string): Json => ({
  internal_address_config: { cidr_ranges: [{ address_prefix: ip, prefix_len: 8 }] },
});

const managers: Readonly<Record<string, Json>> = {
  main: {},
  edge: { use_remote_address: true },
  hops: { use_remote_address: true, xff_num_trusted_hops: 1 },
  'inner-hops': { xff_num_trusted_hops: 1 },
  'skip-append': { use_remote_address: true, skip_xff_append: true },
  'some-internal': { use_remote_address: true, ...internal('127.0.0.0') },
  'inner-internal': internal('10.0.0.0'),
  via: { via: 'proxy-1' },
  'no-id': { generate_request_id: false },
  'keep-id': { use_remote_address: true, preserve_external_request_id: true },
  'id-back': { always_set_request_id_in_response: true },
  'pass-server': { server_header_transformation: 'PASS_THROUGH' },
  'absent-server': { server_header_transformation: 'APPEND_IF_ABSENT', server_name: 'mine' },
  'named-server': { server_name: 'mine' },
  scheme: { scheme_header_transformation: { scheme_to_overwrite: 'https' } },
};

const xff = [
  'X-Forwarded-For: 1.2.3.4',
  'X-Forwarded-For: 10.0.0.1',
  'X-Forwarded-For: 1.2.3.4, 10.0.0.1',
  'X-Forwarded-For: 10.0.0.1, 10.0.0.2',
  'X-Forwarded-For: garbage',
  'X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-For: 5.6.7.8',
  'X-Forwarded-For: ::1',
  'X-Forwarded-For:',
];

const envoyHeaders = [
  'X-Envoy-Internal: true',
  'X-Envoy-External-Address: 9.9.9.9',
  'X-Envoy-Downstream-Service-Cluster: c',
  'X-Envoy-Downstream-Service-Node: n',
  'X-Envoy-Decorator-Operation: o',
  'X-Envoy-Original-Path: /o',
  'X-Envoy-Original-Dst-Host: 1.1.1.1:1',
  'X-Envoy-Retry-On: 5xx',
  'X-Envoy-Max-Retries: 3',
  'X-Envoy-Upstream-Rq-Timeout-Ms: 5000',
  'X-Envoy-Upstream-Rq-Per-Try-Timeout-Ms: 4000',
  'X-Envoy-Expected-Rq-Timeout-Ms: 1',
  'X-Envoy-Attempt-Count: 7',
  'X-Envoy-Ip-Tags: t',
  'X-Client-Trace-Id: 1',
  'X-Forwarded-Client-Cert: By=me',
  'X-Forwarded-Proto: https',
  'X-Forwarded-Host: f.example',
  'X-Forwarded-Port: 77',
  'X-Request-Id: mine',
];

export const forwarded: Suite = {
  name: 'forwarded',
  bootstrap: (origin) =>
    bootstrap(
      Object.entries(managers).map(([name, manager]) => httpListener(name, allTo('app'), manager)),
      [cluster('app', [origin])],
    ),
  cases: [
    ...Object.keys(managers)
      .slice(0, 7)
      .flatMap((listener) => [
        { name: `no XFF on ${listener}`, listener, send: get('/') },
        ...xff.map((header, index) => ({ name: `XFF ${index} on ${listener}`, listener, send: get('/', header) })),
        { name: `headers of Envoy on ${listener}`, listener, send: get('/', ...envoyHeaders) },
        {
          name: `headers of Envoy from inside on ${listener}`,
          listener,
          send: get('/', 'X-Forwarded-For: 10.0.0.1', ...envoyHeaders),
        },
        { name: `a forced trace on ${listener}`, listener, send: get('/', 'X-Envoy-Force-Trace: true') },
        { name: `a stat name on ${listener}`, listener, send: get('/', 'X-Envoy-Upstream-Alt-Stat-Name: s') },
        { name: `hedging on ${listener}`, listener, send: get('/', 'X-Envoy-Hedge-On-Per-Try-Timeout: true') },
      ]),
    { name: 'via', listener: 'via', send: get('/'), origin: answer('200 OK', 'x') },
    { name: 'via on via', listener: 'via', send: get('/', 'Via: 1.1 a'), origin: answer('200 OK', 'x', 'Via: 1.1 b') },
    { name: 'no request id', listener: 'no-id', send: get('/') },
    { name: 'no request id, one received', listener: 'no-id', send: get('/', 'X-Request-Id: mine') },
    { name: 'a request id kept', listener: 'keep-id', send: get('/', 'X-Request-Id: mine') },
    { name: 'a request id sent back', listener: 'id-back', send: get('/') },
    { name: 'a request id sent back as received', listener: 'id-back', send: get('/', 'X-Request-Id: mine') },
    ...['main', 'pass-server', 'absent-server', 'named-server'].flatMap((listener) => [
      { name: `server on ${listener}`, listener, send: get('/') },
      {
        name: `server of the origin on ${listener}`,
        listener,
        send: get('/'),
        origin: answer('200 OK', 'x', 'Server: origin', 'Date: Thu, 01 Jan 1970 00:00:00 GMT'),
      },
    ]),
    { name: 'a scheme overwritten', listener: 'scheme', send: get('/') },
    { name: 'a forwarded proto that is no scheme', send: get('/', 'X-Forwarded-Proto: ftp') },
    { name: 'two forwarded protos', send: get('/', 'X-Forwarded-Proto: https,http') },
  ],
};
