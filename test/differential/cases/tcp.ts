// The TCP proxy: bytes, ends, flags, log lines.

import { bootstrap, cluster, type Json, tcpListener } from '../bootstrap.ts';
import type { OriginStep } from '../recording-origin.ts';
import type { Case, Suite } from '../suite.ts';

const listeners: readonly Json[] = [
  tcpListener('main', { cluster: 'app' }),
  tcpListener('refused', { cluster: 'refused' }),
  tcpListener('refused-thrice', { cluster: 'refused', max_connect_attempts: 3 }),
  tcpListener('empty', { cluster: 'empty' }),
  tcpListener('idle', { cluster: 'app', idle_timeout: '0.1s' }),
  tcpListener('duration', { cluster: 'app', max_downstream_connection_duration: '0.1s' }),
  tcpListener('weighted', { weighted_clusters: { clusters: [{ name: 'app', weight: 1 }] } }),
  tcpListener('full', { cluster: 'full' }),
];

const clusters = (origin: number): readonly Json[] => [
  cluster('app', [origin]),
  cluster('refused', [1]),
  cluster('empty', []),
  cluster('full', [origin], { circuit_breakers: { thresholds: [{ max_connections: 0 }] } }),
];

const bye: readonly OriginStep[] = [{ onEnd: 'bye', ending: 'close' }];
const on = (listener: string, name: string, origin: readonly OriginStep[] = []): Case => ({
  name,
  listener,
  send: 'hello',
  origin,
  isTcp: true,
  expects: 'end',
});

export const tcp: Suite = {
  name: 'tcp',
  bootstrap: (origin) => bootstrap(listeners, clusters(origin)),
  cases: [
    on('main', 'the origin ends', bye),
    on('main', 'the origin resets', [{ ending: 'reset' }]),
    { ...on('main', 'the client ends', [{ onEnd: 'bye' }]), clientHalfCloses: true },
    on('refused', 'a refused connection'),
    on('refused-thrice', 'a refused connection, three attempts'),
    on('empty', 'no endpoint'),
    on('idle', 'an idle timeout', [{ onEnd: 'bye' }]),
    on('duration', 'a connection that takes too long', [{ onEnd: 'bye' }]),
    on('weighted', 'a weighted cluster', bye),
    on('full', 'no connection allowed'),
  ],
};
