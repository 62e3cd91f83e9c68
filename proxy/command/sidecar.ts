// `outrigger sidecar`: what Istio's agent does beside its proxy, done by the proxy's own process. It makes the bootstrap
// from the environment of the container, gets the identity of the pod, and answers the kubelet and Prometheus. Loaded only
// when it is asked for.

import { readFileSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { NameTable } from '../../config/name-table.ts';
import { ConfigError, Problems } from '../../config/problems.ts';
import { cannotBeRead } from '../../config/unreadable-file.ts';
import type { OwnSecrets } from '../../xds/client/config-sources.ts';
import type { DnsProxy } from '../dns/dns-proxy.ts';
import type { WantedAddress } from '../listener/inherited-sockets.ts';
import { describeListenFailure } from '../listener/listen-failure.ts';
import { type AppProbe, readAppProbes } from '../sidecar/app-probe.ts';
import { lookForProcesses, sharesProcesses, watchApplication } from '../sidecar/application-watch.ts';
import { bootstrapDocument, secretsCluster } from '../sidecar/bootstrap-document.ts';
import { readEnvironment, type SidecarEnvironment } from '../sidecar/environment.ts';
import { HeldOutbound, outboundAddresses } from '../sidecar/held-outbound.ts';
import { OwnAdmin } from '../sidecar/own-admin.ts';
import { ReadinessProbe } from '../sidecar/readiness.ts';
import { flagsOfContainer, flagsOfMesh, readSidecarArguments } from '../sidecar/sidecar-arguments.ts';
import { sidecarNode } from '../sidecar/sidecar-node.ts';
import { StatusServer } from '../sidecar/status-server.ts';
import { Termination } from '../sidecar/termination.ts';
import { dnsStats } from '../telemetry/dns-stats.ts';
import type { ComponentLog } from '../telemetry/process-log.ts';
import type { WorkerStats } from '../telemetry/worker-stats.ts';
import { processClock } from './process-clock.ts';
import { chooseIdentity } from './sidecar-identity.ts';

/** Longer than the first push of a large mesh, shorter than what an application waits before it says what is wrong. */
const longestHoldMs = 30_000;
/** Where Istio has DNS redirected to. */
const dnsPort = 15_053;

export class Sidecar {
  /** Arguments of a proxy, with its bootstrap. */
  readonly arguments: readonly string[];
  readonly termination: Termination;
  readonly #environment: SidecarEnvironment;
  readonly #probes: ReadonlyMap<string, AppProbe>;
  readonly #dnsDomain: string;
  #names: NameTable | undefined;
  #dnsProxy: DnsProxy | undefined;
  #outbound: readonly HeldOutbound[] = [];

  /** Throws `ConfigError` with what is wrong with the environment or the arguments. */
  constructor(args: readonly string[], variables: NodeJS.ProcessEnv) {
    const environment = readEnvironment({ variables, readFile: readIfThere });
    if (environment.exitAfterApplicationMs !== undefined && !sharesProcesses()) throw notShared;
    const { dnsDomain = `${environment.namespace}.svc.cluster.local`, flags } = readSidecarArguments(args);
    const document = bootstrapDocument(environment, sidecarNode(environment, dnsDomain));
    const more = [...flagsOfMesh(environment, flags), ...flagsOfContainer(flags, variables)];
    this.arguments = [...flags, ...more, '--config-yaml', JSON.stringify(document)];
    this.termination = new Termination({
      settings: environment.termination,
      clock: processClock.nowMs,
      schedule: processClock.schedule,
    });
    this.#environment = environment;
    this.#dnsDomain = dnsDomain;
    this.#probes = probesOf(environment);
  }

  /** Connections of the application wait from now on. */
  holdOutbound(log: ComponentLog): void {
    const { schedule } = processClock;
    this.#outbound = outboundAddresses(this.#environment.instanceIps).map(
      (address) => new HeldOutbound({ address, longestMs: longestHoldMs, schedule, log }),
    );
    for (const held of this.#outbound) held.open();
  }

  /** For the listeners that are opened: the socket at which connections wait. */
  inherit(wanted: WantedAddress): readonly number[] {
    return this.#outbound.flatMap((held) => held.take(wanted));
  }

  /** Begins to follow the identity; undefined where listeners and clusters ask an agent's socket themselves. */
  beginIdentity(log: ComponentLog): OwnSecrets | undefined {
    const identity = chooseIdentity(this.#environment, log);
    identity?.start();
    return identity && { cluster: secretsCluster, identity };
  }

  /** Takes the names of the mesh; undefined where the pod's DNS does not come to us. */
  get onNames(): ((names: NameTable) => void) | undefined {
    if (!this.#environment.capturesDns) return undefined;
    return (names) => {
      this.#names = names;
      this.#dnsProxy?.use(names);
    };
  }

  /** Answers DNS where the pod's comes to us. Rejects when the port cannot be had. */
  async answerNames(stats: WorkerStats, log: ComponentLog): Promise<void> {
    const { capturesDns, namespace } = this.#environment;
    if (!capturesDns) return;
    const { DnsProxy } = await import('../dns/dns-proxy.ts');
    const proxy = new DnsProxy({
      namespace,
      domain: this.#dnsDomain,
      resolvConf: readIfThere('/etc/resolv.conf') ?? '',
      upstreamPort: 53,
      random: Math.random,
      ...processClock,
      stats: stats.block(dnsStats),
      log,
    });
    await proxy.listen(dnsPort).catch(failOfPort);
    if (this.#names !== undefined) proxy.use(this.#names);
    this.#dnsProxy = proxy;
  }

  /** Calls back when the application has gone, where that is asked for. */
  onApplicationGone(end: () => void, log: ComponentLog): void {
    const graceMs = this.#environment.exitAfterApplicationMs;
    if (graceMs === undefined) return;
    const { nowMs: clock, schedule } = processClock;
    watchApplication({ look: lookForProcesses, graceMs, end, clock, schedule, log });
  }

  /** Answers the kubelet. Rejects when a port cannot be had. */
  async answer(log: ComponentLog): Promise<void> {
    const { proxyConfig, instanceIps, appMetrics, probesLoopback, capturesDns } = this.#environment;
    const admin = new OwnAdmin(proxyConfig.adminPort);
    const probe = new ReadinessProbe({ admin, log, schedule: processClock.schedule, needsNames: capturesDns });
    const told = (what: string) => (reason: string) => reason !== '' && log.warn({ reason }, what);
    const server = new StatusServer({
      readiness: (options) => probe.check(options),
      metrics: () => admin.metrics(),
      probes: this.#probes,
      probeTarget: { host: probesLoopback ? 'localhost' : instanceIps[0]!, source: probeSource(instanceIps[0]!) },
      // As Istio's agent asks: on loopback, which nothing redirects.
      appMetrics: appMetrics.map((place) => ({ host: 'localhost', ...place })),
      quit: () => void admin.quit().then(told('the sidecar does not end')),
      drain: () => {
        this.termination.onClientsAsked();
        void admin.drain().then(told('clients are not asked to leave'));
      },
      schedule: processClock.schedule,
    });
    const { statusPort: status, healthPort: health, prometheusPort: prometheus } = proxyConfig;
    const ports = await server.listen({ status, health, prometheus }).catch(failOfPort);
    log.info({ ...ports }, 'the kubelet is answered');
  }
}

const notShared = new ConfigError('the environment of the sidecar', [
  {
    path: 'OUTRIGGER_EXIT_AFTER_APPLICATION',
    message: 'the application is not to be seen: the pod needs shareProcessNamespace: true',
  },
]);

function probesOf({ appProbes }: SidecarEnvironment): ReadonlyMap<string, AppProbe> {
  const problems = new Problems('ISTIO_KUBE_APP_PROBERS');
  const probes = readAppProbes(appProbes, problems);
  if (!problems.isEmpty) throw new ConfigError('the environment of the sidecar', problems.list);
  return probes;
}

/** A port that is another's is no fault of ours: a second sidecar in the pod, or an application on a port of Istio's. */
function failOfPort(error: NodeJS.ErrnoException & { readonly address?: string; readonly port?: number }): never {
  const { errno, address, port } = error;
  if (errno === undefined || address === undefined || port === undefined) throw error;
  const message = `cannot be listened on: ${describeListenFailure(-errno, { kind: 'ip', ip: address, port })}`;
  throw new ConfigError('the ports of the sidecar', [{ path: `${address} port ${port}`, message }]);
}

/** What Istio's rules leave alone. The IPv6 address is none of loopback's own: where nobody added it, it cannot be had. */
function probeSource(podIp: string): string | undefined {
  if (!isIPv6(podIp)) return '127.0.0.6';
  const isThere = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === '::6'));
  return isThere ? '::6' : undefined;
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new ConfigError('the environment of the sidecar', [{ path, message: cannotBeRead(path, error) }]);
  }
}
