// A running istiod-lab for one test: a mesh of its own, ports of its own, gone at the end.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Test } from 'tap';
import { pause } from '../support/pause.ts';

export interface Istiod {
  /** Plain-text ADS, `127.0.0.1:port`. */
  readonly xdsAddress: string;
  /** ADS and the CA over TLS, for who is known; `localhost` is in its certificate. */
  readonly tlsPort: number;
  /** The file with the mesh's root. */
  readonly rootCertificate: string;
  /** Creates or replaces what the YAML documents hold. Rejects with istiod's words when it refuses. */
  apply(documents: string): Promise<void>;
  /** Takes away what the YAML documents hold. */
  remove(documents: string): Promise<void>;
  /**
   * Resolves when a proxy (`pod.namespace`) has acknowledged the last push of each of so many types. Rejects with the
   * proxy's words when it has refused one.
   */
  acknowledged(proxy: string, types: number): Promise<void>;
  /** Ends it before the test does. */
  stop(): Promise<void>;
}

export interface IstiodOptions {
  readonly program: string;
  /** `MeshConfig`; Istio's defaults for what it does not say. */
  readonly mesh: object;
  /** A free port when left out. */
  readonly xdsAddress?: string;
  /** Where it listens otherwise; loopback when left out. */
  readonly address?: string;
}

const anyPort = '127.0.0.1:0';

export async function startIstiod(
  t: Test,
  { program, mesh, address = anyPort, xdsAddress = address }: IstiodOptions,
): Promise<Istiod> {
  const folder = mkdtempSync(join(tmpdir(), 'outrigger-istiod-'));
  const meshFile = join(folder, 'mesh.json');
  writeFileSync(meshFile, JSON.stringify(mesh));
  const flags = ['-xds', xdsAddress, '-tls', address, '-http', anyPort, '-out', folder, '-mesh', meshFile];
  // It ends with the test, also when that is killed.
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', program, ...flags], { stdio: ['ignore', 'pipe', 'ignore'] });
  const ended = once(child, 'close');
  const stop = async () => {
    child.kill('SIGKILL');
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  t.teardown(stop);
  await logged(child.stdout, /ready \{/);
  const { xds, tls, http } = JSON.parse(readFileSync(join(folder, 'istiod.json'), 'utf8'));
  const post = async (path: string, body: string) => {
    const response = await fetch(`http://${http}${path}`, { method: 'POST', body });
    if (!response.ok) throw new Error(`istiod ${path}: ${await response.text()}`);
  };
  return {
    xdsAddress: xds,
    tlsPort: Number(tls.split(':')[1]),
    rootCertificate: join(folder, 'root-cert.pem'),
    apply: (documents) => post('/apply', documents),
    remove: (documents) => post('/delete', documents),
    stop,
    acknowledged: (proxy, types) => untilAcknowledged(`http://${http}/debug/syncz`, proxy, types),
  };
}

/** What istiod says of one proxy. */
interface SyncStatus {
  readonly proxy: string;
  readonly resources?: {
    readonly [typeUrl: string]: { readonly sent?: string; readonly acked?: string; readonly lastError?: string };
  };
}

async function untilAcknowledged(url: string, proxy: string, types: number): Promise<void> {
  for (;;) {
    const statuses = (await (await fetch(url)).json()) as readonly SyncStatus[];
    const resources = Object.values(statuses.find((status) => status.proxy === proxy)?.resources ?? {});
    const refused = resources.find(({ lastError }) => lastError !== undefined);
    if (refused !== undefined) throw new Error(`${proxy} refused: ${refused.lastError}`);
    if (resources.length === types && resources.every(({ sent, acked }) => sent === acked)) return;
    await pause();
  }
}

/** Resolves with the first line that matches. Rejects with what was logged when there is none. */
async function logged(stream: NodeJS.ReadableStream, message: RegExp): Promise<void> {
  const seen: string[] = [];
  const lines = createInterface({ input: stream });
  await new Promise<void>((resolve, reject) => {
    lines.on('line', (line) => {
      seen.push(line);
      if (message.test(line)) resolve();
    });
    lines.once('close', () => reject(new Error(`istiod ended: ${seen.slice(-20).join('\n')}`)));
  });
  lines.removeAllListeners();
  stream.resume();
}
