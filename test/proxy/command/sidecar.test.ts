import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import t from 'tap';
import { parseFlags } from '../../../proxy/command/flags.ts';
import { Sidecar } from '../../../proxy/command/sidecar.ts';

const pod = { POD_NAME: 'cart-1', POD_NAMESPACE: 'shop', INSTANCE_IP: '127.0.0.1' };
const lines: string[] = [];
const log = new Proxy({} as Parameters<Sidecar['beginIdentity']>[0], {
  get: (_target, level) => (_facts: object, text: string) => lines.push(`${String(level)} ${text}`),
});

t.test('its arguments are those of a proxy, with the bootstrap that was made', async (t) => {
  const sidecar = new Sidecar(['sidecar', '--domain=shop.svc.mesh', '--proxyLogLevel=warning'], pod);
  const flags = parseFlags(sidecar.arguments);
  t.match(flags, { mode: 'serve', logLevel: 'warning', drainTimeMs: 45_000, drainStrategy: 'immediate' });
  t.match(JSON.parse(flags.configYaml!), {
    node: { id: 'sidecar~127.0.0.1~cart-1.shop~shop.svc.mesh' },
    admin: { address: { socket_address: { port_value: 15_000 } } },
  });
});

t.test('without --domain the namespace’s own is taken', async (t) => {
  const { configYaml } = parseFlags(new Sidecar([], pod).arguments);
  t.match(JSON.parse(configYaml!), { node: { id: /~shop\.svc\.cluster\.local$/ } });
});

t.test('who asks a CA in clear text gets no identity, and is told', async (t) => {
  const sidecar = new Sidecar([], { ...pod, CA_ADDR: 'istiod:15010' });
  t.equal(sidecar.beginIdentity(log), undefined);
  t.match(lines.at(-1), /^warn no CA is asked over a connection in clear text/);
});

t.test('a port of Istio that is taken is a problem with the way out', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  t.teardown(() => taken.close());
  const { port } = taken.address() as AddressInfo;
  const proxyConfig = JSON.stringify({ statusPort: port });
  const sidecar = new Sidecar([], { ...pod, PROXY_CONFIG: proxyConfig });
  await t.rejects(sidecar.answer(log), {
    name: 'ConfigError',
    message: new RegExp(
      `^the ports of the sidecar: 1 problem\\n.* port ${port}: cannot be listened on: address already in use; \`ss -ltnp sport = :${port}\` shows`,
    ),
  });
});

t.test('probes that cannot be asked are problems with their places', async (t) => {
  const variables = { ...pod, ISTIO_KUBE_APP_PROBERS: '{"/app-health/a/livez":{"tcpSocket":{}}}' };
  t.throws(() => new Sidecar([], variables), {
    name: 'ConfigError',
    message: /ISTIO_KUBE_APP_PROBERS\["\/app-health\/a\/livez"\]\.tcpSocket\.port: must be a number/,
  });
});
