// The OpenSSL that the node binary carries and exports: TLS without a second library in the process, which would mix its
// symbols with those of the first and fail.
//
// Functions are looked up when they are first called: a proxy that speaks no TLS declares none of a hundred of them.
//
// OpenSSL tells why a call failed in a queue of the thread (ERR_get_error(3)). Whoever fails here empties it into a sentence
// at once, and nobody reads it for another reason: what somebody else has left in it, Node's own TLS included, decides nothing.

import { declare, type ForeignType } from './libc.ts';

export type OpensslFunction = (...values: (number | string)[]) => number;

/** Why TLS cannot be had from this process and what to do about it, as a sentence; undefined when it can. */
export function opensslProblem(): string | undefined {
  if (problem === undefined) {
    problem = findProblem(linkedVersion(), process.versions.openssl) ?? null;
    // The texts of its errors are there only after that.
    if (problem === null) initialize()(OPENSSL_INIT_LOAD_SSL_STRINGS, 0);
  }
  return problem ?? undefined;
}

/** As `opensslProblem`, for a library that calls itself `linked` in a node that was made with `expected`. */
export function findProblem(linked: string | undefined, expected: string | undefined): string | undefined {
  const wayOut = 'use an official build of Node.js 24';
  if (linked === undefined) return `this node does not export OpenSSL's functions: ${wayOut}`;
  const [, name, version = '', major, minor] = /^(\S+) ((\d+)\.(\d+)\S*)/.exec(linked) ?? [];
  if (name !== 'OpenSSL' || Number(major) !== 3 || Number(minor) < OLDEST_MINOR)
    return `TLS needs OpenSSL 3.${OLDEST_MINOR} or a later 3.x, and this node has "${linked}": ${wayOut}`;
  // Another libssl was loaded in front of node's own, by LD_PRELOAD for example.
  if (expected !== undefined && !expected.startsWith(version))
    return `this node was made with OpenSSL ${expected}, and its functions are those of "${linked}": ${wayOut}`;
  return undefined;
}

/**
 * A function of OpenSSL that is looked up when it is first needed: what it returns is the function itself. Pointers are
 * numbers. Throws when this process does not have it, which `opensslProblem` tells before.
 */
export function declareOpenssl(result: ForeignType, name: string, parameters: ForeignType[]): () => OpensslFunction {
  let found: OpensslFunction | undefined;
  return () => {
    found ??= declare(result, name, parameters) as OpensslFunction;
    return found;
  };
}

/** As `declareOpenssl`, for functions that return text of the library's own; null for NULL. */
export function declareOpensslText(
  name: string,
  parameters: ForeignType[],
): () => (...values: number[]) => string | null {
  return declareOpenssl('str', name, parameters) as () => (...values: number[]) => never;
}

/**
 * What the calls that just failed have left in the thread's queue, oldest first, as one plain sentence; and empties it.
 * Only OpenSSL's own fixed texts: never what was parsed, a key or a password among it. Undefined for an empty queue.
 */
export function takeOpensslProblem(): string | undefined {
  const reasons: string[] = [];
  for (let code = getError()(); code !== 0; code = getError()()) {
    const reason = reasonOf(code);
    if (reasons.length < MAX_REASONS && !reasons.includes(reason)) reasons.push(reason);
  }
  return reasons.length === 0 ? undefined : reasons.join(': ');
}

/** As `takeOpensslProblem`, the newest reason alone: where others may have left something in the queue before. */
export function takeLastOpensslProblem(): string {
  let newest = 0;
  for (let code = getError()(); code !== 0; code = getError()()) {
    // Says only that the one before it happened.
    if (code !== RECORD_LAYER_FAILURE || newest === 0) newest = code;
  }
  return newest === 0 ? 'no reason is known' : reasonOf(newest);
}

/** The number of the last failure (ERR_peek_last_error(3)), 0 for none. It stays in the queue. */
export function lastOpensslError(): number {
  return peekLastError()();
}

/** Which part of OpenSSL an error number comes from (ERR_GET_LIB), such as `OpensslPart.pem`. */
export function partOf(code: number): number {
  return (code >>> 23) & 0xff;
}

export function reasonNumberOf(code: number): number {
  return code & 0x7fffff;
}

export const OpensslPart = { x509: 11, pem: 9, ssl: 20 } as const;

/** Before calls whose failure is looked for in the queue: others may have left something there. */
export function clearOpensslErrors(): void {
  clearError()();
}

// What is tested: 3.5 is a release with long support, and the first with X25519MLKEM768. A 4.x may rename any constant.
const OLDEST_MINOR = 5;
const MAX_REASONS = 4;
const RECORD_LAYER_FAILURE = OpensslPart.ssl * 2 ** 23 + 313;
const OPENSSL_VERSION = 0;
const OPENSSL_INIT_LOAD_SSL_STRINGS = 0x200000;

/** Null: there is none. */
let problem: string | null | undefined;

function linkedVersion(): string | undefined {
  // A node without these exports is met here first.
  try {
    return versionText()(OPENSSL_VERSION) ?? undefined;
  } catch (error) {
    if (error instanceof Error && /Cannot find function/.test(error.message)) return undefined;
    throw error;
  }
}

function reasonOf(code: number): string {
  // ERR_SYSTEM_FLAG: an errno, of which OpenSSL has no fixed text.
  if ((code & SYSTEM_FLAG) !== 0) return `system error ${code & 0x7fffffff}`;
  return reasonText()(code) ?? `error ${reasonNumberOf(code)} of part ${partOf(code)} of OpenSSL`;
}

const SYSTEM_FLAG = 0x80000000;

const initialize = declareOpenssl('int', 'OPENSSL_init_ssl', ['uint64_t', 'uint64_t']);
const versionText = declareOpensslText('OpenSSL_version', ['int']);
const reasonText = declareOpensslText('ERR_reason_error_string', ['uint64_t']);
const getError = declareOpenssl('uint64_t', 'ERR_get_error', []);
const peekLastError = declareOpenssl('uint64_t', 'ERR_peek_last_error', []);
const clearError = declareOpenssl('void', 'ERR_clear_error', []);
