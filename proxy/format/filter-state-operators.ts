// FILTER_STATE: what filters keep of a request or connection under a name. Those of Istio keep who the other sidecar says it is;
// nothing else is kept here, so that any other name has nothing to say.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage#command-operators

import type { FilterStateForm, FormatCommand } from '../../config/format-commands.ts';
import type { StreamInfo } from '../http/stream-info.ts';
import type { Workload } from '../istio/workload.ts';
import { toByteString, withoutControls } from './byte-string.ts';
import { type FormatValue, JsonText, type Operator } from './format-context.ts';

/** By command name: makes the operator for one use of the command. */
export const filterStateOperators: Readonly<Record<string, (command: FormatCommand) => Operator>> = {
  FILTER_STATE: ({ argument }) => {
    const [name, form, field] = argument!.split(':');
    const peerOf = peers.get(name!);
    if (peerOf === undefined) return () => null;
    const write = compileForm(form as FilterStateForm | undefined, field ?? '');
    return ({ info }) => {
      const peer = peerOf(info);
      return peer === null ? null : write(peer);
    };
  },
  // What the filters of an endpoint's connection keep: none of ours does.
  UPSTREAM_FILTER_STATE: () => () => null,
};

const downstream = ({ downstreamPeer }: StreamInfo): Workload | null => downstreamPeer;
const upstream = ({ upstreamPeer }: StreamInfo): Workload | null => upstreamPeer;

/** Istio's releases differ in the name whose fields can be told. */
const peers: ReadonlyMap<string, (info: StreamInfo) => Workload | null> = new Map([
  ['downstream_peer', downstream],
  ['downstream_peer_obj', downstream],
  ['upstream_peer', upstream],
  ['upstream_peer_obj', upstream],
]);

type Write = (peer: Workload) => FormatValue | null;

function compileForm(form: FilterStateForm | undefined, field: string): Write {
  if (form === 'PLAIN') return (peer) => toldOf(peer).plain;
  if (form !== 'FIELD') return (peer) => toldOf(peer).typed;
  const read = Object.hasOwn(fields, field) ? fields[field]! : null;
  if (read === null) return () => null;
  return (peer) => logged(read(peer) || (field === 'type' ? 'unknown' : ''));
}

/** What is told of the whole of a peer, which has a million requests. */
interface Told {
  readonly plain: string;
  readonly typed: JsonText;
}

const told = new WeakMap<Workload, Told>();

function toldOf(peer: Workload): Told {
  let of = told.get(peer);
  if (of === undefined) {
    of = { plain: plainText(peer), typed: JsonText.of(typed(peer)) };
    told.set(peer, of);
  }
  return of;
}

/** In the words and the order of Istio's telemetry. */
const fields: Readonly<Record<string, (peer: Workload) => string>> = {
  type: ({ kind }) => kind,
  workload: ({ name }) => name,
  name: ({ instance }) => instance,
  cluster: ({ cluster }) => cluster,
  namespace: ({ namespace }) => namespace,
  service: ({ canonicalService }) => canonicalService,
  revision: ({ canonicalRevision }) => canonicalRevision,
  app: ({ app }) => app,
  version: ({ version }) => version,
  identity: ({ identity }) => identity,
  region: ({ region }) => region,
  availability_zone: ({ zone }) => zone,
};

function typed(peer: Workload): Record<string, unknown> {
  const known: Record<string, unknown> = Object.fromEntries(knownFields(peer));
  if (peer.labels.size > 0) known['labels'] = Object.fromEntries(peer.labels);
  return known;
}

function plainText(peer: Workload): string {
  const labels = [...peer.labels].map(([name, value]) => [`labels[]${name}`, value]);
  const pairs = [...knownFields(peer).filter(([name]) => !unlistedFields.has(name)), ...labels];
  return logged(pairs.map(([name, value]) => `${name}=${value}`).join(','));
}

/** Istio's text of the whole leaves them out. */
const unlistedFields: ReadonlySet<string> = new Set(['identity', 'region', 'availability_zone']);

function knownFields(peer: Workload): [string, string][] {
  return Object.entries(fields)
    .map(([name, read]): [string, string] => [name, read(peer)])
    .filter(([, value]) => value !== '');
}

// A peer says what it likes.
function logged(text: string): string {
  return withoutControls(toByteString(text));
}
