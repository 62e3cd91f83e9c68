import t from 'tap';
import { formatAddress, grpcTarget } from '../../config/address.ts';

const addresses = [
  { kind: 'ip', ip: '127.0.0.1', port: 80 },
  { kind: 'ip', ip: '::1', port: 80 },
  { kind: 'host', hostname: 'shop.example', port: 80 },
  { kind: 'pipe', path: '/run/app.sock' },
  { kind: 'pipe', path: '@app' },
] as const;

t.test('an address is written as Envoy does', async (t) => {
  const texts = ['127.0.0.1:80', '[::1]:80', 'shop.example:80', '/run/app.sock', '@app'];
  t.same(addresses.map(formatAddress), texts);
});

t.test('for gRPC it has a scheme, and names of the abstract namespace begin with a zero', async (t) => {
  const targets = ['ipv4:127.0.0.1:80', 'ipv6:[::1]:80', 'dns:shop.example:80', 'unix:/run/app.sock', 'unix:\0app'];
  t.same(addresses.map(grpcTarget), targets);
});
