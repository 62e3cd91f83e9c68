// Every source of dynamic configuration of the process: the aggregated stream, streams for one type, files. Those that are
// equal are one.

import type { Bootstrap } from '../../config/bootstrap.ts';
import type { ConfigSource, GrpcApi } from '../../config/config-source.ts';
import type { SourceStatus } from '../../config/dynamic-state.ts';
import type { Random } from '../../config/random.ts';
import { configSourceProblem } from '../decode/config-source-problem.ts';
import { given } from '../decode/given.ts';
import type { OwnIdentity } from '../identity/identity.ts';
import { IdentitySecrets } from '../identity/identity-secrets.ts';
import { encodeMessage } from '../message/wire-message.ts';
import { secretDecoder } from '../resource/secret-resource.ts';
import type { KeptType } from './cache-format.ts';
import { CachedSource, type HoldingConsumer, type RunningSource } from './cached-source.ts';
import type { DiscoveryLog, ResourceConsumer, ResourceSubscriptions, ResourceType, Schedule } from './discovery.ts';
import { DiscoveryClient } from './discovery-client.ts';
import { aggregatedMethod, discoveryMethod } from './discovery-method.ts';
import type { DiscoveryObserver } from './discovery-observer.ts';
import { FileSource } from './file-source.ts';
import { peersOf } from './grpc-peer.ts';
import { makeGrpcTransport } from './grpc-transport.ts';
import type { LongTurns } from './long-turns.ts';
import type { ResourceCache } from './resource-cache.ts';
import type { DiscoveryTransport } from './transport.ts';

export interface ConfigSourcesOptions {
  readonly bootstrap: Pick<Bootstrap, 'node' | 'grpcClusters' | 'dynamicResources'>;
  /** Types that may come over the aggregated stream, in the order in which they are asked for. */
  readonly types: () => readonly ResourceType[];
  /** What takes the resources of a type from a source. Called once for each. */
  readonly makeConsumer: (type: ResourceType, sourceName: string) => HoldingConsumer;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  readonly random: Random;
  readonly schedule: Schedule;
  /** Calls back at the end of this turn of the event loop. */
  readonly defer: (callback: () => void) => void;
  /** Of all who make one configuration; each stream has its own without. */
  readonly turns?: LongTurns;
  readonly log: DiscoveryLog;
  readonly observer?: DiscoveryObserver;
  /** Where what streams bring is kept for the next start. */
  readonly cache?: ResourceCache;
  /** Secrets that this process makes itself, in place of a stream to the cluster of this name. */
  readonly ownSecrets?: OwnSecrets;
  /** How streams are carried; gRPC when it is not given. */
  readonly makeTransport?: (api: GrpcApi, method: string) => DiscoveryTransport;
}

/** In place of a stream to the cluster of this name, which asks an agent. */
export interface OwnSecrets {
  readonly cluster: string;
  readonly identity: OwnIdentity;
}

export class ConfigSources {
  readonly #options: ConfigSourcesOptions;
  readonly #node: Uint8Array;
  readonly #sources = new Map<string, RunningSource>();
  readonly #apiNames = new ApiNames();
  readonly #cached: CachedSource[] = [];
  /** Of an earlier run, and not given to its source yet. */
  #kept: readonly KeptType[];
  #isRunning = false;

  constructor(options: ConfigSourcesOptions) {
    this.#options = options;
    this.#kept = options.cache?.load() ?? [];
    this.#node = encodeMessage(options.bootstrap.node.wire, 'envoy.config.core.v3.Node');
  }

  /** Opens the streams; those of sources that are named later are opened then. */
  start(): void {
    this.#isRunning = true;
    for (const source of this.#sources.values()) source.start();
  }

  stop(): void {
    this.#isRunning = false;
    for (const source of this.#sources.values()) source.stop();
  }

  /** Why nothing can come from a source, as a sentence; undefined when something can. */
  problemWith(source: ConfigSource): string | undefined {
    const { dynamicResources, grpcClusters } = this.#options.bootstrap;
    return configSourceProblem(source, { hasAds: dynamicResources.ads !== undefined, grpcClusters });
  }

  /** The same for sources that lead to the same stream or file. */
  nameOf(source: ConfigSource, type: ResourceType): string {
    switch (source.kind) {
      case 'ads':
        return 'ads';
      case 'path':
        return `${type.shortName} ${source.path}`;
      case 'grpc':
        return this.#apiNames.nameOf(type, source.api);
    }
  }

  /** Throws for a source that has a problem. */
  subscriptions(source: ConfigSource, type: ResourceType): ResourceSubscriptions {
    const name = this.nameOf(source, type);
    let found = this.#sources.get(name);
    if (found === undefined) {
      found = this.#make(source, type, name);
      this.#sources.set(name, found);
      if (this.#isRunning) found.start();
    }
    return found;
  }

  /** Of the sources that were named so far. */
  statuses(): readonly SourceStatus[] {
    return [...this.#sources.values()].map((source) => source.status());
  }

  #make(source: ConfigSource, type: ResourceType, name: string): RunningSource {
    const problem = this.problemWith(source);
    if (problem !== undefined) throw new Error(problem);
    const { types, makeConsumer, bootstrap } = this.#options;
    switch (source.kind) {
      case 'path':
        return this.#makeFile(source, makeConsumer(type, name), name);
      case 'ads': {
        const api = bootstrap.dynamicResources.ads!;
        const consumers = types().map((each) => makeConsumer(each, name));
        return this.#makeStream({ api, name, consumers, method: aggregatedMethod(api.protocol) });
      }
      case 'grpc': {
        const { api } = source;
        if (this.#isOwn(api, type)) return this.#makeOwn(makeConsumer(type, name), name);
        const method = discoveryMethod(type.typeUrl, api.protocol);
        if (method === undefined) throw new Error(`${type.typeUrl} has no ${api.protocol} stream of its own`);
        return this.#makeStream({ api, name, consumers: [makeConsumer(type, name)], method });
      }
    }
  }

  #isOwn({ service: { target } }: GrpcApi, { typeUrl }: ResourceType): boolean {
    const { ownSecrets } = this.#options;
    return (
      target.kind === 'cluster' && target.cluster === ownSecrets?.cluster && typeUrl === secretDecoder.type.typeUrl
    );
  }

  #makeOwn(consumer: ResourceConsumer, name: string): IdentitySecrets {
    const { clock, defer, log, ownSecrets, observer } = this.#options;
    const counted = given('observer', observer);
    return new IdentitySecrets({ name, identity: ownSecrets!.identity, consumer, clock, defer, log, ...counted });
  }

  #makeFile(source: Extract<ConfigSource, { kind: 'path' }>, consumer: ResourceConsumer, name: string): FileSource {
    const { clock, schedule, defer, log, observer } = this.#options;
    const { path, watchedDirectory } = source;
    const optional = { ...given('watchedDirectory', watchedDirectory), ...given('observer', observer) };
    return new FileSource({ name, path, consumer, clock, schedule, defer, log, ...optional });
  }

  #makeStream(parts: StreamParts): RunningSource {
    const { cache, clock, defer, log } = this.#options;
    if (cache === undefined) return this.#makeClient(parts, parts.consumers);
    const keptAs = this.#keptName(parts);
    const kept = this.#kept.filter(({ source }) => source === keptAs);
    this.#kept = this.#kept.filter(({ source }) => source !== keptAs);
    const source = new CachedSource({
      name: parts.name,
      keptAs,
      kept,
      consumers: parts.consumers,
      makeSource: (consumers) => this.#makeClient(parts, consumers),
      clock,
      defer,
      log,
      onChange: () => cache.noteChange(() => this.#cached.flatMap((each) => each.content())),
    });
    this.#cached.push(source);
    return source;
  }

  /** A file is for one aggregated stream. Where others lead is not to be taken from a name that a later start gives to another. */
  #keptName({ api, name }: StreamParts): string {
    if (name === 'ads') return name;
    const places = peersOf(api.service, this.#options.bootstrap.grpcClusters).map(({ uri }) => uri);
    return [name, ...places].join(' ');
  }

  #makeClient({ api, name, method }: StreamParts, consumers: readonly ResourceConsumer[]): DiscoveryClient {
    const { clock, random, schedule, defer, turns, log, observer } = this.#options;
    return new DiscoveryClient({
      name,
      protocol: api.protocol,
      node: this.#node,
      setNodeOnFirstMessageOnly: api.setNodeOnFirstMessageOnly,
      transport: this.#makeTransport(api, method),
      consumers,
      clock,
      random,
      schedule,
      defer,
      log,
      ...given('turns', turns),
      ...(observer && { observer }),
    });
  }

  #makeTransport(api: GrpcApi, method: string): DiscoveryTransport {
    const { makeTransport, bootstrap } = this.#options;
    if (makeTransport !== undefined) return makeTransport(api, method);
    return makeGrpcTransport({ service: api.service, clusters: bootstrap.grpcClusters, method });
  }
}

interface StreamParts {
  readonly api: GrpcApi;
  readonly name: string;
  readonly consumers: readonly HoldingConsumer[];
  readonly method: string;
}

/** Names of streams of their own by where they lead. What else tells two of them apart may be secret: they are counted. */
class ApiNames {
  readonly #names = new Map<string, string>();
  readonly #counts = new Map<string, number>();

  nameOf({ shortName }: ResourceType, api: GrpcApi): string {
    const key = `${shortName} ${JSON.stringify(api)}`;
    let name = this.#names.get(key);
    if (name === undefined) {
      name = this.#newName(`${shortName} ${placeOf(api)}`);
      this.#names.set(key, name);
    }
    return name;
  }

  #newName(base: string): string {
    const count = (this.#counts.get(base) ?? 0) + 1;
    this.#counts.set(base, count);
    return count === 1 ? base : `${base} (${count})`;
  }
}

function placeOf({ service: { target } }: GrpcApi): string {
  return target.kind === 'cluster' ? target.cluster : target.uri;
}
