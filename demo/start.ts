// `npm start`: outrigger in front of two replicas of a small application, with what to try printed. Ctrl-C ends all.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { demoBootstrap } from './bootstrap.ts';
import { startSampleApplication } from './sample-application.ts';

// Envoy's own examples listen here, so fingers know them.
const LISTENER_PORT = 10000;
const ADMIN_PORT = 9901;
const READY_WITHIN_MS = 10_000;

const folder = mkdtempSync(join(tmpdir(), 'outrigger-demo-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
const replicas = [await startSampleApplication('replica 1'), await startSampleApplication('replica 2')];
const listenerPort = await portNear(LISTENER_PORT);
const adminPort = await portNear(ADMIN_PORT);
const sidecar = startSidecar();
const ended = once(sidecar, 'exit');
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => sidecar.kill('SIGTERM'));

if (await isReady()) printWelcome();
else sidecar.kill('SIGTERM');
const [exitCode] = await ended;
for (const replica of replicas) await replica.close();
process.exitCode = exitCode ?? 1;

function startSidecar(): ChildProcess {
  const file = join(folder, 'bootstrap.json');
  const endpointPorts = replicas.map((replica) => replica.port);
  writeFileSync(file, demoBootstrap({ listenerPort, adminPort, endpointPorts }));
  const command = join(import.meta.dirname, '../bin/outrigger');
  // A group of its own: Ctrl-C in a terminal reaches us alone, and we end it in order.
  return spawn(command, ['-c', file, '--log-level', 'warning', '--drain-time-s', '2'], {
    detached: true,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
}

async function isReady(): Promise<boolean> {
  const deadline = performance.now() + READY_WITHIN_MS;
  while (sidecar.exitCode === null && performance.now() < deadline) {
    const response = await fetch(`http://127.0.0.1:${adminPort}/ready`).catch(connectionRefused);
    if (response?.ok) return true;
    await delay(20);
  }
  return false;
}

/** Nobody listens yet: the one failure that waiting mends. */
function connectionRefused(error: unknown): undefined {
  const cause = error instanceof Error ? (error.cause as NodeJS.ErrnoException | undefined) : undefined;
  if (cause?.code !== 'ECONNREFUSED') throw error;
  return undefined;
}

function printWelcome(): void {
  const address = `http://127.0.0.1:${listenerPort}`;
  console.log(`
outrigger listens on ${address}, in front of
${replicas.map((replica) => `  a replica of the sample application on 127.0.0.1:${replica.port}`).join('\n')}

Try:
  curl ${address}/hello
  curl -i ${address}/flaky
  curl -d 'to and fro' ${address}/echo

Admin page: http://127.0.0.1:${adminPort}/
Ctrl-C ends everything.
`);
}

/** The wanted port, or a free one when somebody else has it. */
async function portNear(wanted: number): Promise<number> {
  const server = createServer();
  try {
    await once(server.listen(wanted, '127.0.0.1'), 'listening');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    await once(server.listen(0, '127.0.0.1'), 'listening');
  }
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
