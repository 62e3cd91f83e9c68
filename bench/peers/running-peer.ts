// A started proxy: scratch directory, ports, process, and how long it took to its first proxied 200.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { awaitFirstAnswer } from '../load/first-answer.ts';
import { freePorts } from './free-ports.ts';
import {
  type Peer,
  type PeerName,
  type Profile,
  type TelemetrySetup,
  type TlsSetup,
  virtualHostDomain,
} from './peer.ts';
import { type PinnedProcess, PROXY_CORE, startPinned } from './pinned-process.ts';
import type { TlsFiles } from './tls-files.ts';

// Envoy reads 10,000 clusters in about 6 s.
const READY_DEADLINE_MS = 60_000;

export type StartOptions = {
  readonly profile: Profile;
  readonly clusters: number;
  readonly originPort: number;
  // A control plane on loopback, and the port of the listener it serves; undefined: all is in the bootstrap.
  readonly dynamic?: { readonly controlPlanePort: number; readonly httpPort: number };
  readonly telemetry?: TelemetrySetup | undefined;
  readonly tls?: TlsSetup | undefined;
  readonly environment?: Readonly<Record<string, string>>;
};

export type RunningPeer = {
  readonly name: PeerName;
  readonly pid: number;
  readonly directory: string;
  readonly httpPort: number;
  readonly tcpPort: number;
  // An authority that its routes accept; the last virtual host when there are several.
  readonly authority: string;
  // From before the program is spawned to its first proxied 200.
  readonly startMs: number;
  readonly stop: () => Promise<void>;
};

export async function startPeer(peer: Peer, options: StartOptions): Promise<RunningPeer> {
  const directory = mkdtempSync(join(tmpdir(), `outrigger-bench-${peer.name}-`));
  const [freePort, tcpPort, adminPort] = (await freePorts(3)) as [number, number, number];
  const { httpPort = freePort, controlPlanePort } = options.dynamic ?? {};
  const command = peer.prepare({ directory, httpPort, tcpPort, adminPort, controlPlanePort, ...options });
  const authority = options.clusters === 1 ? 'bench.example' : virtualHostDomain(options.clusters - 1);
  const environment = options.environment ?? {};
  const spawnedAt = process.hrtime.bigint();
  const child = startPinned(command, { core: PROXY_CORE, directory, environment });
  const answeredAt = await firstAnswer(peer.name, child, {
    httpPort,
    authority,
    isPaused: options.dynamic !== undefined,
    ...(options.tls !== undefined && options.tls.downstream !== 'none' && { files: options.tls.files }),
  });
  return {
    name: peer.name,
    pid: child.pid,
    directory,
    httpPort,
    tcpPort,
    authority,
    startMs: Number(answeredAt - spawnedAt) / 1e6,
    stop: async () => {
      await child.stop();
      rmSync(directory, { recursive: true });
    },
  };
}

// With a control plane on the load's core, a tight loop would keep it from sending.
type FirstRequest = {
  readonly httpPort: number;
  readonly authority: string;
  readonly isPaused: boolean;
  readonly files?: TlsFiles;
};

async function firstAnswer(name: PeerName, child: PinnedProcess, at: FirstRequest) {
  try {
    return await awaitFirstAnswer({
      port: at.httpPort,
      authority: at.authority,
      deadlineMs: READY_DEADLINE_MS,
      ...(at.isPaused && { pauseMs: 1 }),
      ...(at.files && { files: at.files }),
      process: child,
    });
  } catch (error) {
    throw new Error(`${name} did not start: ${(error as Error).message}`, { cause: error });
  }
}
