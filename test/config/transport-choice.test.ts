import t from 'tap';
import type { TransportSocket } from '../../config/cluster.ts';
import { transportSocketFor } from '../../config/transport-choice.ts';

const plain: TransportSocket = { kind: 'plain' };
const [first, second, otherwise]: readonly TransportSocket[] = [{ ...plain }, { ...plain }, { ...plain }];
const cluster = {
  transport: otherwise!,
  transportMatches: [
    { name: 'first', match: { tls: 'istio', zone: 'a' }, transport: first! },
    { name: 'second', match: { tls: 'istio' }, transport: second! },
  ],
};
const socketFor = (labels?: Readonly<Record<string, string>>) =>
  transportSocketFor(cluster, labels === undefined ? {} : { 'envoy.transport_socket_match': labels });

t.test('the first match whose labels the endpoint has all of decides, otherwise the cluster', (t) => {
  t.equal(socketFor({ tls: 'istio', zone: 'a' }), first);
  t.equal(socketFor({ tls: 'istio', zone: 'b' }), second);
  t.equal(socketFor({ tls: 'disabled', zone: 'a' }), otherwise);
  t.equal(socketFor(), otherwise);
  t.end();
});

t.test('a match without labels is for every endpoint', (t) => {
  const always = { transport: otherwise!, transportMatches: [{ name: 'all', match: {}, transport: first! }] };
  t.equal(transportSocketFor(always, {}), first);
  t.end();
});
