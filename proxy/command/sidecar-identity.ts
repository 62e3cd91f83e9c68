// Where a sidecar's identity comes from, in this order: an agent of SPIFFE that the environment names, the socket of one that
// speaks Envoy's own protocol, files that are mounted, Istio's CA.

import { existsSync } from 'node:fs';
import type { RunningIdentity } from '../../xds/identity/identity.ts';
import { IdentityKeeper } from '../../xds/identity/identity-keeper.ts';
import { IstioCa } from '../../xds/identity/istio-ca.ts';
import { MountedIdentity } from '../../xds/identity/mounted-identity.ts';
import { WorkloadApi } from '../../xds/identity/workload-api.ts';
import { isPlainText, workloadSocketPath } from '../sidecar/bootstrap-document.ts';
import type { SidecarEnvironment } from '../sidecar/environment.ts';
import { spiffeIdOf } from '../sidecar/sidecar-node.ts';
import type { ComponentLog } from '../telemetry/process-log.ts';
import { discoveryLog } from './discovery-log.ts';
import { processClock } from './process-clock.ts';

/**
 * Not started. Undefined where an agent's socket is asked by whoever needs a certificate, or where there is none to be had,
 * which is logged.
 */
export function chooseIdentity(environment: SidecarEnvironment, log: ComponentLog): RunningIdentity | undefined {
  const { workloadApi, caAddress } = environment;
  const parts = { schedule: processClock.schedule, random: Math.random, log: discoveryLog(log) };
  if (workloadApi !== undefined) return new WorkloadApi({ target: workloadApi, ...parts });
  if (existsSync(workloadSocketPath)) {
    log.info({ path: workloadSocketPath }, 'certificates come from the agent whose socket is there');
    return undefined;
  }
  const folder = mountedFolder(environment);
  if (folder !== undefined) {
    return new MountedIdentity({
      certificatePath: `${folder}/cert-chain.pem`,
      keyPath: `${folder}/key.pem`,
      rootsPath: `${folder}/root-cert.pem`,
      ...parts,
    });
  }
  if (isPlainText(caAddress)) {
    log.warn({ caAddress }, 'no CA is asked over a connection in clear text: this sidecar has no identity');
    return undefined;
  }
  return new IdentityKeeper({ source: istioCa(environment), clock: Date.now, ...parts });
}

/** What a CSI driver mounts is used without a word; Istio's own folder for files is asked for. */
function mountedFolder({ hasMountedCertificates }: SidecarEnvironment): string | undefined {
  if (existsSync(`${workloadCredentials}/cert-chain.pem`)) return workloadCredentials;
  return hasMountedCertificates ? '/etc/certs' : undefined;
}

function istioCa(environment: SidecarEnvironment): IstioCa {
  const { caAddress, caName, clusterId, rootCertificate, tokenPath, keyKind, certificateLifetimeMs, signer } =
    environment;
  const tls = {
    ...(rootCertificate.kind === 'file' && { roots: rootCertificate }),
    ...(caName !== undefined && { sni: caName }),
    subjectAltNames: [],
  };
  return new IstioCa({
    service: {
      target: {
        kind: 'uri',
        uri: caAddress,
        credentials: { tls, accessToken: { kind: 'file', path: tokenPath } },
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

const workloadCredentials = '/var/run/secrets/workload-spiffe-credentials';
