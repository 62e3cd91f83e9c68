// One control plane for both proxies: the server of control-plane/ without its folder, so that a step is served at once,
// and without the checks of its files, because what is wrong is what some steps are about.

import { DiscoveryServer } from '../../control-plane/discovery-server.ts';
import { noReferences, type ServedResource, versionOf } from '../../control-plane/served-snapshot.ts';
import { type ServedType, servedTypes } from '../../control-plane/served-type.ts';
import { SnapshotCache } from '../../control-plane/snapshot-cache.ts';
import { readProtoJson } from '../../xds/message/proto-json.ts';
import { encodeMessage } from '../../xds/message/wire-message.ts';
import type { Json } from '../differential/bootstrap.ts';
import { type Mesh, ownAddress, type Resources } from './mesh.ts';

export class PushingControlPlane {
  readonly #addresses: ReadonlyMap<string, string>;
  #cache = new SnapshotCache();
  #server = this.#makeServer();
  #port = 0;

  /** IP address of each proxy by its node id. */
  constructor(addresses: ReadonlyMap<string, string>) {
    this.#addresses = addresses;
  }

  /** Resolves with the port: the same one each time. */
  async start(): Promise<number> {
    this.#port = await this.#server.listen(`127.0.0.1:${this.#port}`);
    return this.#port;
  }

  async stop(): Promise<void> {
    await this.#server.close();
    this.#cache = new SnapshotCache();
    this.#server = this.#makeServer();
  }

  push(mesh: Mesh): void {
    const groups = [...this.#addresses].map(
      ([nodeId, address]) => [nodeId, { resources: served(mesh, address) }] as const,
    );
    this.#cache.update(new Map(groups));
  }

  /** Whether every proxy has a stream, and has answered the last response of each type. */
  get isAnswered(): boolean {
    const { clients } = this.#server;
    return (
      clients.size === this.#addresses.size && [...clients].every(({ session }) => session.status().every(isAnswered))
    );
  }

  #makeServer(): DiscoveryServer {
    return new DiscoveryServer({ cache: this.#cache, clock: Date.now, onRefusal: () => undefined });
  }
}

function isAnswered({
  sentVersion,
  lastAck,
  lastNack,
}: {
  sentVersion: string;
  lastAck?: Answer;
  lastNack?: Answer;
}): boolean {
  return sentVersion === '' || sentVersion === lastAck?.version || sentVersion === lastNack?.version;
}

interface Answer {
  readonly version: string;
}

const typeOf: Readonly<Record<keyof Mesh, string>> = {
  clusters: 'cds',
  assignments: 'eds',
  listeners: 'lds',
  routes: 'rds',
  runtime: 'rtds',
};

function served(mesh: Mesh, address: string): ServedResource[] {
  const entries = Object.entries(mesh) as [keyof Mesh, Resources][];
  return entries.flatMap(([kind, resources]) => {
    const type = servedTypes.find(({ shortName }) => shortName === typeOf[kind])!;
    return Object.entries(resources).map(([name, resource]) => {
      // The version is the same for both proxies, though the address is not.
      const { version } = servedResource(type, name, withAddress(resource, '127.0.0.1'));
      return { ...servedResource(type, name, withAddress(resource, address)), version };
    });
  });
}

function withAddress(resource: Json, address: string): Json {
  return JSON.parse(JSON.stringify(resource).replaceAll(ownAddress, address));
}

function servedResource(type: ServedType, name: string, resource: Json): ServedResource {
  const { message, problems, unknownFields } = readProtoJson({ [type.nameField]: name, ...resource }, type.messageType);
  const wrong = [...problems, ...unknownFields].map(({ path, message: text }) => `${path}: ${text}`);
  if (wrong.length > 0) throw new Error(`${type.shortName} ${name}: ${wrong.join('; ')}`);
  const bytes = encodeMessage(message, type.messageType);
  const isEds = resource['type'] === 'EDS';
  const references = isEds ? { ...noReferences, assignment: name } : noReferences;
  return { type, name, version: versionOf(bytes), message: bytes, references, place: 'a step' };
}
