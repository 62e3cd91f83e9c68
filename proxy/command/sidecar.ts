// `outrigger sidecar`: what Istio's agent does beside its proxy, done by the proxy's own process. It makes the bootstrap
// from the environment of the container, gets the identity of the pod, and answers the kubelet and Prometheus. Loaded only
// when it is asked for.

import { existsSync, readFileSync } from 'node:fs';
import { ConfigError, Problems } from '../../config/problems.ts';
import type { OwnSecrets } from '../../xds/client/config-sources.ts';
import { IdentityKeeper } from '../../xds/identity/identity-keeper.ts';
import { IstioCa } from '../../xds/identity/istio-ca.ts';
import { type AppProbe, readAppProbes } from '../sidecar/app-probe.ts';
import { bootstrapDocument, isPlainText, secretsCluster, workloadSocketPath } from '../sidecar/bootstrap-document.ts';
import { readEnvironment, type SidecarEnvironment } from '../sidecar/environment.ts';
import { checkGrpcHealth } from '../sidecar/grpc-health.ts';
import { OwnAdmin } from '../sidecar/own-admin.ts';
import { flagsOfMesh, readSidecarArguments } from '../sidecar/sidecar-arguments.ts';
import { sidecarNode, spiffeIdOf } from '../sidecar/sidecar-node.ts';
import { StatusServer } from '../sidecar/status-server.ts';
import type { ComponentLog } from '../telemetry/process-log.ts';
import { processClock } from './process-clock.ts';

export class Sidecar {
  /** Arguments of a proxy, with its bootstrap. */
  readonly arguments: readonly string[];
  readonly #environment: SidecarEnvironment;
  readonly #probes: ReadonlyMap<string, AppProbe>;
  #keeper: IdentityKeeper | undefined;

  /** Throws `ConfigError` with what is wrong with the environment or the arguments. */
  constructor(args: readonly string[], variables: NodeJS.ProcessEnv) {
    const environment = readEnvironment({ variables, readFile: readIfThere });
    const { dnsDomain = `${environment.namespace}.svc.cluster.local`, flags } = readSidecarArguments(args);
    const document = bootstrapDocument(environment, sidecarNode(environment, dnsDomain));
    this.arguments = [...flags, ...flagsOfMesh(environment, flags), '--config-yaml', JSON.stringify(document)];
    this.#environment = environment;
    this.#probes = probesOf(environment);
  }

  /**
   * Begins to ask for the identity. Undefined where somebody else gives it: a socket is there, as SPIRE's agent makes one,
   * or the mesh has no CA for who comes in clear text.
   */
  beginIdentity(log: ComponentLog): OwnSecrets | undefined {
    if (existsSync(workloadSocketPath)) {
      log.info({ path: workloadSocketPath }, 'certificates come from the agent whose socket is there');
      return undefined;
    }
    const { caAddress } = this.#environment;
    if (isPlainText(caAddress)) {
      log.warn({ caAddress }, 'no CA is asked over a connection in clear text: this sidecar has no identity');
      return undefined;
    }
    this.#keeper = new IdentityKeeper({
      source: istioCa(this.#environment),
      clock: Date.now,
      random: Math.random,
      schedule: processClock.schedule,
      log: (level, text, facts) => log[level === 'warning' ? 'warn' : level](facts, text),
    });
    this.#keeper.start();
    return { cluster: secretsCluster, identity: this.#keeper };
  }

  /** Answers the kubelet. Rejects when a port cannot be had. */
  async answer(log: ComponentLog): Promise<void> {
    const { proxyConfig, instanceIps, appMetrics } = this.#environment;
    const admin = new OwnAdmin(proxyConfig.adminPort);
    const server = new StatusServer({
      readiness: () => admin.readiness(),
      metrics: () => admin.metrics(),
      probes: this.#probes,
      probeTarget: { host: instanceIps[0]!, checkGrpc: checkGrpcHealth },
      appMetrics: appMetrics && { host: instanceIps[0]!, ...appMetrics },
      quit: () => void admin.quit(),
    });
    const { statusPort: status, healthPort: health, prometheusPort: prometheus } = proxyConfig;
    log.info({ ...(await server.listen({ status, health, prometheus })) }, 'the kubelet is answered');
  }
}

function probesOf({ appProbes }: SidecarEnvironment): ReadonlyMap<string, AppProbe> {
  const problems = new Problems('ISTIO_KUBE_APP_PROBERS');
  const probes = readAppProbes(appProbes, problems);
  if (!problems.isEmpty) throw new ConfigError('the environment of the sidecar', problems.list);
  return probes;
}

function istioCa(environment: SidecarEnvironment): IstioCa {
  const { caAddress, clusterId, rootCertificate, tokenPath, keyKind, certificateLifetimeMs, signer } = environment;
  const roots = rootCertificate.kind === 'file' ? { roots: rootCertificate } : {};
  return new IstioCa({
    service: {
      target: {
        kind: 'uri',
        uri: caAddress,
        credentials: { tls: { ...roots, subjectAltNames: [] }, accessToken: { kind: 'file', path: tokenPath } },
      },
      initialMetadata: [{ key: 'clusterid', value: clusterId }],
    },
    clusters: new Map(),
    spiffeId: spiffeIdOf(environment),
    keyKind,
    lifetimeMs: certificateLifetimeMs,
    ...(signer !== undefined && { signer }),
  });
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
