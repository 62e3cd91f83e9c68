import t from 'tap';
import { parseControlPlaneFlags, usage } from '../../control-plane/flags.ts';
import { onlyItems } from '../support/only-items.ts';

const needed = ['--dir', 'd', '--listen', '127.0.0.1:1'];

t.test('a folder and an address suffice', async (t) => {
  t.same(parseControlPlaneFlags(needed), {
    folder: 'd',
    listen: '127.0.0.1:1',
    status: undefined,
    tls: undefined,
    upstreams: [],
    upstreamCredentials: {},
    nodeId: 'outrigger-control-plane',
    sourceTtlMs: 3_600_000,
    isCheck: false,
  });
});

t.test('every flag', async (t) => {
  const more =
    '--status [::1]:2 --tls-cert c --tls-key k --client-ca a --upstream x=b:1 --upstream c:1 --source-ttl 0 --node n';
  t.match(parseControlPlaneFlags([...needed, ...more.split(' ')]), {
    status: '[::1]:2',
    tls: { certificate: 'c', key: 'k', clientAuthority: 'a' },
    upstreams: onlyItems({ name: 'x', address: 'b:1' }, { name: 'c:1', address: 'c:1' }),
    nodeId: 'n',
    sourceTtlMs: 0,
  });
  t.match(parseControlPlaneFlags(['--dir', 'd', '--listen', 'unix:/run/x']), { listen: 'unix:/run/x' });
  t.match(parseControlPlaneFlags(['--check', '--dir', 'd']), { isCheck: true });
  t.equal(parseControlPlaneFlags(['--help']), undefined);
});

t.test('upstreams are reached by TLS with the certificates and the token of files', async (t) => {
  const file = (path: string) => ({ kind: 'file', path });
  const credentials = (flags: string) => parseControlPlaneFlags([...needed, ...flags.split(' ')])!.upstreamCredentials;
  t.same(credentials('--upstream-ca a'), { tls: { roots: file('a'), subjectAltNames: [] } });
  const all = '--upstream-ca a --upstream-san n --upstream-cert c --upstream-key k --upstream-token t';
  t.same(credentials(all), {
    tls: {
      roots: file('a'),
      subjectAltNames: [{ type: 'dns', value: 'n' }],
      sni: 'n',
      certificateChain: file('c'),
      privateKey: file('k'),
    },
    accessToken: file('t'),
  });
  for (const alone of ['token', 'cert', 'key', 'san']) {
    t.throws(() => credentials(`--upstream-${alone} x`), { message: /needs --upstream-ca/ }, alone);
  }
  t.throws(() => credentials('--upstream-ca a --upstream-cert c'), { message: /need each other/ });
});

t.test('a command line that cannot be used says what would be right', async (t) => {
  t.throws(() => parseControlPlaneFlags([]), { message: 'a folder is needed: --dir DIR' });
  t.throws(() => parseControlPlaneFlags(['--dir', 'd']), { message: 'an address is needed: --listen 127.0.0.1:18000' });
  t.throws(() => parseControlPlaneFlags([...needed, '--tls-key', 'k']), {
    message: 'TLS needs both --tls-cert and --tls-key',
  });
  t.throws(() => parseControlPlaneFlags([...needed, '--upstream', '=a:1']), { message: /expected NAME=ADDRESS/ });
  t.throws(() => parseControlPlaneFlags([...needed, '--upstream', 'a:1', '--upstream', 'a:1']), { message: /twice/ });
  t.throws(() => parseControlPlaneFlags([...needed, '--source-ttl', '1s']), { message: /whole number of seconds/ });
  for (const address of ['18000', 'localhost', '::1:80', '127.0.0.1:65536', '127.0.0.1:', ':80']) {
    const expected = 'expected an address and a port, such as 127.0.0.1:18000';
    const listen = ['--dir', 'd', '--listen', address];
    t.throws(() => parseControlPlaneFlags(listen), { message: `--listen ${address}: ${expected}` });
    t.throws(() => parseControlPlaneFlags([...needed, '--status', address]), { message: /^--status/ });
  }
  t.throws(() => parseControlPlaneFlags([...needed, '--lsten', 'k']), { message: /--lsten/ });
});

t.test('an upstream is a host and a port, or a socket', async (t) => {
  const addressOf = (text: string) => parseControlPlaneFlags([...needed, '--upstream', text])!.upstreams[0]!.address;
  for (const address of [
    '10.0.0.1:15010',
    '[fd00::1]:15010',
    'istiod.istio-system.svc:15010',
    'unix:/run/x',
    'dns:///a:1',
    'ipv4:10.0.0.1:15010',
    'ipv6:[fd00::1]:15010',
  ])
    t.equal(addressOf(`east=${address}`), address);
  const expected = 'expected a host and a port, such as istiod.istio-system.svc:15010, or unix:/path';
  for (const address of ['10.0.0.1', 'istiod', 'istiod:', 'a:0', 'a:65536', 'fd00::1', 'a b:1', 'unix:'])
    t.throws(() => addressOf(`east=${address}`), { message: `--upstream east=${address}: ${expected}` });
  t.throws(() => addressOf('https://istiod:15012'), {
    message: /expected a host.*; whether TLS is spoken, --upstream-ca/,
  });
});

t.test('the help names every flag', async (t) => {
  for (const flag of [
    'dir',
    'listen',
    'status',
    'tls-cert',
    'tls-key',
    'client-ca',
    'upstream',
    'upstream-ca',
    'upstream-san',
    'upstream-cert',
    'upstream-key',
    'upstream-token',
    'source-ttl',
    'check',
  ]) {
    t.match(usage, `--${flag}`);
  }
});
