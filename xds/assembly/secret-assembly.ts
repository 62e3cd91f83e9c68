// Secrets that listeners and clusters name: each is in the snapshot as long as anybody uses it, once it is known. Those who
// use it wait for it as clusters do for their members; later it changes on its own, and they stay as they are.
//
// A secret of a control plane that is removed serves on, as in Envoy. So does one whose files turn out to be wrong.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/security/secret

import type { ResourceStatus } from '../../config/dynamic-state.ts';
import { Problems } from '../../config/problems.ts';
import { isSameData } from '../../config/same-data.ts';
import type { Secret } from '../../config/secret.ts';
import type { NamedSecret } from '../../config/secret-references.ts';
import type { SecretReference } from '../../config/tls.ts';
import type { WrittenSecret } from '../../config/written-secret.ts';
import type { DiscoveryLog } from '../client/discovery.ts';
import type { LoadedSecret } from '../decode/secret.ts';
import { loadSecret } from '../decode/secret-loading.ts';
import { secretSourceProblem, writtenSecretOf } from '../decode/secret-source.ts';
import { secretDecoder } from '../resource/secret-resource.ts';
import type { AssemblyContext } from './assembly-context.ts';
import { isSettled, type SubscribedResource, SubscribedType } from './subscribed-type.ts';
import { WatchedFolders } from './watched-folders.ts';

/** The secrets of one user. */
export interface UsedSecrets {
  readonly entries: readonly SecretEntry[];
  /** One of them came, or is known not to come. */
  readonly onSettled: () => void;
}

export interface SecretAssemblyOptions {
  /** Of the bootstrap, by name. */
  readonly statics: ReadonlyMap<string, WrittenSecret>;
  readonly log: DiscoveryLog;
}

export class SecretAssembly {
  readonly resources: SubscribedType<LoadedSecret, SecretEntry>;
  readonly #context: AssemblyContext;
  readonly #options: SecretAssemblyOptions;
  readonly #folders: WatchedFolders;
  readonly #entries = new Map<string, SecretEntry>();
  readonly #unused = new Set<SecretEntry>();

  constructor(context: AssemblyContext, options: SecretAssemblyOptions) {
    const { sources, clock, schedule } = context;
    this.#context = context;
    this.#options = options;
    this.#folders = new WatchedFolders(schedule, options.log);
    this.resources = new SubscribedType<LoadedSecret, SecretEntry>({
      decoder: secretDecoder,
      sources,
      clock,
      removal: 'ignored',
      check: ({ users }, { secret }, problems) => checkKind(users, secret, problems),
      onChange: (resource) => this.#onResource(resource),
      stateOf: () => 'active',
    });
  }

  /** Whether all of them can come from where they are said to. */
  checkSources(secrets: readonly NamedSecret[], problems: Problems): void {
    const { sources } = this.#context;
    const { statics } = this.#options;
    for (const each of secrets) {
      const { source, name } = each.reference;
      const problem = source.kind === 'sds' ? sources.problemWith(source.config) : secretSourceProblem(each, statics);
      if (problem !== undefined) problems.add(`secret ${JSON.stringify(name)}: ${problem}`);
    }
  }

  use(secrets: readonly NamedSecret[], onSettled: () => void): UsedSecrets {
    const used: UsedSecrets = { entries: secrets.map((each) => this.#entryOf(each)), onSettled };
    for (const entry of used.entries) {
      entry.users.add(used);
      this.#unused.delete(entry);
    }
    return used;
  }

  release(used: UsedSecrets): void {
    for (const entry of used.entries) {
      entry.users.delete(used);
      if (entry.users.size === 0) this.#unused.add(entry);
    }
  }

  /** Whether a user has what it may wait for. `hasOlder`: an older state of the user serves. */
  areSettled({ entries }: UsedSecrets, hasOlder: boolean): boolean {
    return entries.every(({ resource }) => resource === undefined || isSettled(resource, hasOlder));
  }

  /** At the end of a turn, so that what the next state of a user uses as well stays. */
  letGoUnused(): void {
    for (const entry of this.#unused) {
      this.#entries.delete(entry.id);
      entry.stopWatching();
      if (entry.resource !== undefined) this.resources.release(entry.resource, entry);
      if (!this.#isServed(entry.reference.key)) this.#context.changes.secrets.remove(entry.reference.key);
    }
    this.#unused.clear();
    this.resources.letGoUnused();
  }

  /** For `DynamicState.resources`. Those that have not come are there, too: they are waited for. */
  statuses(): readonly ResourceStatus[] {
    const statuses = this.resources.statuses();
    const told = new Set(statuses.filter(({ state }) => state !== 'absent').map(({ name }) => name));
    const awaited = new Set<string>();
    for (const { resource } of this.#entries.values()) {
      if (resource !== undefined && resource.value === undefined && !told.has(resource.name))
        awaited.add(resource.name);
    }
    const warming = [...awaited].map((name) => awaitedStatus(name));
    return [...statuses.filter(({ name, state }) => state !== 'absent' || !awaited.has(name)), ...warming];
  }

  stop(): void {
    this.#folders.stop();
  }

  #entryOf({ reference, kind }: NamedSecret): SecretEntry {
    const id = `${kind} ${reference.key}`;
    const known = this.#entries.get(id);
    if (known !== undefined) return known;
    const entry = makeEntry(id, reference, kind);
    this.#entries.set(id, entry);
    this.#start(entry);
    return entry;
  }

  #start(entry: SecretEntry): void {
    const { reference } = entry;
    if (reference.source.kind === 'sds') {
      const resource = this.resources.use(reference.source.config, reference.name, entry);
      entry.resource = resource;
      if (resource.value !== undefined) this.#take(entry, resource.value);
      return;
    }
    const written = writtenSecretOf(reference, this.#options.statics);
    if (written === undefined) return;
    this.#follow(entry, written);
    this.#read(entry, written);
  }

  #onResource({ users, value }: SubscribedResource<LoadedSecret, SecretEntry>): void {
    for (const entry of users) {
      if (value !== undefined) this.#take(entry, value);
      for (const { onSettled } of [...entry.users]) onSettled();
    }
    this.#context.onDue();
  }

  #take(entry: SecretEntry, { written, secret }: LoadedSecret): void {
    this.#follow(entry, written);
    this.#serve(entry, secret);
  }

  #follow(entry: SecretEntry, written: WrittenSecret): void {
    entry.stopWatching();
    const stops = written.watchedDirectories.map((directory) =>
      this.#folders.watch(directory, () => this.#read(entry, written)),
    );
    entry.stopWatching = () => {
      for (const stop of stops) stop();
    };
  }

  #read(entry: SecretEntry, written: WrittenSecret): void {
    const problems = new Problems();
    const secret = loadSecret(written, problems);
    if (secret !== undefined && problems.isEmpty) this.#serve(entry, secret);
    else {
      const reason = problems.list
        .map(({ path, message }) => (path === '' ? message : `${path}: ${message}`))
        .join('; ');
      const facts = { secret: written.name === '' ? entry.reference.key : written.name, reason };
      if (entry.resource !== undefined) this.#context.observer.onKeyRotationFailed?.(entry.resource.name);
      this.#options.log('warning', 'files of a secret cannot be used; what was read before stays in use', facts);
    }
  }

  #serve({ reference: { key } }: SecretEntry, secret: Secret): void {
    const { changes, onDue } = this.#context;
    if (isSameData(changes.secrets.served.get(key), secret)) return;
    changes.secrets.set(key, secret);
    onDue();
  }

  /** By a user who takes it for another kind. */
  #isServed(key: string): boolean {
    for (const { reference } of this.#entries.values()) if (reference.key === key) return true;
    return false;
  }
}

/** One secret as one kind. */
interface SecretEntry {
  readonly id: string;
  readonly reference: SecretReference;
  readonly kind: Secret['kind'];
  readonly users: Set<UsedSecrets>;
  resource: SubscribedResource<LoadedSecret, SecretEntry> | undefined;
  stopWatching: () => void;
}

function makeEntry(id: string, reference: SecretReference, kind: Secret['kind']): SecretEntry {
  return { id, reference, kind, users: new Set(), resource: undefined, stopWatching: () => undefined };
}

/** As Envoy has it. */
function awaitedStatus(name: string): ResourceStatus {
  return { name, version: 'uninitialized', lastUpdatedMs: 0, state: 'warming', document: () => ({ name }) };
}

function checkKind(users: ReadonlySet<SecretEntry>, { kind }: Secret, problems: Problems): void {
  for (const user of users) {
    if (user.kind === kind) continue;
    problems.add(`is of kind ${kind}, and is used as ${user.kind}`);
    return;
  }
}
