// A pod in network and mount namespaces of its own (bpf-pod.ts starts it there): an origin, the sidecar as it is shipped, and
// an application's cgroup in which loads are run when the bench asks for them.
import { execFile, execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { CaptureOverview } from '../../proxy/command/capture-overview.ts';
import { patternBody, SMALL_BODY_BYTES } from '../load/bodies.ts';
import type { ConnectOutcome } from '../load/connect-client.ts';
import { awaitFirstAnswer } from '../load/first-answer.ts';
import { runWrk, type WrkOutcome } from '../load/wrk.ts';
import { measureLoad, type Slot } from '../measure/measured-load.ts';
import { startOrigin } from './origin.ts';
import { inCgroup, LOAD_CORE, type PinnedProcess, PROXY_CORE, startPinned } from './pinned-process.ts';

export type PodOptions = {
  readonly name: string;
  // As in `--capture`.
  readonly capture: 'none' | 'ebpf' | 'iptables';
  readonly shortcut: boolean;
  // Where cgroup2 is mounted.
  readonly cgroupRoot: string;
};

export type PodOrder =
  // Connections one after another, each asking for `/here`, which the sidecar answers by itself.
  | { readonly kind: 'connects'; readonly seconds: number }
  | {
      readonly kind: 'requests';
      readonly path: string;
      readonly connections: number;
      readonly seconds: number;
      readonly closes: boolean;
    }
  | { readonly kind: 'tracked-connections' }
  | { readonly kind: 'capture' }
  | { readonly kind: 'stop' };

export type PodAnswer = {
  readonly connects?: ConnectOutcome & { readonly stealShare: number };
  readonly slot?: Slot;
  readonly trackedConnections?: number;
  // What /capture says.
  readonly capture?: CaptureOverview;
};

// Of the application's destination: a name of this machine beside loopback's own, which is not captured.
const SERVICE = { ip: '10.9.1.1', port: 8080 };
const DIRECT_PORT = 8081;
const ADMIN_PORT = 15000;
const PROXY_GROUP = 1337;
const READY_DEADLINE_MS = 20_000;

const COMMAND = join(import.meta.dirname, '..', '..', 'bin', 'outrigger');
const CONNECT_CLIENT = join(import.meta.dirname, '..', 'load', 'connect-client.ts');
const EXTENSIONS = 'type.googleapis.com/envoy.extensions.filters.network';

class Pod {
  readonly #options: PodOptions;
  readonly #directory = mkdtempSync(join(tmpdir(), 'outrigger-bench-pod-'));
  readonly #cgroups: readonly string[];
  #sidecar: PinnedProcess | null = null;
  #stopOrigin: () => Promise<void> = async () => undefined;
  #stopped: Promise<void> | undefined;

  constructor(options: PodOptions) {
    this.#options = options;
    // Named as kubelet does, so that the sidecar finds its pod.
    const top = join(options.cgroupRoot, `outrigger-bench-${process.pid}`);
    const pod = join(top, 'kubepods', `pod${randomUUID()}`);
    this.#cgroups = [top, join(top, 'kubepods'), pod, join(pod, 'application'), join(pod, 'sidecar')];
    for (const folder of this.#cgroups) mkdirSync(folder);
  }

  async start(): Promise<void> {
    execFileSync('ip', ['link', 'set', 'lo', 'up']);
    execFileSync('ip', ['address', 'add', `${SERVICE.ip}/32`, 'dev', 'lo']);
    // A load of short connections would be out of ports within seconds.
    writeFileSync('/proc/sys/net/ipv4/ip_local_port_range', '16000 65535');
    // The origin is of the application's pod: the short-circuit takes both of its ends.
    const origin = await startOrigin({ cgroup: this.#cgroups.at(-2)! });
    this.#stopOrigin = origin.stop;
    const bootstrap = join(this.#directory, 'bootstrap.json');
    const settings = join(this.#directory, 'capture.yaml');
    writeFileSync(bootstrap, JSON.stringify(bootstrapOf(origin.port)));
    writeFileSync(settings, settingsOf(this.#options.shortcut, origin.port));
    const { capture } = this.#options;
    const flags = ['-c', bootstrap, '--concurrency', '1', '--log-level', 'info', '--no-config-cache'];
    const captured = capture === 'none' ? [] : ['--capture', capture, '--capture-settings', settings];
    const identity = ['setpriv', '--regid', String(PROXY_GROUP), '--clear-groups'];
    const command = [...inCgroup(this.#cgroups.at(-1)!), ...identity, COMMAND, ...flags, ...captured];
    this.#sidecar = startPinned(command, { core: PROXY_CORE, directory: this.#directory });
    const ready = { authority: 'bench.example', deadlineMs: READY_DEADLINE_MS, process: this.#sidecar };
    await awaitFirstAnswer({ ...ready, port: DIRECT_PORT });
    // Its interface opens a moment later, and is asked for what was captured.
    await awaitFirstAnswer({ ...ready, port: ADMIN_PORT, path: '/ready' });
  }

  async answer(order: PodOrder): Promise<PodAnswer> {
    switch (order.kind) {
      case 'connects':
        return { connects: await this.#connects(order.seconds) };
      case 'requests':
        return { slot: await measureLoad(this.#sidecar!.pid, () => this.#requests(order)) };
      case 'tracked-connections':
        return { trackedConnections: Number(readFileSync('/proc/sys/net/netfilter/nf_conntrack_count', 'utf8')) };
      case 'capture':
        return { capture: await this.#capture() };
      case 'stop':
        await this.stop();
        return {};
    }
  }

  async #connects(seconds: number) {
    const options = { ...this.#destination(), path: '/here', seconds };
    let outcome: ConnectOutcome | undefined;
    const slot = await measureLoad(this.#sidecar!.pid, async () => {
      const command = [...inCgroup(this.#cgroups.at(-2)!), process.execPath, CONNECT_CLIENT, JSON.stringify(options)];
      const { stdout } = await promisify(execFile)('taskset', ['-c', String(LOAD_CORE), ...command]);
      outcome = JSON.parse(stdout) as ConnectOutcome;
      return { requests: outcome.connections, bytes: 0, seconds };
    });
    return { ...outcome!, stealShare: slot.stealShare };
  }

  #requests({ path, connections, seconds, closes }: PodOrder & { kind: 'requests' }): Promise<WrkOutcome> {
    const headers = closes ? { Connection: 'close' } : {};
    return runWrk({
      ...this.#destination(),
      cgroup: this.#cgroups.at(-2)!,
      connections,
      seconds,
      request: { method: 'GET', path, authority: 'bench.example', headers, body: '' },
      directory: this.#directory,
    });
  }

  // Without capture the application knows the sidecar's own port.
  #destination(): { readonly ip: string; readonly port: number } {
    return this.#options.capture === 'none' ? { ip: SERVICE.ip, port: DIRECT_PORT } : SERVICE;
  }

  async #capture(): Promise<CaptureOverview> {
    const response = await fetch(`http://127.0.0.1:${ADMIN_PORT}/capture?format=json`);
    return (await response.json()) as CaptureOverview;
  }

  // Once, however often it is asked for.
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    await this.#sidecar?.stop();
    await this.#stopOrigin();
    for (const folder of this.#cgroups.toReversed()) rmdirSync(folder);
    rmSync(this.#directory, { recursive: true });
  }
}

function settingsOf(shortcut: boolean, originPort: number): string {
  const accept = '[fionread, blocking-recv, splice]';
  const own = shortcut ? `, shortcut: { enabled: true, ports: [${originPort}], accept: ${accept} }` : '';
  return `capture: { policy: closed${own} }\n`;
}

const socketAddress = (port: number, address: string) => ({ socket_address: { address, port_value: port } });

function bootstrapOf(originPort: number): object {
  const manager = {
    '@type': `${EXTENSIONS}.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: 'http',
    generate_request_id: false,
    route_config: {
      virtual_hosts: [
        { name: 'all', domains: ['*'], routes: [here(), { match: { prefix: '/' }, route: { cluster: 'origin' } }] },
      ],
    },
    http_filters: [
      {
        name: 'router',
        typed_config: {
          '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router',
          suppress_envoy_headers: true,
        },
      },
    ],
  };
  const chain = { filters: [{ name: 'http', typed_config: manager }] };
  const endpoint = { endpoint: { address: socketAddress(originPort, '127.0.0.1') } };
  return {
    admin: { address: socketAddress(ADMIN_PORT, '127.0.0.1') },
    static_resources: {
      listeners: [
        { name: 'direct', address: socketAddress(DIRECT_PORT, '0.0.0.0'), filter_chains: [chain] },
        {
          name: 'service',
          address: socketAddress(SERVICE.port, SERVICE.ip),
          bind_to_port: false,
          filter_chains: [chain],
        },
        {
          name: 'virtualOutbound',
          address: socketAddress(15001, '0.0.0.0'),
          use_original_dst: true,
          filter_chains: [chain],
        },
      ],
      clusters: [
        { name: 'origin', load_assignment: { cluster_name: 'origin', endpoints: [{ lb_endpoints: [endpoint] }] } },
      ],
    },
  };
}

function here(): object {
  const body = { inline_string: patternBody(SMALL_BODY_BYTES) };
  return { match: { path: '/here' }, direct_response: { status: 200, body } };
}

const pod = new Pod(JSON.parse(process.argv[2]!) as PodOptions);

async function report(outcome: () => Promise<PodAnswer>): Promise<void> {
  try {
    process.send!(await outcome());
  } catch (error) {
    process.send!({ problem: (error as Error).message });
  }
}

process.on('message', (order: PodOrder) => {
  void report(() => pod.answer(order)).then(() => {
    if (order.kind === 'stop') process.disconnect();
  });
});
// The bench has ended, in order or not: nothing may be left on the cores.
process.on('disconnect', () => void pod.stop().then(() => process.exit(0)));
void report(async () => {
  await pod.start();
  return {};
});
