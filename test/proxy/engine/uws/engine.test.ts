// Connections that reach the library by the way of a listener: what its filters have looked at, and taken.

import { fstatSync, openSync } from 'node:fs';
import t from 'tap';
import type { InspectorFilter } from '../../../../config/listener.ts';
import { close } from '../../../../native/socket.ts';
import type { DownstreamEngine } from '../../../../proxy/engine/downstream-engine.ts';
import { UwsEngine } from '../../../../proxy/engine/uws/engine.ts';
import { loadUws } from '../../../../proxy/engine/uws/library.ts';
import { httpStats } from '../../../../proxy/telemetry/http-stats.ts';
import {
  clusterOf,
  forwardTo,
  httpListener,
  managerOf,
  routeOf,
  startDataPlane,
  virtualHostOf,
} from '../../../support/data-plane.ts';
import { rerunWithNewerLibc } from '../../../support/newer-libc.ts';
import { RawClient } from '../../../support/raw-client.ts';
import { onEachRequest, RawOrigin } from '../../../support/raw-origin.ts';
import { until } from '../../../support/tcp-proxy-fixtures.ts';

const skip = rerunWithNewerLibc(import.meta.filename) ?? false;
const get = 'GET /x HTTP/1.1\r\nHost: a\r\n\r\n';
const inspectors: readonly InspectorFilter[] = [
  { kind: 'tls-inspector', maxClientHelloBytes: 16_384, closesOnParsingErrors: false },
  { kind: 'http-inspector' },
];
const proxied: InspectorFilter = { kind: 'proxy-protocol', allowsAbsence: false, disallowedVersions: [] };

for (const [title, listenerFilters, sent] of [
  ['what listener filters have looked at is the library’s to read', inspectors, get],
  ['what a filter has taken is no part of the request', [proxied], `PROXY TCP4 10.1.2.3 10.1.2.4 5 80\r\n${get}`],
] as const) {
  t.test(title, { skip }, async (t) => {
    const hello = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello';
    const origin = await RawOrigin.start(t, (connection) => onEachRequest(connection, () => connection.write(hello)));
    const manager = managerOf([virtualHostOf([routeOf('/', forwardTo('app'))])]);
    const plane = await startDataPlane({
      listeners: [{ ...httpListener('http', manager), listenerFilters }],
      clusters: [clusterOf('app', [origin.port])],
      downstream: new UwsEngine(loadUws()),
    });
    const client = await RawClient.open(plane.ports.get('http')!);
    t.teardown(async () => {
      client.close();
      await plane.stop();
    });
    for (const bytes of [sent, get]) {
      client.text = '';
      await client.write(bytes);
      const text = await client.until((all) => all.endsWith('hello'));
      t.match(text, /^HTTP\/1\.1 200 OK\r\n.*\r\nContent-Length: 5\r\n\r\nhello$/s, 'in the library’s spelling');
    }
    t.match(origin.connections[0]!.text, /^GET \/x HTTP\/1\.1\r\n.*\r\n\r\nGET \/x HTTP\/1\.1\r\n/s);
  });
}

t.test('a connection that the kernel would not tell of is closed at once', { skip }, async (t) => {
  const engine = new UwsEngine(loadUws());
  let descriptor = -1;
  // A file in the place of the socket: the kernel does not tell of input of one (EPERM).
  const downstream: DownstreamEngine = {
    carries: (manager) => engine.carries(manager),
    start: (socket, ...rest) => {
      close(socket);
      descriptor = openSync(import.meta.filename, 'r');
      engine.start(descriptor, ...rest);
    },
    close: () => engine.close(),
    abandon: () => engine.abandon(),
  };
  const plane = await startDataPlane({
    listeners: [httpListener('http', managerOf([]))],
    clusters: [],
    downstream,
  });
  t.teardown(() => plane.stop());
  const client = await RawClient.open(plane.ports.get('http')!);
  t.teardown(() => client.close());
  const counted = (stat: number) => plane.stats.get(httpStats, 'test')?.value(stat);
  await until(() => counted(httpStats.downstreamCxTotal) === 1 && counted(httpStats.downstreamCxActive) === 0);
  t.throws(() => fstatSync(descriptor), { code: 'EBADF' });
});
