import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import t from 'tap';
import type { Listener, ProxyProtocolFilter } from '../../../config/listener.ts';
import type { StreamInfo } from '../../../proxy/http/stream-info.ts';
import { type ConnectionFindings, Verdict } from '../../../proxy/listener/listener-filter.ts';
import { ProxyProtocol } from '../../../proxy/listener/proxy-protocol.ts';
import { proxyProtocolStats } from '../../../proxy/telemetry/listener-filter-stats.ts';
import { WorkerStats } from '../../../proxy/telemetry/worker-stats.ts';
import { noItems } from '../../support/empty-patterns.ts';
import { answering, makeListenerBench } from '../../support/listener-fixtures.ts';
import { onlyItems } from '../../support/only-items.ts';
import { proxyHeader2 } from '../../support/proxy-headers.ts';

const first = 'PROXY TCP4 1.2.3.4 5.6.7.8 11 22\r\n';
const second = proxyHeader2(0x21, 0x11, Buffer.from([1, 2, 3, 4, 5, 6, 7, 8, 0, 11, 0, 22])).toString('latin1');

function inspect(bytes: string, config: Partial<ProxyProtocolFilter> = {}) {
  const stats = new WorkerStats(() => undefined).block(proxyProtocolStats);
  const filter = new ProxyProtocol(
    { kind: 'proxy-protocol', allowsAbsence: false, disallowedVersions: [], ...config },
    stats,
  );
  const found: ConnectionFindings = { transportProtocol: '', serverName: '', applicationProtocols: [] };
  const inspection = { bytes: Buffer.from(bytes, 'latin1'), end: bytes.length, seen: 0, found, taken: 0 };
  const verdict = filter.inspect(inspection);
  const counted = Object.keys(proxyProtocolStats).filter(
    (key) => key !== 'scope' && stats.get(proxyProtocolStats[key as 'v1Found']) === 1,
  );
  return { verdict, taken: inspection.taken, source: found.source, destination: found.destination, counted };
}

const ends = {
  source: { kind: 'ip', ip: '1.2.3.4', port: 11 },
  destination: { kind: 'ip', ip: '5.6.7.8', port: 22 },
};

t.test('a header is taken, and says whose the connection is', async (t) => {
  const done = { verdict: Verdict.done, ...ends };
  t.same(inspect(`${first}GET`), { ...done, taken: first.length, counted: ['v1Found'] });
  t.same(inspect(`${second}GET`), { ...done, taken: second.length, counted: ['v2Found'] });
  t.match(inspect('PROXY UNKNOWN\r\n'), { verdict: Verdict.done, taken: 15, source: undefined });
});

t.test('a connection without a header is refused, or served where that is allowed', async (t) => {
  t.match(inspect('GET / HTTP/1.1'), { verdict: Verdict.refused, counted: onlyItems('notFoundDisallowed') });
  const allowed = inspect('GET / HTTP/1.1', { allowsAbsence: true });
  t.matchOnly(allowed, { verdict: Verdict.done, taken: 0, counted: ['notFoundAllowed'] });
  t.match(inspect('PROX', { allowsAbsence: true }), { verdict: Verdict.needsMore, counted: noItems });
});

t.test('a broken header is refused, also where none is needed', async (t) => {
  for (const allowsAbsence of [false, true]) {
    t.match(inspect('PROXY TCP4\r\n', { allowsAbsence }), { verdict: Verdict.refused, counted: onlyItems('v1Error') });
    t.match(inspect(second.replace('!', '"'), { allowsAbsence }), {
      verdict: Verdict.refused,
      counted: onlyItems('v2Error'),
    });
  }
});

t.test('a version that is not wanted is refused, or nothing at all', async (t) => {
  const disallowedVersions = [1] as const;
  t.match(inspect(first, { disallowedVersions }), { verdict: Verdict.refused, counted: onlyItems('v1Disallowed') });
  t.match(inspect(second, { disallowedVersions: [2] }), {
    verdict: Verdict.refused,
    counted: onlyItems('v2Disallowed'),
  });
  const passed = inspect(first, { disallowedVersions, allowsAbsence: true });
  t.matchOnly(passed, { verdict: Verdict.done, taken: 0, source: undefined, counted: ['notFoundAllowed'] });
  t.match(inspect(second, { disallowedVersions }), { verdict: Verdict.done, counted: onlyItems('v2Found') });
});

const waitsForHeader: Partial<Listener> = {
  listenerFilters: [
    { kind: 'proxy-protocol', allowsAbsence: false, disallowedVersions: [] },
    { kind: 'http-inspector' },
  ],
};

t.test('behind the header a connection is served as if it came from whom it names', async (t) => {
  const bench = makeListenerBench(t);
  const accessLogs = answering('l', '').filterChains[0]!.filters[0]!.config.accessLogs;
  t.same(accessLogs, []);
  const seen: string[] = [];
  bench.context.compileAccessLogs = () =>
    [
      {
        log: ({ info }: { readonly info: StreamInfo }) =>
          seen.push(
            `${info.downstreamRemoteAddress} ${info.downstreamDirectRemoteAddress.split(':')[0]} ${info.downstreamLocalAddress}`,
          ),
      },
    ] as never;
  const chosen = answering('l', 'hello', waitsForHeader);
  const [chain] = chosen.filterChains;
  const filterChains = [
    { ...chain!, match: { ...chain!.match, destinationPort: 22, applicationProtocols: ['http/1.1'] } },
  ];
  const { port } = bench.listen({ ...chosen, filterChains });
  for (const header of [first, second]) {
    const client = connect(port, '127.0.0.1');
    t.teardown(() => client.destroy());
    const request = `${header}GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`;
    client.write(request.slice(0, 20), 'latin1');
    await once(client, 'connect');
    client.write(request.slice(20), 'latin1');
    t.match(await text(client), /^HTTP\/1\.1 200 OK[\s\S]*hello$/);
  }
  t.ok(seen.length > 0);
  for (const line of seen) t.equal(line, '1.2.3.4:11 127.0.0.1 5.6.7.8:22');
});

t.test('who ends or is silent before the header is whole is not served, whatever the timeout says', async (t) => {
  const bench = makeListenerBench(t);
  const timed = { listenerFiltersTimeoutMs: 50, continueOnListenerFiltersTimeout: true };
  const { port } = bench.listen(answering('l', 'hello', { ...waitsForHeader, ...timed }));
  const client = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  client.end('PROXY TCP4 1.2');
  t.equal(await untilClosed(client), '');
  const silent = connect(port, '127.0.0.1');
  t.equal(await untilClosed(silent), '');
});

/** What came, however it ended: bytes that were not read make a reset of a close. */
async function untilClosed(client: Socket): Promise<string> {
  let received = '';
  client.on('data', (bytes) => {
    received += bytes;
  });
  client.on('error', () => undefined);
  await new Promise((resolve) => client.once('close', resolve));
  return received;
}
