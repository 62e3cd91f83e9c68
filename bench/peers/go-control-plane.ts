// The control plane of the xds suite: go-control-plane's library in a small program (test/go-control-plane), because a
// server of our own making would flatter our own client. Tests use it as a second server as well.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { buildGoProgram } from './go-program.ts';
import { LOAD_CORE } from './pinned-process.ts';

// Put before the command where latencies are measured: on the load's core, and without collections of its own. Each takes the core
// that load and origin share for 11 to 17 ms while 10,000 clusters are in it, and the slowest hundredth of changes were those,
// for both proxies: p99 of 400 changes 22.5 ms with and 14.9 without for outrigger, 20.2 and 11.8 for Envoy.
export const MEASURED: readonly string[] = ['env', 'GOGC=off', 'GOMEMLIMIT=4GiB', 'taskset', '-c', String(LOAD_CORE)];

export type ControlPlaneOptions = {
  readonly clusters: number;
  readonly hosts: number;
  // Ports of the listeners it serves.
  readonly listenerPorts: readonly number[];
  readonly endpointPort: number;
  readonly cache?: 'linear' | 'snapshot';
  // Put before the command.
  readonly prefix?: readonly string[];
};

// One response, as `/status` tells it.
export type SentResponse = {
  readonly type_url: string;
  readonly version: string;
  readonly resources: number;
  readonly removed: number;
  readonly bytes: number;
  // Wall clock, microseconds since 1970; answered 0 is not yet.
  readonly sent_at_us: number;
  readonly answered_at_us: number;
  readonly nack?: string;
};

export type ControlPlaneStatus = { readonly streams: number; readonly responses: readonly SentResponse[] };

export type ControlPlane = {
  readonly pid: number;
  readonly xdsPort: number;
  // Rejects with what the control plane says when it refuses.
  readonly changeEndpoint: (cluster: string, address: string) => Promise<void>;
  readonly changeRoute: (host: string, cluster: string) => Promise<void>;
  readonly push: (change: Readonly<Record<string, string>>) => Promise<void>;
  readonly restartStreams: () => Promise<void>;
  // The last `count` responses, of one type (`cds`, `eds`, `lds`, `rds`) or of all.
  readonly status: (type?: string, count?: number) => Promise<ControlPlaneStatus>;
  readonly stop: () => Promise<void>;
};

// Path of the program, as of `buildGoProgram`.
export function buildControlPlane(): string {
  return buildGoProgram('go-control-plane');
}

// Rejects when the program ends before it is ready.
export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const command = [
    ...(options.prefix ?? []),
    buildControlPlane(),
    `--cache=${options.cache ?? 'linear'}`,
    `--clusters=${options.clusters}`,
    `--hosts=${options.hosts}`,
    `--listeners=${options.listenerPorts.join(',')}`,
    `--endpoints=127.0.0.1:${options.endpointPort}`,
    // A program that crashed leaves nothing behind.
    '--until-eof',
  ];
  const child = spawn(command[0]!, command.slice(1), { stdio: ['pipe', 'pipe', 'inherit'] });
  const addresses = await firstLine(child);
  const post = async (path: string, query: Readonly<Record<string, string>>) => {
    await ask(`http://${addresses.http}${path}?${new URLSearchParams(query)}`, 'POST');
  };
  return {
    pid: addresses.pid,
    xdsPort: Number(addresses.xds.slice(addresses.xds.lastIndexOf(':') + 1)),
    changeEndpoint: (cluster, address) => post('/change', { kind: 'endpoint', cluster, address }),
    changeRoute: (host, cluster) => post('/change', { kind: 'route', host, cluster }),
    push: (change) => post('/push', change),
    restartStreams: () => post('/restart-stream', {}),
    status: (type = '', count = 1000) => ask(`http://${addresses.http}/status?type=${type}&last=${count}`, 'GET'),
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGTERM');
      await once(child, 'exit');
    },
  };
}

async function firstLine(child: ChildProcess): Promise<{ pid: number; xds: string; http: string }> {
  const lines = createInterface({ input: child.stdout! });
  const ended = once(child, 'close').then(() =>
    Promise.reject(new Error('go-control-plane ended before it was ready')),
  );
  const [line] = (await Promise.race([once(lines, 'line'), ended])) as [string];
  return JSON.parse(line);
}

async function ask(url: string, method: string): Promise<ControlPlaneStatus> {
  const response = await fetch(url, { method });
  if (!response.ok) throw new Error(`${url}: ${(await response.text()).trim()}`);
  return (await response.json()) as ControlPlaneStatus;
}
