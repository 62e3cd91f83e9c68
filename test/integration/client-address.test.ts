// Whose address the endpoint is told, as a listener knows it: of a neighbour on this machine our own, of others theirs.

import { networkInterfaces } from 'node:os';
import t from 'tap';
import {
  clusterOf,
  forwardTo,
  httpListener,
  managerOf,
  routeOf,
  startDataPlane,
  virtualHostOf,
} from '../support/data-plane.ts';
import { RawClient } from '../support/raw-client.ts';
import { RawOrigin } from '../support/raw-origin.ts';

t.setTimeout(900_000);

t.test('x-forwarded-for has the client of the PROXY header, and not this machine', async (t) => {
  const origin = await RawOrigin.start(t, (connection) => {
    connection.onText = () => connection.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
  });
  const manager = managerOf([virtualHostOf([routeOf('/', forwardTo('app'))])], { useRemoteAddress: true });
  const filter = { kind: 'proxy-protocol', allowsAbsence: true, disallowedVersions: [] } as const;
  const listener = { ...httpListener('http', manager), listenerFilters: [filter] };
  const plane = await startDataPlane({ listeners: [listener], clusters: [clusterOf('app', [origin.port])] });
  t.teardown(() => plane.stop());
  const toldFor = async (header: string): Promise<string | undefined> => {
    const client = await RawClient.open(plane.ports.get('http')!);
    const before = origin.text.length;
    await client.write(`${header}GET / HTTP/1.1\r\nHost: a\r\n\r\n`);
    await client.until((text) => text.includes('\r\n\r\n'));
    client.close();
    return /^x-forwarded-for: (.*)\r$/im.exec(origin.text.slice(before))?.[1];
  };
  t.equal(await toldFor('PROXY TCP4 10.9.8.7 10.0.0.1 4000 80\r\n'), '10.9.8.7');
  t.equal(await toldFor('PROXY TCP6 2001:db8::7 2001:db8::1 4000 80\r\n'), '2001:db8::7');
  const own = Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address));
  for (const header of ['', 'PROXY TCP4 127.1.2.3 127.0.0.1 4000 80\r\n', 'PROXY TCP6 ::1 ::1 4000 80\r\n']) {
    const told = await toldFor(header);
    t.ok(told !== undefined && own.includes(told), `${header.trim()}: ${told}`);
  }
});
