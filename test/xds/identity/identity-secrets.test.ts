import t from 'tap';
import { Problems } from '../../../config/problems.ts';
import type { RefusedResource } from '../../../xds/client/discovery.ts';
import type { Identity } from '../../../xds/identity/identity.ts';
import { IdentitySecrets } from '../../../xds/identity/identity-secrets.ts';
import { decodeMessage } from '../../../xds/message/wire-message.ts';
import { secretDecoder } from '../../../xds/resource/secret-resource.ts';
import { HandClock, type RecordingConsumer } from '../../support/discovery-fixtures.ts';
import { onlyItems } from '../../support/only-items.ts';

const SECRET = 'envoy.extensions.transport_sockets.tls.v3.Secret';

function own(current?: Identity) {
  const clock = new HandClock();
  const users = new Set<(identity: Identity) => void>();
  const identity = {
    current,
    subscribe: (user: (identity: Identity) => void) => {
      users.add(user);
      return () => users.delete(user);
    },
  };
  const updates: unknown[] = [];
  const absent: string[] = [];
  const refusals: RefusedResource[] = [];
  const observed: string[] = [];
  const consumer = {
    type: secretDecoder.type,
    heldVersions: () => [],
    onAbsent: (name: string) => absent.push(name),
    onUpdate: ({ resources }: Parameters<RecordingConsumer['onUpdate']>[0]): readonly RefusedResource[] => {
      updates.push(resources.map(({ message }) => decodeMessage(message!, SECRET, new Problems())));
      return refusals;
    },
  };
  const source = new IdentitySecrets({
    name: 'sds',
    identity,
    consumer,
    clock: clock.clock,
    defer: clock.defer,
    log: () => undefined,
    observer: {
      onSubscribe: (_type, name) => observed.push(`+${name}`),
      onUnsubscribe: (_type, name) => observed.push(`-${name}`),
      onResponse: ({ names, refused, version }) => observed.push(`${version} ${[...names]} refused ${refused.length}`),
    },
  });
  const renew = (next: Identity) => {
    identity.current = next;
    for (const user of users) user(next);
  };
  return { source, clock, renew, updates, absent, users, refusals, observed };
}

const identity = (name: string): Identity => ({ certificateChain: name, privateKey: 'K', roots: 'R', notAfterMs: 1 });
const certificate = (name: string) => ({
  name: 'default',
  tlsCertificate: { certificateChain: { inlineString: name }, privateKey: { inlineString: 'K' } },
});
const roots = { name: 'ROOTCA', validationContext: { trustedCa: { inlineString: 'R' } } };

t.test('both secrets come in one update, once there is an identity, and anew with each next one', async (t) => {
  const { source, clock, renew, updates } = own();
  source.start();
  source.subscribe('', 'default');
  source.subscribe('', 'ROOTCA');
  clock.endTurn();
  t.same(updates, []);
  t.equal(source.status().connection.kind, 'connecting');
  renew(identity('first'));
  clock.endTurn();
  renew(identity('second'));
  clock.endTurn();
  t.same(updates, [
    [certificate('first'), roots],
    [certificate('second'), roots],
  ]);
  t.match(source.status(), {
    protocol: 'own',
    connection: { kind: 'connected' },
    types: onlyItems({ version: '2', lastAck: { version: '2' } }),
  });
});

t.test('what is refused is said, and what was accepted before it', async (t) => {
  const { source, clock, renew, refusals } = own(identity('first'));
  source.start();
  source.subscribe('', 'default');
  clock.endTurn();
  refusals.push({ name: 'default', problems: [{ path: 'certificate', message: 'has ended' }] });
  renew(identity('second'));
  clock.endTurn();
  const [type] = source.status().types;
  t.match(type, { lastAck: { version: '0' }, lastNack: { version: '1', text: /default.*has ended/ } });
});

t.test('who subscribes later gets what is there', async (t) => {
  const { source, clock, updates } = own(identity('held'));
  source.start();
  clock.endTurn();
  t.same(updates, []);
  source.subscribe('', 'ROOTCA');
  clock.endTurn();
  t.same(updates, [[roots]]);
});

t.test('other names are not there', async (t) => {
  const { source, clock, absent, updates } = own(identity('held'));
  source.start();
  source.subscribe('', 'kubernetes://other');
  clock.endTurn();
  t.same(absent, ['kubernetes://other']);
  t.same(updates, []);
});

t.test('after stop nothing is told', async (t) => {
  const { source, clock, updates, users } = own(identity('held'));
  source.start();
  source.subscribe('', 'default');
  source.stop();
  clock.endTurn();
  t.same(updates, []);
  t.equal(users.size, 0);
});

t.test('an observer is told what is to be counted', async (t) => {
  const { source, clock, refusals, renew, observed } = own(identity('A'));
  source.start();
  source.subscribe('', 'default');
  source.subscribe('', 'default');
  clock.endTurn();
  refusals.push({ name: 'default', problems: [] });
  renew(identity('B'));
  clock.endTurn();
  source.unsubscribe('', 'default');
  source.unsubscribe('', 'default');
  t.same(observed, ['+default', '0 default refused 0', '1 default refused 1', '-default']);
});
