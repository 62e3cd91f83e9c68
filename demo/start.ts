// `npm start`: a control plane over a folder with one file, outrigger that follows it, and two replicas of a small
// application behind, with what to try printed. Ctrl-C ends all.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { demoBootstrap, demoService } from './bootstrap.ts';
import { startSampleApplication } from './sample-application.ts';

// Envoy's own examples listen here, so fingers know them.
const LISTENER_PORT = 10000;
const ADMIN_PORT = 9901;
// As in the examples of go-control-plane.
const CONTROL_PLANE_PORT = 18000;
const STATUS_PORT = 18001;
// Less than a second, unless the machine is busy with something else.
const READY_WITHIN_MS = 60_000;

const folder = mkdtempSync(join(tmpdir(), 'outrigger-demo-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
const replicas = [await startSampleApplication('replica 1'), await startSampleApplication('replica 2')];
const listenerPort = await portNear(LISTENER_PORT);
const adminPort = await portNear(ADMIN_PORT);
const controlPlanePort = await portNear(CONTROL_PLANE_PORT);
const statusPort = await portNear(STATUS_PORT);
const serviceFile = join(folder, 'resources/sample-application.yaml');
const controlPlane = startControlPlane();
const sidecar = startSidecar();
const ended = once(sidecar, 'exit');
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => sidecar.kill('SIGTERM'));

if (await isReady()) printWelcome();
else {
  // Whichever of them ended has said why.
  if (!hasEnded()) console.error(`npm start: outrigger is not ready after ${READY_WITHIN_MS / 1000} s`);
  sidecar.kill('SIGTERM');
}
const [exitCode] = await ended;
const controlPlaneEnded = once(controlPlane, 'exit');
if (controlPlane.kill('SIGTERM')) await controlPlaneEnded;
for (const replica of replicas) await replica.close();
process.exitCode = exitCode ?? 1;

function startControlPlane(): ChildProcess {
  const resources = join(folder, 'resources');
  mkdirSync(resources);
  const endpointPorts = replicas.map((replica) => replica.port);
  writeFileSync(serviceFile, demoService(listenerPort, endpointPorts));
  const addresses = ['--listen', `127.0.0.1:${controlPlanePort}`, '--status', `127.0.0.1:${statusPort}`];
  return startProgram(['control-plane', '--dir', resources, ...addresses]);
}

function startSidecar(): ChildProcess {
  const file = join(folder, 'bootstrap.json');
  writeFileSync(file, demoBootstrap({ adminPort, controlPlanePort }));
  return startProgram(['-c', file, '--log-level', 'error', '--drain-time-s', '2', '--no-config-cache']);
}

/** In a group of its own: Ctrl-C in a terminal reaches us alone, and we end everything in order. */
function startProgram(args: readonly string[]): ChildProcess {
  const command = join(import.meta.dirname, '../bin/outrigger');
  return spawn(command, args, { detached: true, stdio: ['ignore', 'inherit', 'inherit'] });
}

async function isReady(): Promise<boolean> {
  const deadline = performance.now() + READY_WITHIN_MS;
  while (!hasEnded() && performance.now() < deadline) {
    const response = await fetch(`http://127.0.0.1:${adminPort}/ready`).catch(connectionRefused);
    if (response?.ok) return true;
    await delay(20);
  }
  return false;
}

function hasEnded(): boolean {
  return [sidecar, controlPlane].some(({ exitCode, signalCode }) => exitCode !== null || signalCode !== null);
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
It has this from a control plane on 127.0.0.1:${controlPlanePort}, and that from the file
  ${serviceFile}

Try:
  curl ${address}/hello
  curl -i ${address}/flaky

Take replica 1 away, without a restart, and ask again:
  sed -i 's/127.0.0.1:${replicas[0]!.port}, //' ${serviceFile}
  curl ${address}/hello

Admin page: http://127.0.0.1:${adminPort}/
Control plane: http://127.0.0.1:${statusPort}/status
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
