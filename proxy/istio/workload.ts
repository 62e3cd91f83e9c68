// What an Istio sidecar tells its peers of the workload it serves, for metrics and logs: names, labels, owner. It comes of the
// node's metadata, and goes as a `google.protobuf.Struct` in base64.
//
// A peer says of itself what it likes: nothing of it is an identity, and nothing may be allowed because of it.

import { decodeStruct, encodeStruct, type TextStruct } from './struct-wire.ts';

/** Texts are empty when they are not known. */
export interface Workload {
  /** Of the pod. */
  readonly instance: string;
  readonly namespace: string;
  /** Of the deployment, job or the like. */
  readonly name: string;
  readonly kind: '' | 'pod' | 'deployment' | 'job' | 'cronjob';
  readonly cluster: string;
  readonly canonicalService: string;
  readonly canonicalRevision: string;
  readonly app: string;
  readonly version: string;
  readonly identity: string;
  readonly region: string;
  readonly zone: string;
  /** Beside those that the others are made of. */
  readonly labels: ReadonlyMap<string, string>;
}

/** Who this proxy is, of its bootstrap's node. */
export interface WorkloadNode {
  readonly id: string;
  readonly metadata: { readonly [key: string]: unknown };
  readonly region: string;
  readonly zone: string;
}

export function workloadOfNode(node: WorkloadNode, additionalLabels: readonly string[]): Workload {
  const struct = new Map<string, string | TextStruct>();
  for (const [key, value] of Object.entries(node.metadata)) {
    if (typeof value === 'string') struct.set(key, value);
    else if (key === LABELS && typeof value === 'object' && value !== null)
      struct.set(key, textsOf(Object.entries(value)));
  }
  if (!struct.has('REGION')) struct.set('REGION', node.region);
  if (!struct.has('AVAILABILITY_ZONE')) struct.set('AVAILABILITY_ZONE', node.zone);
  return workloadOfStruct(struct, additionalLabels);
}

/** As it stands in the header. */
export function encodeWorkload(workload: Workload): string {
  return encodeStruct(structOfWorkload(workload)).toString('base64');
}

/** As it is told to a peer. */
export function structOfWorkload(workload: Workload): TextStruct {
  const labels = new Map<string, string>(workload.labels);
  setText(labels, 'service.istio.io/canonical-name', workload.canonicalService);
  setText(labels, 'service.istio.io/canonical-revision', workload.canonicalRevision);
  setText(labels, 'app', workload.app);
  setText(labels, 'version', workload.version);
  const struct = new Map<string, string | TextStruct>([[LABELS, labels]]);
  setText(struct, 'NAME', workload.instance);
  setText(struct, 'NAMESPACE', workload.namespace);
  setText(struct, 'WORKLOAD_NAME', workload.name);
  setText(struct, 'CLUSTER_ID', workload.cluster);
  setText(struct, 'IDENTITY', workload.identity);
  setText(struct, 'REGION', workload.region);
  setText(struct, 'AVAILABILITY_ZONE', workload.zone);
  if (workload.kind !== '') {
    struct.set('OWNER', `${OWNERS}${workload.namespace}/${workload.kind}s/${workload.name}`);
  }
  return struct;
}

/** What a peer's header says; null when it is longer than allowed, no base64, or no struct. */
export function decodeWorkload(header: string, additionalLabels: readonly string[]): Workload | null {
  if (header.length > MAX_HEADER_BYTES || header.length % 4 === 1) return null;
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(header)) return null;
  const struct = decodeStruct(Buffer.from(header, 'base64'));
  return struct === null ? null : workloadOfStruct(struct, additionalLabels);
}

/** What Istio's control plane says of an endpoint: `name;namespace;canonical service;revision;cluster`. Null when it doesn't. */
export function workloadOfEndpoint(text: string): Workload | null {
  const [name, namespace, canonicalService, canonicalRevision, cluster] = text.split(';');
  if (cluster === undefined) return null;
  return {
    ...unknownWorkload,
    name: name!,
    namespace: namespace!,
    canonicalService: canonicalService!,
    canonicalRevision: canonicalRevision!,
    cluster,
  };
}

/** A header that is longer is not read: what sidecars send takes some hundred bytes. */
export const MAX_HEADER_BYTES = 8 * 1024;

/** What a peer has told, whatever in it is of use. */
export function workloadOfStruct(struct: TextStruct, additionalLabels: readonly string[]): Workload {
  const text = (key: string): string => {
    const value = struct.get(key);
    return typeof value === 'string' ? value : '';
  };
  const given = struct.get(LABELS);
  const labels = given === undefined || typeof given === 'string' ? noLabels : textsOf(given);
  const label = (...names: readonly string[]): string => {
    for (const name of names) if (labels.has(name)) return labels.get(name)!;
    return '';
  };
  const additional = new Map<string, string>();
  for (const name of additionalLabels) if (labels.has(name)) additional.set(name, labels.get(name)!);
  const name = text('WORKLOAD_NAME');
  return {
    instance: text('NAME'),
    namespace: text('NAMESPACE'),
    name,
    kind: kindOfOwner(text('OWNER'), name),
    cluster: text('CLUSTER_ID'),
    canonicalService: label('service.istio.io/canonical-name'),
    canonicalRevision: label('service.istio.io/canonical-revision'),
    app: label('app.kubernetes.io/name', 'app'),
    version: label('app.kubernetes.io/version', 'version'),
    identity: text('IDENTITY'),
    region: text('REGION'),
    zone: text('AVAILABILITY_ZONE'),
    labels: additional,
  };
}

/** Of `kubernetes://apis/apps/v1/namespaces/NAMESPACE/deployments/NAME`. */
function kindOfOwner(owner: string, name: string): Workload['kind'] {
  const kind = owner.endsWith(`s/${name}`)
    ? owner
        .slice(0, -name.length - 2)
        .split('/')
        .at(-1)
    : undefined;
  return kinds.find((known) => known === kind) ?? '';
}

function textsOf(entries: Iterable<readonly [string, unknown]>): ReadonlyMap<string, string> {
  const texts = new Map<string, string>();
  for (const [key, text] of entries) if (typeof text === 'string') texts.set(key, text);
  return texts;
}

function setText(map: Map<string, string | TextStruct>, key: string, text: string): void {
  if (text !== '') map.set(key, text);
}

const LABELS = 'LABELS';
const OWNERS = 'kubernetes://apis/apps/v1/namespaces/';
const kinds = ['pod', 'deployment', 'job', 'cronjob'] as const;
const noLabels: ReadonlyMap<string, string> = new Map();
const unknownWorkload: Workload = {
  instance: '',
  namespace: '',
  name: '',
  kind: '',
  cluster: '',
  canonicalService: '',
  canonicalRevision: '',
  app: '',
  version: '',
  identity: '',
  region: '',
  zone: '',
  labels: noLabels,
};
