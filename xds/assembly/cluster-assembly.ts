// Clusters and their members: which state of each serves, and which newer one waits for its members and secrets.
//
// A cluster serves when its members and secrets are known or known not to come; until then its older state does. One that was
// removed while routes still name it stays until they have moved on, so that no request finds it gone in between.
// https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/upstream/cluster_manager#cluster-warming

import type { Cluster, SourceAddress } from '../../config/cluster.ts';
import type { LoadAssignment } from '../../config/endpoint.ts';
import type { Problems } from '../../config/problems.ts';
import { secretsOfCluster } from '../../config/secret-references.ts';
import { clusterDecoder } from '../resource/cluster-resource.ts';
import { loadAssignmentDecoder } from '../resource/load-assignment-resource.ts';
import { type OnDemandAnswers, type Removal, ResourceSet, type ResourceUser } from '../resource/resource-set.ts';
import type { AssemblyContext } from './assembly-context.ts';
import type { SecretAssembly, UsedSecrets } from './secret-assembly.ts';
import { isSettled, type SubscribedResource, SubscribedType } from './subscribed-type.ts';

/** Longest stay of a removed cluster that the served configuration still names. */
const maxStayMs = 10_000;

type Members = SubscribedResource<LoadAssignment, ClusterVersion>;

/** One state of a cluster. It uses its members and secrets as long as it serves or is to serve. */
interface ClusterVersion {
  readonly entry: ClusterEntry;
  readonly cluster: Cluster;
  /** Of an EDS cluster. */
  members: Members | undefined;
  secrets: UsedSecrets | undefined;
}

export interface ClusterAssemblyOptions {
  readonly secrets: SecretAssembly;
  /** Names that a control plane may not take: those of static clusters. */
  readonly reservedNames: ReadonlySet<string>;
  /** Source address of clusters without one of their own. */
  readonly defaultBind: SourceAddress | undefined;
  readonly onDemand: OnDemandAnswers;
  /** The end of a response. */
  readonly onAnswer: () => void;
}

export class ClusterAssembly implements ResourceUser<Cluster> {
  readonly resources: ResourceSet<Cluster>;
  readonly members: SubscribedType<LoadAssignment, ClusterVersion>;
  readonly onDemand: OnDemandAnswers;
  readonly #context: AssemblyContext;
  readonly #options: ClusterAssemblyOptions;
  readonly #entries = new Map<string, ClusterEntry>();
  readonly #leaving = new Set<ClusterEntry>();
  readonly #unserved = new Set<string>();
  readonly #warming = new Set<ClusterEntry>();

  constructor(context: AssemblyContext, options: ClusterAssemblyOptions) {
    const { sources, clock } = context;
    this.#context = context;
    this.#options = options;
    this.onDemand = options.onDemand;
    this.resources = new ResourceSet({ decoder: clusterDecoder(options.defaultBind), user: this, clock });
    this.members = new SubscribedType<LoadAssignment, ClusterVersion>({
      decoder: loadAssignmentDecoder,
      sources,
      clock,
      removal: 'ignored',
      onChange: (members) => this.#onMembers(members),
    });
  }

  /** Clusters that are warming and have no older state that serves. */
  get unserved(): ReadonlySet<string> {
    return this.#unserved;
  }

  /** How many have a newer state that waits. */
  get warmingCount(): number {
    return this.#warming.size;
  }

  set({ name, value }: { readonly name: string; readonly value: Cluster }, problems: Problems): void {
    if (this.#options.reservedNames.has(name))
      problems.at('name').add('is the name of a static cluster, which a control plane may not change');
    this.checkSource(value, problems);
    if (problems.isEmpty) this.put(value);
  }

  /** Whether members and secrets can come from where they are said to. */
  checkSource(cluster: Cluster, problems: Problems): void {
    const { discovery } = cluster;
    this.#options.secrets.checkSources(secretsOfCluster(cluster), problems.at('transport_socket'));
    const problem = discovery.kind === 'eds' ? this.#context.sources.problemWith(discovery.source) : undefined;
    if (problem !== undefined) problems.at('eds_cluster_config').at('eds_config').add(problem);
  }

  /** A new cluster, or a new state of a known one. */
  put(cluster: Cluster): void {
    const { name, discovery } = cluster;
    let entry = this.#entries.get(name);
    if (entry === undefined) {
      entry = { name, active: undefined, warming: undefined, stopLeaving: undefined };
      this.#entries.set(name, entry);
    }
    this.#stay(entry);
    const version: ClusterVersion = { entry, cluster, members: undefined, secrets: undefined };
    version.secrets = this.#useSecrets(version);
    if (discovery.kind === 'eds') {
      version.members = this.members.use(discovery.source, discovery.serviceName, version);
    }
    // After the new state uses its members: the same ones are not let go in between.
    this.#replaceWarming(entry, version);
    this.#settle(entry);
    this.#context.onDue();
  }

  remove(name: string): Removal {
    const entry = this.#entries.get(name)!;
    this.#replaceWarming(entry, undefined);
    this.#context.onDue();
    if (entry.active === undefined) {
      this.#entries.delete(name);
      return 'gone';
    }
    this.#leaving.add(entry);
    return 'draining';
  }

  onAnswer(): void {
    this.#options.onAnswer();
  }

  stateOf(name: string): 'active' | 'warming' {
    return this.#entries.get(name)?.warming === undefined ? 'active' : 'warming';
  }

  /** Removed clusters go when the served configuration does not name them. At the end of a turn, in short steps. */
  *dropUnused(): Generator<unknown, void> {
    for (const entry of this.#leaving) {
      if (!this.#context.references.has(entry.name)) this.#drop(entry);
      else entry.stopLeaving ??= this.#context.schedule(maxStayMs, () => this.#drop(entry));
      yield;
    }
  }

  #onMembers({ users }: Members): void {
    for (const version of users) {
      if (version === version.entry.active) this.#serveMembers(version);
      else this.#settle(version.entry);
    }
    this.#context.onDue();
  }

  #useSecrets({ entry, cluster }: ClusterVersion): UsedSecrets | undefined {
    const secrets = secretsOfCluster(cluster);
    return secrets.length === 0 ? undefined : this.#options.secrets.use(secrets, () => this.#settle(entry));
  }

  #replaceWarming(entry: ClusterEntry, version: ClusterVersion | undefined): void {
    const { warming } = entry;
    entry.warming = version;
    if (warming !== undefined) this.#release(warming);
    if (version === undefined) this.#warming.delete(entry);
    else this.#warming.add(entry);
    if (version !== undefined && entry.active === undefined) this.#unserved.add(entry.name);
    else this.#unserved.delete(entry.name);
  }

  /** The warming state serves when nothing is missing. */
  #settle(entry: ClusterEntry): void {
    const { warming, active } = entry;
    if (warming === undefined) return;
    const { members, secrets } = warming;
    const hasOlder = active !== undefined;
    if (members !== undefined && !isSettled(members, hasOlder)) return;
    if (secrets !== undefined && !this.#options.secrets.areSettled(secrets, hasOlder)) return;
    entry.active = warming;
    entry.warming = undefined;
    this.#warming.delete(entry);
    this.#unserved.delete(entry.name);
    this.#context.changes.clusters.set(entry.name, warming.cluster);
    this.#serveMembers(warming);
    if (active !== undefined) this.#release(active);
  }

  #serveMembers({ entry: { name }, cluster: { discovery }, members }: ClusterVersion): void {
    const { assignments } = this.#context.changes;
    switch (discovery.kind) {
      case 'static':
        assignments.set(name, discovery.assignment);
        break;
      case 'eds':
        assignments.set(name, members?.value ?? noMembers);
        break;
      case 'original-dst':
        assignments.remove(name);
        break;
      case 'strict-dns':
      case 'logical-dns':
        // Found by DNS elsewhere; until then it has those of its older state.
        assignments.handOver(name);
    }
  }

  #release(version: ClusterVersion): void {
    if (version.members !== undefined) this.members.release(version.members, version);
    if (version.secrets !== undefined) this.#options.secrets.release(version.secrets);
    version.members = undefined;
    version.secrets = undefined;
  }

  #stay(entry: ClusterEntry): void {
    this.#leaving.delete(entry);
    entry.stopLeaving?.();
    entry.stopLeaving = undefined;
  }

  #drop(entry: ClusterEntry): void {
    const { changes, onDue } = this.#context;
    this.#stay(entry);
    this.#entries.delete(entry.name);
    this.#release(entry.active!);
    changes.clusters.remove(entry.name);
    changes.assignments.remove(entry.name);
    this.resources.onDrained(entry.name);
    onDue();
  }
}

interface ClusterEntry {
  readonly name: string;
  active: ClusterVersion | undefined;
  warming: ClusterVersion | undefined;
  /** Set when it was removed and is still named. */
  stopLeaving: (() => void) | undefined;
}

/** Envoy's default of the factor. */
const noMembers: LoadAssignment = { localities: [], overprovisioningFactorPercent: 140 };
