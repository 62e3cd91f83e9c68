import t from 'tap';
import type { FilterChain } from '../../../config/listener.ts';
import {
  certificateOverview,
  purposeOf,
  securityOfChain,
  securityOfCluster,
} from '../../../proxy/admin/security-overview.ts';
import { CertificateWatch } from '../../../proxy/tls/certificate-watch.ts';
import { clusterOf, httpListener, managerOf } from '../../support/data-plane.ts';
import { onlyItems } from '../../support/only-items.ts';
import { certificateSecret, downstreamTls, upstreamTls } from '../../support/tls-config-fixtures.ts';
import { Authority } from '../../support/tls-fixtures.ts';

const [plain] = httpListener('l', managerOf([])).filterChains;
const chain = (changes: Partial<FilterChain>): FilterChain => ({ ...plain!, ...changes });

t.test('a filter chain speaks plain text, TLS, or TLS with a certificate of every client', (t) => {
  t.equal(securityOfChain(chain({})), '');
  t.equal(securityOfChain(chain({ tls: downstreamTls() })), 'TLS');
  t.equal(securityOfChain(chain({ tls: downstreamTls({ requiresClientCertificate: true }) })), 'mutual TLS');
  t.end();
});

t.test('a cluster speaks it to all of its endpoints, or to those that say so', (t) => {
  const mutual = { kind: 'tls', tls: upstreamTls() } as const;
  const oneSided = { kind: 'tls', tls: upstreamTls({ certificates: [] }) } as const;
  const cluster = clusterOf('c', []);
  const match = (transport: typeof mutual | typeof oneSided) => [{ name: 'm', match: {}, transport }];
  t.equal(securityOfCluster(cluster), '');
  t.equal(securityOfCluster({ ...cluster, transport: mutual }), 'mutual TLS');
  t.equal(securityOfCluster({ ...cluster, transport: oneSided }), 'TLS');
  t.equal(securityOfCluster({ ...cluster, transportMatches: match(mutual) }), 'mutual TLS where offered');
  t.equal(securityOfCluster({ ...cluster, transportMatches: match(oneSided) }), 'TLS where offered');
  t.end();
});

t.test('it is said in words which connections a filter chain is for', (t) => {
  t.equal(purposeOf(chain({})), '');
  const match = {
    ...plain!.match,
    destinationPort: 80,
    prefixRanges: [{ ip: '10.0.0.0', prefixLength: 8 }],
    serverNames: ['a', 'b', 'c', 'd'],
    applicationProtocols: ['istio'],
    sourceType: 'external' as const,
  };
  const words = 'port 80, to 10.0.0.0/8, for a b c and 1 more, istio, from some clients';
  t.equal(purposeOf(chain({ match })), words);
  t.equal(purposeOf(chain({ match: { ...plain!.match, transportProtocol: 'raw_buffer' } })), 'plain text');
  t.end();
});

t.test('certificates are listed by their end, with whose they are and what is wrong', (t) => {
  const authority = Authority.make(t.testdir(), 'page');
  const long = authority.issue({ subjectAltName: 'URI:spiffe://td/ns/a/sa/b', notAfter: '20490101000000Z' });
  const short = authority.issue({ subjectAltName: 'DNS:a.test' });
  let nowMs = Date.now();
  const watch = new CertificateWatch(() => nowMs);
  const secrets = [
    certificateSecret('long', long),
    certificateSecret('short', short),
    certificateSecret('broken', { ...long, privateKey: 'none' }),
  ];
  watch.follow(new Map(secrets.map((secret) => [secret.name, secret])), () => new Map());
  t.match(certificateOverview(watch), {
    total: 3,
    listed: onlyItems(
      { name: 'broken', whose: '', state: 'good', problem: /^the private key cannot be read/ },
      { name: 'short', whose: 'a.test', endsAtMs: Number, state: 'good', problem: '' },
      { name: 'long', whose: 'spiffe://td/ns/a/sa/b', state: 'good', problem: '' },
    ),
  });
  const { endsAtMs } = (certificateOverview(watch) as { listed: { endsAtMs: number }[] }).listed[1]!;
  nowMs = endsAtMs - 60_000;
  t.match(certificateOverview(watch), {
    listed: onlyItems({ name: 'broken' }, { state: 'ending', problem: /last tenth of its life/ }, { name: 'long' }),
  });
  nowMs = endsAtMs + 1000;
  t.match(certificateOverview(watch), {
    listed: onlyItems({ name: 'broken' }, { state: 'expired', problem: /expired at/ }, { name: 'long' }),
  });
  t.notMatch(JSON.stringify(certificateOverview(watch)), /PRIVATE/);
  t.end();
});
