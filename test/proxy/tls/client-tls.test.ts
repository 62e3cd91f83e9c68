import t, { type Test } from 'tap';
import type { UpstreamTls } from '../../../config/tls.ts';
import type { ClientTls, ClientTlsOptions } from '../../../proxy/tls/client-tls.ts';
import { tlsFactsOf } from '../../../proxy/tls/facts.ts';
import type { ServerTls } from '../../../proxy/tls/server-tls.ts';
import { listeningEndpoint } from '../../support/socket-pair.ts';
import {
  certificateSecret,
  downstreamTls,
  meet,
  NOW_MS,
  type TlsRig,
  tlsRig,
  trustSecret,
  upstreamTls,
} from '../../support/tls-config-fixtures.ts';
import { Authority, passText } from '../../support/tls-fixtures.ts';

const folder = t.testdir();
const mesh = Authority.make(`${folder}/mesh`, 'mesh');
const stranger = Authority.make(`${folder}/stranger`, 'stranger');
const server = certificateSecret('server', mesh.issue({ subjectAltName: 'DNS:reviews.test,DNS:ratings.test' }));
const client = certificateSecret('client', mesh.issue({ subjectAltName: 'URI:spiffe://td/a' }));
const pem = mesh.certificate;
const trust = trustSecret('trust', { roots: { kind: 'pem', pem } });
const options = { serverName: 'reviews.test', verifiedName: 'reviews.test' };

interface Sides {
  readonly rig: TlsRig;
  readonly server: ServerTls;
  readonly client: ClientTls;
  /** One connection from handshake to close: whether it went on where another had left. */
  readonly isResumed: (options?: ClientTlsOptions) => boolean;
  readonly clock: { nowMs: number };
}

function sidesOf(t: Test, changes: Partial<UpstreamTls> = {}): Sides {
  const clock = { nowMs: NOW_MS };
  const rig = tlsRig({ wallClock: () => clock.nowMs });
  rig.give(server, client, trust);
  const sides = {
    server: rig.contexts.server(downstreamTls({ sessionTickets: { kind: 'own' } }), 'l'),
    client: rig.contexts.client(upstreamTls({ maxSessionKeys: 1, ...changes }), 'c'),
  };
  const endpoint = listeningEndpoint();
  t.teardown(endpoint.stop);
  const isResumed = (given: ClientTlsOptions = options): boolean => {
    const met = meet(t, { ...sides, options: given, pair: endpoint.connect() });
    t.same(met.results, [0, 0]);
    passText(met.server.session, met.client.session, 'tickets come in front of data');
    const found = tlsFactsOf(met.client).isResumed;
    met.close();
    return found;
  };
  return { rig, ...sides, isResumed, clock };
}

for (const version of ['1.2', '1.3'] as const) {
  const { parameters } = upstreamTls();
  const only = { parameters: { ...parameters, maxVersion: version } };

  t.test(
    `TLS ${version}: the next connection to an endpoint goes on where the last has left, under the same name`,
    (t) => {
      const { isResumed, rig } = sidesOf(t, only);
      t.same([isResumed(), isResumed(), isResumed()], [false, true, true]);
      t.equal(rig.stat('cluster.c.ssl.session_reused'), 2);
      t.equal(rig.stat('listener.l.ssl.session_reused'), 2);
      t.equal(isResumed({ serverName: 'ratings.test', verifiedName: 'ratings.test' }), false, 'another name');
      t.equal(isResumed({ serverName: 'reviews.test' }), false, 'judged by another name');
      t.equal(isResumed(), true);
      t.end();
    },
  );

  t.test(`TLS ${version}: a session is not resumed under another identity or trust`, (t) => {
    const { isResumed, rig } = sidesOf(t, only);
    t.same([isResumed(), isResumed()], [false, true]);
    rig.give(certificateSecret('client', mesh.issue({ subjectAltName: 'URI:spiffe://td/b' })));
    t.same([isResumed(), isResumed()], [false, true], 'another certificate');
    rig.give(trustSecret('trust', { roots: { kind: 'pem', pem: pem + stranger.certificate } }));
    t.same([isResumed(), isResumed()], [false, true], 'other roots');
    t.end();
  });

  t.test(`TLS ${version}: a certificate that has expired since is not let in by an old session`, (t) => {
    const { isResumed, clock, client: tls, server: peer } = sidesOf(t, only);
    t.equal(isResumed(), false);
    clock.nowMs += 7 * 86_400_000;
    const endpoint = listeningEndpoint();
    t.teardown(endpoint.stop);
    const first = meet(t, { server: peer, client: tls, options, pair: endpoint.connect() });
    passText(first.server.session, first.client.session, 'a');
    first.close();
    const again = meet(t, { server: peer, client: tls, options, pair: endpoint.connect() });
    t.not(again.results[1], 0);
    t.match(again.client.problem, /expired since the session began/);
    t.end();
  });
}

t.test('another connection resumes while the first is still open', (t) => {
  const { rig: _, ...sides } = sidesOf(t);
  const endpoint = listeningEndpoint();
  t.teardown(endpoint.stop);
  const first = meet(t, { ...sides, options, pair: endpoint.connect() });
  passText(first.server.session, first.client.session, 'a');
  const second = meet(t, { ...sides, options, pair: endpoint.connect() });
  t.equal(second.client.session.isResumed, true);
  t.end();
});

t.test('nothing is kept where none are to be, or trust domains are several', (t) => {
  const none = sidesOf(t, { maxSessionKeys: 0 });
  t.same([none.isResumed(), none.isResumed()], [false, false]);
  const id = (name: string) =>
    mesh.issue({ subjectAltName: `URI:spiffe://td/${name}`, extensions: 'keyUsage=critical,digitalSignature' });
  const several = sidesOf(t);
  several.rig.give(
    certificateSecret('server', id('server')),
    certificateSecret('client', id('client')),
    trustSecret('trust', {
      trustDomains: [
        { name: 'td', roots: pem },
        { name: 'other', roots: stranger.certificate },
      ],
    }),
  );
  const anyName = { serverName: '' };
  t.same([several.isResumed(anyName), several.isResumed(anyName)], [false, false]);
  t.end();
});

t.test('what must be for a name needs roots to be true', (t) => {
  const rig = tlsRig();
  const careless = rig.contexts.client({ ...upstreamTls({ certificates: [] }), validation: {} }, 'c');
  t.match(careless.begin(0, options), /no roots by which it would be true/);
  t.end();
});
