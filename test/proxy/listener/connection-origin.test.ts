import t from 'tap';
import type { Address } from '../../../config/address.ts';
import { criteriaOf, ipOf } from '../../../proxy/listener/connection-origin.ts';
import { nothingFound } from '../../../proxy/listener/listener-filter.ts';

const ip = (text: string, port: number): Address => ({ kind: 'ip', ip: text, port });

t.test('a connection in which nothing was found is one of plain bytes', (t) => {
  const [local, peer, remote] = [ip('10.0.0.1', 80), ip('10.0.0.2', 1234), ip('10.0.0.3', 5678)];
  t.same(criteriaOf({ remote, peer, local, original: undefined, found: nothingFound }), {
    destinationIp: '10.0.0.1',
    destinationPort: 80,
    serverName: '',
    transportProtocol: 'raw_buffer',
    applicationProtocols: [],
    directSourceIp: '10.0.0.2',
    sourceIp: '10.0.0.3',
    sourcePort: 5678,
  });
  t.end();
});

t.test('what is no IP address has none, and port 0', (t) => {
  t.equal(ipOf(undefined), '');
  const origin = { remote: undefined, peer: undefined, local: undefined, original: undefined, found: nothingFound };
  t.match(criteriaOf(origin), { destinationIp: '', destinationPort: 0, sourceIp: '', sourcePort: 0 });
  t.end();
});
