// What sidecar and agent say to each other: one JSON object a line, both ways, each request answered before the next. A request
// that hands over listening sockets has their descriptors beside its first bytes, in the order of its `listeners`.
//
// Strict on purpose. The agent serves every pod of a node with capabilities that none of them has: whatever is not
// exactly a request is refused, with the reason, and the connection ends.

import type { Problem } from '../../config/problems.ts';
import type { CaptureSettings } from '../capture/settings.ts';
import { readCaptureSettings } from '../capture/settings-reader.ts';
import { settingsTree } from './settings-tree.ts';

export const PROTOCOL_VERSION = 1;

/** A request of the largest settings that the reader accepts has a quarter of this. */
export const MOST_LINE_BYTES = 65_536;

export const LISTENER_FAMILIES = ['ipv4', 'ipv6'] as const;
export type ListenerFamily = (typeof LISTENER_FAMILIES)[number];

export type AgentRequest =
  | {
      readonly kind: 'enrol';
      readonly settings: CaptureSettings;
      readonly listeners: readonly ListenerFamily[];
      /** Uid of a pod other than the peer's own. */
      readonly pod?: string;
    }
  /** Puts these in place of the listening sockets given before. */
  | { readonly kind: 'listeners'; readonly listeners: readonly ListenerFamily[] }
  | { readonly kind: 'counters' }
  /** Asks whether the agent serves, of anybody. */
  | { readonly kind: 'ready' }
  /** Takes the redirection away. */
  | { readonly kind: 'leave' };

export type AgentReply =
  | { readonly kind: 'enrolled'; readonly pod: string; readonly cgroup: string }
  | { readonly kind: 'done' }
  | { readonly kind: 'counters'; readonly counters: Readonly<Record<string, number>> }
  | Refusal;

export interface Refusal {
  readonly kind: 'refused';
  readonly reason: string;
  readonly wayOut?: string;
}

/** The request of a line, or what is wrong with it. */
export function readRequest(line: string): AgentRequest | Refusal {
  let tree: unknown;
  try {
    tree = JSON.parse(line);
  } catch (error) {
    return refusal(`the request is not JSON: ${(error as Error).message}`);
  }
  if (!isMapping(tree)) return refusal('the request is not an object');
  if (tree.protocol !== PROTOCOL_VERSION) {
    return {
      ...refusal(
        `this agent speaks version ${PROTOCOL_VERSION} of its protocol, the request says ${shown(tree.protocol)}`,
      ),
      wayOut: 'run sidecar and agent from the same release',
    };
  }
  const allowed = isRequestName(tree.request) ? FIELDS[tree.request] : undefined;
  if (allowed === undefined) {
    return refusal(`there is no request ${shown(tree.request)}, only ${Object.keys(FIELDS).join(', ')}`);
  }
  const stray = Object.keys(tree).find(
    (field) => field !== 'protocol' && field !== 'request' && !allowed.includes(field),
  );
  if (stray !== undefined) return refusal(`${shown(stray)} is no field of the request ${shown(tree.request)}`);
  return readBody(tree.request as RequestName, tree);
}

export function writeRequest(request: AgentRequest): string {
  const { kind, ...body } = request;
  const settings = request.kind === 'enrol' ? { settings: settingsTree(request.settings) } : {};
  return `${JSON.stringify({ protocol: PROTOCOL_VERSION, request: kind, ...body, ...settings })}\n`;
}

export function writeReply(reply: AgentReply): string {
  const { kind, ...body } = reply;
  return `${JSON.stringify({ protocol: PROTOCOL_VERSION, reply: kind, ...body })}\n`;
}

/** The reply of a line; a refusal of ours when it is none. */
export function readReply(line: string): AgentReply {
  let tree: unknown;
  try {
    tree = JSON.parse(line);
  } catch (error) {
    return refusal(`the agent's answer is not JSON: ${(error as Error).message}`);
  }
  if (!isMapping(tree) || tree.protocol !== PROTOCOL_VERSION) return refusal('the agent answers in another protocol');
  const { reply, pod, cgroup, reason, wayOut, counters } = tree;
  if (reply === 'done') return { kind: 'done' };
  if (reply === 'enrolled' && typeof pod === 'string' && typeof cgroup === 'string') {
    return { kind: 'enrolled', pod, cgroup };
  }
  if (reply === 'counters' && isMapping(counters) && Object.values(counters).every(Number.isSafeInteger)) {
    return { kind: 'counters', counters: counters as Record<string, number> };
  }
  if (reply === 'refused' && typeof reason === 'string') {
    return { ...refusal(reason), ...(typeof wayOut === 'string' && { wayOut }) };
  }
  return refusal('the agent gave an answer that is none');
}

export function refusal(reason: string, wayOut?: string): Refusal {
  return { kind: 'refused', reason, ...(wayOut !== undefined && { wayOut }) };
}

const FIELDS: Readonly<Record<AgentRequest['kind'], readonly string[]>> = {
  enrol: ['settings', 'listeners', 'pod'],
  listeners: ['listeners'],
  counters: [],
  ready: [],
  leave: [],
};
type RequestName = AgentRequest['kind'];
/** Any of these may be there, and others. */
type Mapping = {
  readonly [field in 'protocol' | 'request' | 'settings' | 'listeners' | 'pod' | ReplyField]?: unknown;
};
type ReplyField = 'reply' | 'cgroup' | 'reason' | 'wayOut' | 'counters';

function readBody(name: RequestName, tree: Mapping): AgentRequest | Refusal {
  if (name !== 'enrol' && name !== 'listeners') return { kind: name };
  const listeners = readListeners(tree.listeners);
  if (listeners === undefined) {
    return refusal(
      `listeners must be a list of ${LISTENER_FAMILIES.join(' and ')}, each once, not ${shown(tree.listeners)}`,
    );
  }
  if (name === 'listeners') return { kind: 'listeners', listeners };
  const { pod } = tree;
  if (pod !== undefined && (typeof pod !== 'string' || !POD_UID.test(pod))) {
    return refusal(`pod must be the uid of a pod, not ${shown(pod)}`);
  }
  const read = readCaptureSettings(tree.settings);
  if (read.kind === 'problems') return refusal(problemsText(read.problems));
  return { kind: 'enrol', settings: read.settings, listeners, ...(pod !== undefined && { pod }) };
}

const POD_UID = /^(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32})$/;

function readListeners(tree: unknown): readonly ListenerFamily[] | undefined {
  if (!Array.isArray(tree) || tree.length > LISTENER_FAMILIES.length) return undefined;
  const families = LISTENER_FAMILIES.filter((family) => tree.includes(family));
  return families.length === tree.length ? (tree as ListenerFamily[]) : undefined;
}

/** One thing is enough to find the others by; the peer reads a line, not a page. */
function problemsText(problems: readonly Problem[]): string {
  const [first] = problems;
  const more = problems.length > 1 ? `, and ${problems.length - 1} more` : '';
  return `the settings cannot be used: ${first!.path}: ${first!.message}${more}`;
}

function isRequestName(name: unknown): name is RequestName {
  return typeof name === 'string' && Object.hasOwn(FIELDS, name);
}

function isMapping(value: unknown): value is Mapping {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What a peer sent, cut: it goes into answers and logs. */
function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length <= 60 ? text : `${text.slice(0, 57)}...`;
}
