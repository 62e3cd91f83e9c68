// A cluster whose endpoints are where connections were headed. Redirection itself needs rules in the kernel; here a
// header says the destination, as `use_http_header` allows, and hand-over is tested at the listener.

import t from 'tap';
import { startNamedOrigin } from '../support/named-origin.ts';
import { RawClient } from '../support/raw-client.ts';
import { httpFilterChain, type Sidecar, socketAddress, startSidecar } from '../support/sidecar.ts';

// Each test starts a process, which takes seconds on a busy machine.
t.setTimeout(120_000);

async function ask(sidecar: Sidecar, destination?: string): Promise<string> {
  const client = await RawClient.open(sidecar.port('http'));
  const header = destination === undefined ? '' : `x-envoy-original-dst-host: ${destination}\r\n`;
  await client.write(`GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${header}\r\n`);
  const text = await client.ended();
  client.close();
  return text;
}

t.test('each request goes where its header says, and to nobody without one', async (t) => {
  const one = await startNamedOrigin(t, 'one');
  const two = await startNamedOrigin(t, 'two', '127.0.0.2');
  const six = await startNamedOrigin(t, 'six', '::1');
  const cluster = {
    name: 'app',
    type: 'ORIGINAL_DST',
    lb_policy: 'CLUSTER_PROVIDED',
    connect_timeout: '5s',
    original_dst_lb_config: { use_http_header: true },
  };
  const listener = {
    name: 'http',
    address: socketAddress(0),
    use_original_dst: true,
    filter_chains: [httpFilterChain('app')],
  };
  const sidecar = await startSidecar(t, {
    bootstrap: { static_resources: { listeners: [listener], clusters: [cluster] } },
    flags: ['--concurrency', '1'],
  });
  for (const [destination, name] of [
    [`127.0.0.1:${one}`, 'one'],
    [`127.0.0.2:${two}`, 'two'],
    [`[::1]:${six}`, 'six'],
    [`127.0.0.1:${one}`, 'one'],
  ] as const) {
    t.match(await ask(sidecar, destination), new RegExp(`^HTTP/1\\.1 200 [^]*${name}$`));
  }
  t.match(await ask(sidecar), /^HTTP\/1\.1 503 /);
  t.match(await ask(sidecar, 'app.test:80'), /^HTTP\/1\.1 503 /, 'a name is no destination');
  t.match(await sidecar.admin('/stats?filter=original_dst_host_invalid'), /: [1-9]/);
});
