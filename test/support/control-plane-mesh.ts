// Control planes in memory that follow each other: real sessions, sources and unions. Messages are handed on one at a time, in
// order on each link and in any order among links, time is given, and links are cut and mended while both sides live on.

import { Problems } from '../../config/problems.ts';
import type { Random } from '../../config/random.ts';
import { DeltaSession } from '../../control-plane/delta-session.ts';
import { readDeltaRequest, writeDeltaResponse } from '../../control-plane/discovery-message.ts';
import { LocalStatement } from '../../control-plane/local-statement.ts';
import { ResourceUnion } from '../../control-plane/resource-union.ts';
import { resourcesOf } from '../../control-plane/served-snapshot.ts';
import { everyNode, SnapshotCache } from '../../control-plane/snapshot-cache.ts';
import { UpstreamSource } from '../../control-plane/upstream-source.ts';
import { readDeltaResponse } from '../../xds/client/discovery-wire.ts';
import type { DiscoveryStreamEvents, DiscoveryTransport } from '../../xds/client/transport.ts';
import type { ClusterLoadAssignment } from '../../xds/generated/messages.ts';
import { decodeMessage } from '../../xds/message/wire-message.ts';
import { resourcesOfText, typeUrls } from './control-plane-fixtures.ts';

/** Ports of the endpoints by service. */
export type Services = { readonly [service: string]: readonly number[] };

/** More than any exchange of a test needs: what goes on is without end. */
const maxSteps = 200_000;

export class ControlPlaneMesh {
  readonly random: Random;
  /** Responses that arrived since it was set. */
  responses = 0;
  nowMs = 0;
  readonly #lanes = new Map<string, (() => void)[]>();
  readonly #timers = new Set<Timer>();
  readonly #cut = new Set<string>();
  readonly #runs = new Map<string, MeshRun>();

  constructor(random: Random) {
    this.random = random;
  }

  /** A run of a control plane; the one before it at this address ends. */
  start(name: string, services: Services, options: RunOptions = {}): MeshRun {
    const run = new MeshRun(this, name, options);
    this.stop(name);
    this.#runs.set(name, run);
    run.state(services);
    run.start();
    return run;
  }

  stop(name: string): void {
    const run = this.#runs.get(name);
    this.#runs.delete(name);
    run?.stop();
  }

  run(name: string): MeshRun | undefined {
    return this.#runs.get(name);
  }

  get runs(): readonly MeshRun[] {
    return [...this.#runs.values()];
  }

  /** `follower` does not reach `followed` any more; the other way is another link. */
  cut(follower: string, followed: string): void {
    this.#cut.add(`${follower} ${followed}`);
    for (const call of this.#runs.get(followed)?.calls ?? []) if (call.follower === follower) call.break();
  }

  mend(follower: string, followed: string): void {
    this.#cut.delete(`${follower} ${followed}`);
  }

  /** The control plane at an address, when it can be reached from `follower`. */
  reached(follower: string, followed: string): MeshRun | undefined {
    return this.#cut.has(`${follower} ${followed}`) ? undefined : this.#runs.get(followed);
  }

  /** What is in one lane happens in order. */
  enqueue(lane: string, step: () => void): void {
    const steps = this.#lanes.get(lane);
    if (steps === undefined) this.#lanes.set(lane, [step]);
    else steps.push(step);
  }

  schedule(delayMs: number, callback: () => void): () => void {
    const timer = { atMs: this.nowMs + delayMs, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Hands on what is on its way, and what comes of it, until all is at rest. */
  settle(): void {
    for (let steps = 0; this.#lanes.size > 0; steps++) {
      if (steps > maxSteps) throw new Error('they never come to rest');
      this.#step();
    }
  }

  /** A few steps, with the rest still on its way. */
  stepSome(count: number): void {
    for (let left = count; left > 0 && this.#lanes.size > 0; left--) this.#step();
  }

  /** Everything that is due until then happens at its time. */
  advance(ms: number): void {
    const untilMs = this.nowMs + ms;
    this.settle();
    for (let next = this.#nextTimer(untilMs); next !== undefined; next = this.#nextTimer(untilMs)) {
      this.#timers.delete(next);
      this.nowMs = next.atMs;
      next.callback();
      this.settle();
    }
    this.nowMs = untilMs;
  }

  #nextTimer(untilMs: number): Timer | undefined {
    const due = [...this.#timers].filter(({ atMs }) => atMs <= untilMs);
    return due.reduce<Timer | undefined>((first, each) => (first && first.atMs <= each.atMs ? first : each), undefined);
  }

  #step(): void {
    const lanes = [...this.#lanes.keys()];
    const lane = lanes[Math.floor(this.random() * lanes.length)]!;
    const steps = this.#lanes.get(lane)!;
    const step = steps.shift()!;
    if (steps.length === 0) this.#lanes.delete(lane);
    step();
  }
}

interface Timer {
  readonly atMs: number;
  readonly callback: () => void;
}

export interface RunOptions {
  /** Names of control planes. */
  readonly follows?: readonly string[];
  readonly timeToLiveMs?: number;
  /** Of its versions: 1 of a control plane that counts nothing, 4 of one that does not say how far away origins are. */
  readonly versionFields?: number;
}

let runs = 0;

export class MeshRun {
  readonly name: string;
  readonly follows: readonly string[];
  readonly origin: string;
  readonly versionFields: number;
  readonly cache = new SnapshotCache();
  readonly calls = new Set<MeshCall>();
  services: Services = {};
  #unnamed: Services = {};
  readonly #local: LocalStatement;
  readonly #union = new ResourceUnion();
  readonly #sources: readonly UpstreamSource[];
  #hasStopped = false;

  constructor(mesh: ControlPlaneMesh, name: string, options: RunOptions) {
    const { follows = [], timeToLiveMs = 60_000, versionFields = 5 } = options;
    this.name = name;
    this.versionFields = versionFields;
    this.follows = follows;
    this.origin = `${name}/${++runs}`;
    this.#local = new LocalStatement(this.origin);
    this.#sources = follows.map(
      (followed) =>
        new UpstreamSource({
          name: followed,
          nodeId: name,
          origin: `${this.origin}/${followed}`,
          transport: new MeshTransport(mesh, this, followed),
          timeToLiveMs,
          clock: () => mesh.nowMs,
          random: mesh.random,
          schedule: (delayMs, callback) => mesh.schedule(delayMs, callback),
          defer: (callback) => mesh.enqueue(`${this.origin} turn`, callback),
          log: () => {},
          onChange: () => this.#publish(),
        }),
    );
  }

  start(): void {
    for (const source of this.#sources) source.start();
  }

  stop(): void {
    this.#hasStopped = true;
    for (const source of this.#sources) source.stop();
    for (const call of [...this.calls]) call.break();
  }

  /** Of those that are unnamed there are endpoints, and no clusters that ask for them. */
  state(services: Services, unnamed: Services = {}): void {
    this.services = services;
    this.#unnamed = unnamed;
    this.#publish();
  }

  /** What data planes get. */
  served(): Services {
    const snapshot = this.cache.snapshotFor('');
    const clusters = snapshot === undefined ? [] : resourcesOf(snapshot, typeUrls['cds']!).byName.keys();
    const assignments = snapshot && resourcesOf(snapshot, typeUrls['eds']!).byName;
    return Object.fromEntries(
      [...clusters].sort().map((name) => {
        const assignment = assignments?.get(name);
        return [name, assignment === undefined ? [] : portsOfAssignment(assignment.message)];
      }),
    );
  }

  /** Everybody of whom anything is told on. */
  origins(): readonly string[] {
    const types = [...(this.cache.snapshotFor('')?.types.values() ?? [])];
    const told = types.flatMap(({ seen, hops, byName }) => {
      const changes = [...byName.values()].flatMap((resource) => [...(resource.changes ?? new Map()).keys()]);
      return [...seen.keys(), ...hops.keys(), ...changes];
    });
    return [...new Set(told)].sort();
  }

  #publish(): void {
    if (this.#hasStopped || this.#sources.some(({ isAwaited }) => isAwaited)) return;
    const all = resourcesOfText(textOf({ ...this.#unnamed, ...this.services }));
    const resources = all.filter(({ type, name }) => type.shortName !== 'cds' || name in this.services);
    const statements = [this.#local.update('', resources), ...this.#sources.map((source) => source.statement())];
    this.cache.update(new Map([[everyNode, { ...this.#union.unite(statements), origin: this.origin }]]));
  }
}

class MeshTransport implements DiscoveryTransport {
  readonly target: string;
  readonly #mesh: ControlPlaneMesh;
  readonly #follower: MeshRun;

  constructor(mesh: ControlPlaneMesh, follower: MeshRun, followed: string) {
    this.#mesh = mesh;
    this.#follower = follower;
    this.target = followed;
  }

  open(events: DiscoveryStreamEvents) {
    const followed = this.#mesh.reached(this.#follower.name, this.target);
    const lane = `${this.#follower.origin} ${this.target}`;
    if (followed === undefined) {
      this.#mesh.enqueue(lane, () => events.onEnd({ code: 14, reason: 'cannot be reached' }));
      return { send: () => {}, cancel: () => {} };
    }
    const call = new MeshCall(this.#mesh, { follower: this.#follower.name, followed, lane, events });
    return { send: (encode: () => Uint8Array) => call.send(encode()), cancel: () => call.cancel() };
  }

  close(): void {}
}

interface MeshCallOptions {
  readonly follower: string;
  readonly followed: MeshRun;
  readonly lane: string;
  readonly events: DiscoveryStreamEvents;
}

/** One stream; what is on its way when it breaks is lost. */
class MeshCall {
  readonly follower: string;
  readonly #mesh: ControlPlaneMesh;
  readonly #options: MeshCallOptions;
  readonly #session = new DeltaSession({ typeUrl: undefined, clock: () => 0 });
  readonly #unfollow: () => void;
  #hasNode = false;
  #isWriting = false;
  #hasEnded = false;

  constructor(mesh: ControlPlaneMesh, options: MeshCallOptions) {
    this.#mesh = mesh;
    this.#options = options;
    this.follower = options.follower;
    this.#unfollow = options.followed.cache.follow(() => this.#write());
    options.followed.calls.add(this);
  }

  send(request: Uint8Array): void {
    this.#enqueue('request', () => {
      this.#hasNode ||= readDeltaRequest(request)!.node !== undefined;
      this.#session.onRequest(request);
      this.#write();
    });
  }

  /** By the follower. */
  cancel(): void {
    this.#hasEnded = true;
    this.#unfollow();
    this.#options.followed.calls.delete(this);
  }

  /** By the link, or the other side. */
  break(): void {
    if (this.#hasEnded) return;
    this.cancel();
    this.#mesh.enqueue(this.#options.lane, () => this.#options.events.onEnd({ code: 14, reason: 'it broke' }));
  }

  #write(): void {
    const snapshot = this.#options.followed.cache.snapshotFor('');
    if (this.#hasEnded || this.#isWriting || !this.#hasNode || snapshot === undefined) return;
    const response = this.#session.next(snapshot);
    if (response === undefined) return;
    this.#isWriting = true;
    this.#enqueue('response', () => {
      this.#mesh.responses++;
      this.#isWriting = false;
      this.#options.events.onMessage(withFields(response, this.#options.followed.versionFields));
      this.#write();
    });
  }

  #enqueue(way: string, step: () => void): void {
    this.#mesh.enqueue(`${this.#options.lane} ${way}`, () => {
      if (!this.#hasEnded) step();
    });
  }
}

function textOf(services: Services): string {
  const documents = Object.entries(services).map(([name, ports]) => {
    return `service: ${name}\nendpoints: [${ports.map((port) => `"127.0.0.1:${port}"`).join(', ')}]\n`;
  });
  return documents.length === 0 ? '# none\n' : documents.join('---\n');
}

function portsOfAssignment(message: Uint8Array): readonly number[] {
  const type = 'envoy.config.endpoint.v3.ClusterLoadAssignment';
  const { endpoints = [] } = decodeMessage(message, type, new Problems()) as ClusterLoadAssignment;
  const ports = endpoints.flatMap(({ lbEndpoints = [] }) =>
    lbEndpoints.map(({ endpoint }) => endpoint!.address!.socketAddress!.portValue!),
  );
  return ports.sort((a, b) => a - b);
}

/** With so many fields of each version, and no more. */
function withFields(response: Uint8Array, fields: number): Uint8Array {
  const read = readDeltaResponse(response);
  if (read.kind !== 'response') throw new Error(read.reason);
  const { typeUrl, nonce, removed } = read.response;
  const cut = (version: string) => version.split(';', fields).join(';');
  const resources = read.response.resources.map(({ name, version, message }) => {
    return { name, version: cut(version), message: message! };
  });
  return writeDeltaResponse({ typeUrl, version: cut(read.response.version), nonce, resources, removed });
}
