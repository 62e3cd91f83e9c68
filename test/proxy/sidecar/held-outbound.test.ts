import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import t from 'tap';
import { freePorts } from '../../../bench/peers/free-ports.ts';
import { close } from '../../../native/socket.ts';
import { HeldOutbound, outboundAddresses } from '../../../proxy/sidecar/held-outbound.ts';

async function hold(ip = '127.0.0.1') {
  const address = { kind: 'ip', ip, port: (await freePorts(1))[0]! } as const;
  const lines: string[] = [];
  const log = new Proxy({} as ConstructorParameters<typeof HeldOutbound>[0]['log'], {
    get: (_target, level) => (_facts: object, text: string) => lines.push(`${String(level)} ${text}`),
  });
  let expire = (): void => undefined;
  const held = new HeldOutbound({
    address,
    longestMs: 1000,
    schedule: (_delayMs, callback) => (expire = callback),
    log,
  });
  held.open();
  return {
    held,
    address,
    lines,
    wanted: { listener: 'virtualOutbound', address, ipv4Compatible: false },
    expire: () => expire(),
  };
}

t.test('connections wait until the socket is taken, and are its connections then', async (t) => {
  const { held, address, wanted } = await hold();
  const client = connect(address.port, address.ip);
  await once(client, 'connect');
  t.same(held.take({ ...wanted, address: { ...address, port: address.port + 1 } }), [], 'another address');
  const [socket] = held.take(wanted);
  t.same(held.take(wanted), [], 'once');
  const server = createServer((connection) => connection.end('served'));
  server.listen({ fd: socket! });
  const [data] = await once(client, 'data');
  t.equal(String(data), 'served');
  client.destroy();
  server.close();
});

t.test('when no configuration comes, what waits is reset and nothing more is held', async (t) => {
  const { held, address, wanted, lines, expire } = await hold();
  const client = connect(address.port, address.ip);
  await once(client, 'connect');
  expire();
  const [error] = await once(client, 'error');
  t.equal(error.code, 'ECONNRESET');
  t.matchOnly(lines, [/^warn no configured listener has taken the address/]);
  t.same(held.take(wanted), []);
});

t.test('what was taken is not closed when the time is over', async (t) => {
  const { held, wanted, lines, expire } = await hold();
  const [socket] = held.take(wanted);
  expire();
  t.same(lines, []);
  t.equal(close(socket!), 0);
});

t.test('an address that cannot be had is told', async (t) => {
  const { held, wanted, lines } = await hold('192.0.2.1');
  t.matchOnly(lines, [/^warn connections of the application are not held/]);
  t.same(held.take(wanted), []);
});

t.test('connections of each family that the pod has are held', async (t) => {
  const ips = (...instanceIps: string[]) => outboundAddresses(instanceIps).map(({ ip }) => ip);
  t.same(ips('10.0.0.1'), ['0.0.0.0']);
  t.same(ips('fd00::1'), ['::']);
  t.same(ips('10.0.0.1', 'fd00::1'), ['0.0.0.0', '::']);
  t.same(outboundAddresses(['fd00::1', 'fd00::2']), [{ kind: 'ip', ip: '::', port: 15_001 }]);
});
