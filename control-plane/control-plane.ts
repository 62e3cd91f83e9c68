// The composition: a folder that is followed, a cache of snapshots, the server that sends them, and a page about it.

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { hostname } from 'node:os';
import type { ClientStream } from './client-stream.ts';
import { DiscoveryServer, type ServerTls } from './discovery-server.ts';
import type { Refusal } from './discovery-session.ts';
import type { ControlPlaneFlags } from './flags.ts';
import { FolderFollower } from './folder-follower.ts';
import { LocalStatement } from './local-statement.ts';
import { problemLines, problemText } from './problem-text.ts';
import { ResourceUnion } from './resource-union.ts';
import { ServedFolder } from './served-folder.ts';
import type { ServedSnapshot } from './served-snapshot.ts';
import { servedType } from './served-type.ts';
import { type GroupResources, SnapshotCache } from './snapshot-cache.ts';
import { differenceLines } from './snapshot-difference.ts';
import { type KeptRefusal, makeStatusServer } from './status-page.ts';
import { UpstreamSources } from './upstream-sources.ts';

export interface BoundPorts {
  readonly port: number;
  readonly statusPort: number | undefined;
}

/** A data plane that refuses again and again must not fill the memory. */
const maxRefusals = 100;

export class ControlPlane {
  readonly #flags: ControlPlaneFlags;
  readonly #log: (line: string) => void;
  readonly #cache = new SnapshotCache();
  readonly #folder: ServedFolder;
  readonly #follower: FolderFollower;
  readonly #origin = `${hostname()}/${randomBytes(6).toString('base64url')}`;
  readonly #local: LocalStatement;
  readonly #upstreams: UpstreamSources;
  /** By group of nodes. */
  #unions: ReadonlyMap<string, ResourceUnion> = new Map();
  readonly #server: DiscoveryServer;
  readonly #statusServer: Server;
  readonly #refusals: KeptRefusal[] = [];
  #reported: ReadonlySet<string> = new Set();

  /** `log` takes lines for people. */
  constructor(flags: ControlPlaneFlags, log: (line: string) => void) {
    this.#flags = flags;
    this.#log = log;
    this.#folder = new ServedFolder({ folder: flags.folder, hasUpstreams: flags.upstreams.length > 0 });
    this.#follower = new FolderFollower({ folder: flags.folder, onChange: (touched) => this.#refresh(touched) });
    this.#local = new LocalStatement(this.#origin);
    this.#upstreams = new UpstreamSources({
      flags,
      origin: this.#origin,
      log,
      onChange: () => this.#onUpstreamChange(),
    });
    const onRefusal = (client: ClientStream, refusal: Refusal) => this.#onRefusal(client, refusal);
    this.#server = new DiscoveryServer({ cache: this.#cache, clock: Date.now, onRefusal });
    this.#statusServer = makeStatusServer({
      folder: flags.folder,
      files: () => this.#folder.files,
      problems: () => this.#folder.problems,
      snapshots: () => this.#cache.snapshots,
      groupFor: (nodeId) => this.#cache.groupFor(nodeId),
      clients: () => this.#server.clients,
      refusals: () => this.#refusals,
      upstreams: () => this.#upstreams.statuses(),
    });
  }

  /** Resolves when clients can connect, with the ports; rejects when it cannot listen, and is closed then. */
  async start(): Promise<BoundPorts> {
    const { folder, listen, status } = this.#flags;
    this.#follower.start();
    this.#refresh();
    this.#upstreams.start();
    try {
      const { port, statusPort } = await this.#listen();
      this.#log(`serves ${folder} on ${withPort(listen, port)}`);
      if (status !== undefined) this.#log(`status on http://${withPort(status, statusPort!)}/status`);
      return { port, statusPort };
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#follower.stop();
    this.#upstreams.stop();
    this.#statusServer.close();
    this.#statusServer.closeAllConnections();
    await this.#server.close();
  }

  async #listen(): Promise<BoundPorts> {
    const { listen, status, tls } = this.#flags;
    const port = await this.#server.listen(listen, tls && readTls(tls));
    return { port, statusPort: status === undefined ? undefined : await this.#listenForStatus(status) };
  }

  async #listenForStatus(address: string): Promise<number> {
    const colon = address.lastIndexOf(':');
    const host = address.slice(0, colon).replace(/^\[|\]$/g, '');
    this.#statusServer.listen(Number(address.slice(colon + 1)), host);
    try {
      await once(this.#statusServer, 'listening');
    } catch (error) {
      throw new Error(`--status ${address}: cannot listen: ${(error as NodeJS.ErrnoException).code}`);
    }
    return (this.#statusServer.address() as AddressInfo).port;
  }

  #refresh(touched?: ReadonlySet<string>): void {
    this.#folder.refresh(touched);
    const before = this.#cache.snapshots;
    this.#publish();
    this.#report(this.#folder.problems.map(problemText), before);
  }

  #onUpstreamChange(): void {
    const before = this.#cache.snapshots;
    this.#publish();
    for (const line of differenceLines(before, this.#cache.snapshots)) this.#log(line);
  }

  #publish(): void {
    // What an upstream has would be taken from clients that had it from an earlier run.
    if (!this.#upstreams.isReady) return;
    const groups = new Map<string, GroupResources>();
    this.#unions = new Map(
      [...this.#folder.groups.keys()].map((each) => [each, this.#unions.get(each) ?? new ResourceUnion()]),
    );
    const upstreams = this.#upstreams.statements();
    for (const [group, resources] of this.#folder.groups) {
      const statements = [this.#local.update(group, resources), ...upstreams];
      groups.set(group, { ...this.#unions.get(group)!.unite(statements), origin: this.#origin });
    }
    this.#cache.update(groups);
  }

  /** What people need to know after they saved a file: what is wrong, or that it is served. */
  #report(problems: readonly string[], before: ReadonlyMap<string, ServedSnapshot>): void {
    for (const line of problemLines(problems, this.#reported)) this.#log(line);
    if (problems.some((problem) => !this.#reported.has(problem))) {
      this.#log(
        before.size === 0
          ? 'nothing is served until this is mended'
          : 'the last good state is served until this is mended',
      );
    }
    if (problems.length === 0 && this.#reported.size > 0) this.#log('every file is right again');
    this.#reported = new Set(problems);
    for (const line of differenceLines(before, this.#cache.snapshots)) this.#log(line);
  }

  #onRefusal(client: ClientStream, refusal: Refusal): void {
    const nodeId = client.node?.id ?? '';
    const type = servedType(refusal.typeUrl)?.shortName ?? refusal.typeUrl;
    const text = printable(refusal.text);
    this.#log(`node ${JSON.stringify(nodeId)} (${client.peer}) refused ${type} version ${refusal.version}: ${text}`);
    this.#refusals.push({ ...refusal, nodeId, peer: client.peer, atMs: Date.now() });
    if (this.#refusals.length > maxRefusals) this.#refusals.shift();
  }
}

/** What a peer wrote: its lines below ours, and nothing that a terminal would obey. */
function printable(text: string): string {
  return text.replace(/[^\P{Cc}\n]/gu, '�').replaceAll('\n', '\n  ');
}

function readTls({ certificate, key, clientAuthority }: NonNullable<ControlPlaneFlags['tls']>): ServerTls {
  const pair = { certificateChain: readPem('--tls-cert', certificate), privateKey: readPem('--tls-key', key) };
  return clientAuthority === undefined ? pair : { ...pair, clientAuthority: readPem('--client-ca', clientAuthority) };
}

/** What is wrong inside of PEM is said by TLS itself; that a file is none is not. */
function readPem(flag: string, path: string): Buffer {
  let text: Buffer;
  try {
    text = readFileSync(path);
  } catch (error) {
    throw new Error(`${flag} ${path}: cannot be read: ${(error as NodeJS.ErrnoException).code}`);
  }
  if (!text.includes('-----BEGIN ')) throw new Error(`${flag} ${path}: is not PEM`);
  return text;
}

/** The address with the port that was bound, for `:0`. */
function withPort(address: string, port: number): string {
  return address.startsWith('unix:') ? address : address.replace(/:\d+$/, `:${port}`);
}
