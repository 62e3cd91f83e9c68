// Listener filters: which filter chain the first bytes of a connection lead to, and what is counted on the way.

import { helloBytes, inRecords } from '../../support/client-hellos.ts';
import { allTo, bootstrap, cluster, httpManager, type Json, listener, tcpProxy } from '../bootstrap.ts';
import type { OriginStep } from '../recording-origin.ts';
import { type Case, get, type Suite } from '../suite.ts';

const FILTERS = 'type.googleapis.com/envoy.extensions.filters.listener';
const tlsInspector = (fields: Json = {}): Json => ({
  name: 'tls',
  typed_config: { '@type': `${FILTERS}.tls_inspector.v3.TlsInspector`, ...fields },
});
const httpInspector = (fields: Json = {}): Json => ({
  name: 'http',
  typed_config: { '@type': `${FILTERS}.http_inspector.v3.HttpInspector` },
  ...fields,
});

const chain = (name: string, match: Json, filter: Json): Json => ({
  name,
  filter_chain_match: match,
  filters: [filter],
});
const toApp = (name: string): Json => tcpProxy(name, { cluster: 'app' });

/** As Istio tells the chains of a sidecar's inbound listener apart, with names of servers beside. */
const inspected = (name: string, filters: readonly Json[], more: Json = {}): Json =>
  listener(name, toApp(name), {
    listener_filters: filters,
    listener_filters_timeout: '0.2s',
    continue_on_listener_filters_timeout: true,
    filter_chains: [
      chain(
        'plain-http',
        { transport_protocol: 'raw_buffer', application_protocols: ['http/1.1', 'h2c'] },
        httpManager(name, allTo('app')),
      ),
      chain('plain-http-1.0', { transport_protocol: 'raw_buffer', application_protocols: ['http/1.0'] }, toApp(name)),
      chain(
        'istio',
        { transport_protocol: 'tls', application_protocols: ['istio-peer-exchange', 'istio'] },
        toApp(name),
      ),
      chain('tls', { transport_protocol: 'tls' }, toApp(name)),
      chain('exact', { server_names: ['a.example'] }, toApp(name)),
      chain('exact-h2', { server_names: ['a.example'], application_protocols: ['h2'] }, toApp(name)),
      chain('wildcard', { server_names: ['*.example'] }, toApp(name)),
    ],
    default_filter_chain: { name: 'default', filters: [toApp(name)] },
    ...more,
  });

const anyPort: Json = { filter_disabled: { any_match: true } };
const noPort: Json = { filter_disabled: { destination_port_range: { start: 1, end: 2 } } };

const listeners: readonly Json[] = [
  inspected('main', [tlsInspector({ initial_read_buffer_size: 256 }), httpInspector()]),
  inspected('http-first', [httpInspector(), tlsInspector()]),
  inspected('disabled', [tlsInspector(), httpInspector(anyPort)]),
  inspected('enabled', [tlsInspector(), httpInspector(noPort)]),
];

const bye: readonly OriginStep[] = [{ onEnd: 'bye', ending: 'close' }];

/** The origin sees every byte that the client sent, from the first one. */
const passes = (name: string, send: string | readonly string[], listener = 'main'): Case => ({
  name,
  listener,
  send,
  origin: bye,
  isTcp: true,
  expects: 'end',
});

const hello = (serverName?: string, ...protocols: readonly string[]): string =>
  inRecords(
    helloBytes({ ...(serverName !== undefined && { serverName }), ...(protocols.length > 0 && { protocols }) }),
  ).toString('latin1');

export const inspectors: Suite = {
  name: 'inspectors',
  bootstrap: (origin) => bootstrap(listeners, [cluster('app', [origin])]),
  cases: [
    { name: 'HTTP/1.1', send: get('/') },
    { name: 'HTTP/1.1 with a method of its own', send: 'X-TEST / HTTP/1.1\r\nHost: a.example\r\n\r\n' },
    { name: 'HTTP/1.1 when the HTTP inspector is first', listener: 'http-first', send: get('/') },
    { name: 'HTTP/1.1 where the inspector is on for the port', listener: 'enabled', send: get('/') },
    passes('HTTP/1.1 where the inspector is off for the port', get('/'), 'disabled'),
    passes('HTTP/1.0', 'GET / HTTP/1.0\r\n\r\n'),
    passes('other text', 'EHLO a.example\r\n'),
    passes('other bytes', '\0\x01\x02\x03\x04\x05'),
    passes('a little of nothing known', 'hi'),
    passes('no name, no protocol', hello()),
    passes('an empty list of protocols', inRecords(helloBytes({ protocols: [] })).toString('latin1')),
    passes('an empty server name', inRecords(helloBytes({ serverName: '' })).toString('latin1')),
    passes('two server names', inRecords(helloBytes({ serverName: 'a', extensionsTwice: true })).toString('latin1')),
    passes('a protocol of Istio', hello(undefined, 'h2', 'istio')),
    passes('a server name', hello('a.example')),
    passes('a server name in capitals', hello('A.EXAMPLE')),
    passes('a server name and a protocol', hello('a.example', 'h2')),
    passes('a server name and another protocol', hello('a.example', 'http/1.1')),
    passes('a wildcard', hello('b.a.example', 'h2')),
    passes('a name that no chain has', hello('other.test', 'h2')),
    passes('TLS when the HTTP inspector is first', hello('a.example', 'h2'), 'http-first'),
    passes('TLS that is broken', hello('a.example').replace('\x16\x03\x01\0', '\x16\x02\x01\0')),
    passes('TLS in many records', inRecords(helloBytes({ serverName: 'a.example' }), [1, 2, 3, 40]).toString('latin1')),
  ],
};
