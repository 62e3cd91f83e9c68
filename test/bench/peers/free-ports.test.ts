import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { text } from 'node:stream/consumers';
import t from 'tap';
import { freePorts } from '../../../bench/peers/free-ports.ts';

t.test('each port is given once, can be listened at, and is none that the kernel picks', async (t) => {
  const ports = (await Promise.all([freePorts(20), freePorts(20), freePorts(20)])).flat();
  t.equal(new Set(ports).size, 60);
  const server = createServer().listen(ports[0], '127.0.0.1');
  await once(server, 'listening');
  t.equal((server.address() as AddressInfo).port, ports[0]);
  server.close();
  t.ok(Math.max(...ports) < 32_768);
});

t.test('a port is not given to another process while this one lives, whoever asks first', async (t) => {
  const [port] = (await freePorts(1)) as [number];
  const module = JSON.stringify(import.meta.resolve('../../../bench/peers/free-ports.ts'));
  // Chance says this port at first.
  const program = `
    const { random } = Math;
    Math.random = () => {
      Math.random = random;
      return ${port - 16_000 + 0.5} / 16_000;
    };
    const { freePorts } = await import(${module});
    console.log((await freePorts(1))[0]);`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const other = Number(await text(child.stdout));
  t.ok(other > 0 && other !== port, `${port} and ${other}`);
});
