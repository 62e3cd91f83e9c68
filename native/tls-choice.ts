// Which of several certificates a server shows: by the name that the client asks for (SNI, RFC 6066 3), and among those by
// what kinds of keys it can, which OpenSSL knows; and with which OCSP response. OpenSSL calls back for both, once a handshake:
// one callback a thread for all contexts, which are told apart by a number.
//
// https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/security/ssl#certificate-selection

import koffi from 'koffi';
import { NativeBuffer } from './native-buffer.ts';
import { declareOpenssl, declareOpensslText } from './openssl.ts';
import { type LoadedIdentity, type OcspStaple, useInSession } from './tls-identity.ts';

export interface StaplePolicy {
  /** Of a response that is missing or out of date: go on without, fail where one was configured, fail. */
  readonly kind: 'lenient' | 'strict' | 'must-staple';
  readonly wallClock: () => number;
  /** A client has asked for a response. */
  readonly onRequest: (outcome: StapleOutcome) => void;
}

export type StapleOutcome = 'sent' | 'omitted' | 'failed';

export interface IdentityChoice {
  readonly identities: readonly LoadedIdentity[];
  /** Who asks for a name that no certificate has may be shown any of them; otherwise the first. */
  readonly triesAll: boolean;
  readonly staples: StaplePolicy | undefined;
}

/** Makes the choice known to this thread, and has the context (SSL_CTX) ask for it. Its number. */
export function addChoice(context: number, choice: IdentityChoice): number {
  lastNumber += 1;
  choices.set(lastNumber, { ...choice, names: namesOf(choice.identities) });
  if (choice.identities.length > 1) setCertificateCallback()(context, certificateCallback(), lastNumber);
  if (choice.staples !== undefined) {
    callbackControl()(context, SSL_CTRL_SET_STATUS_CALLBACK, statusCallback());
    control()(context, SSL_CTRL_SET_STATUS_ARGUMENT, 0, lastNumber);
  }
  return lastNumber;
}

/** No handshake may be made with it after that. */
export function removeChoice(number: number): void {
  choices.delete(number);
}

type Names = Pick<LoadedIdentity['facts'], 'dnsNames' | 'commonName' | 'hasAltNames'>;

/** By names in lower case, `*.a` as `.a`: who has it, in order. A common name counts where there are no others. */
export function namesOf<T extends { readonly facts: Names }>(
  identities: readonly T[],
): ReadonlyMap<string, readonly T[]> {
  const byName = new Map<string, T[]>();
  for (const identity of identities) {
    const { dnsNames, commonName, hasAltNames } = identity.facts;
    for (const name of new Set(hasAltNames ? dnsNames : [commonName])) {
      const key = name.replace(/^\*\./, '.').toLowerCase();
      const known = byName.get(key);
      if (known === undefined) byName.set(key, [identity]);
      else known.push(identity);
    }
  }
  return byName;
}

/** Who has `serverName` itself, else a wildcard for its first label; undefined when nobody does. */
export function chooseByName<T>(
  byName: ReadonlyMap<string, readonly T[]>,
  serverName: string,
): readonly T[] | undefined {
  const name = serverName.toLowerCase();
  const dot = name.indexOf('.', 1);
  return byName.get(name) ?? (dot < 0 ? undefined : byName.get(name.slice(dot)));
}

/** What becomes of a client's request for a response, and the response when it is sent. */
export function stapleFor(
  staple: OcspStaple | undefined,
  mustStaple: boolean,
  policy: StaplePolicy,
): [StapleOutcome, OcspStaple?] {
  if (staple !== undefined && staple.expiresAtMs > policy.wallClock()) return ['sent', staple];
  const kind = mustStaple ? 'must-staple' : policy.kind;
  const mayGoOn = kind === 'lenient' || (kind === 'strict' && staple === undefined);
  return [mayGoOn ? 'omitted' : 'failed'];
}

interface Choice extends IdentityChoice {
  readonly names: ReadonlyMap<string, readonly LoadedIdentity[]>;
}

const choices = new Map<number, Choice>();
let lastNumber = 0;
let certificatePointer: number | undefined;
let statusPointer: number | undefined;

function certificateCallback(): number {
  certificatePointer ??= Number(koffi.register(onCertificate, callbackType));
  return certificatePointer;
}

function statusCallback(): number {
  statusPointer ??= Number(koffi.register(onStatus, callbackType));
  return statusPointer;
}

/** 1 to go on, 0 to fail the handshake. */
function onCertificate(session: number, number: number): number {
  const choice = choices.get(number);
  if (choice === undefined) return 0;
  const serverName = serverNameOf()(session, HOST_NAME) ?? '';
  const { identities, triesAll, names } = choice;
  const named = serverName === '' ? identities : chooseByName(names, serverName);
  const chosen = named ?? (triesAll ? identities : identities.slice(0, 1));
  // The first of a kind of key stays: what is set later would replace it.
  const kinds = new Set<number>();
  for (const identity of chosen) {
    if (kinds.has(identity.keyKind)) continue;
    kinds.add(identity.keyKind);
    if (!useInSession(session, identity)) return 0;
  }
  return 1;
}

function onStatus(session: number, number: number): number {
  const choice = choices.get(number);
  if (choice?.staples === undefined) return NO_ACKNOWLEDGEMENT;
  const shown = ownCertificate()(session);
  const identity = choice.identities.find(({ certificate }) => certificate === shown);
  const [outcome, staple] = stapleFor(identity?.staple, identity?.facts.mustStaple ?? false, choice.staples);
  choice.staples.onRequest(outcome);
  if (staple === undefined) return outcome === 'failed' ? ALERT_FATAL : NO_ACKNOWLEDGEMENT;
  const copy = new NativeBuffer(staple.der.length);
  copy.bytes.set(staple.der);
  // Becomes the session's, which frees it.
  const given = duplicate()(copy.address, copy.length, 0, 0);
  sessionControl()(session, SSL_CTRL_SET_STATUS_RESPONSE, copy.length, given);
  return OK;
}

const OK = 0; // SSL_TLSEXT_ERR_…
const ALERT_FATAL = 2;
const NO_ACKNOWLEDGEMENT = 3;
const HOST_NAME = 0; // TLSEXT_NAMETYPE_host_name
const SSL_CTRL_SET_STATUS_CALLBACK = 63;
const SSL_CTRL_SET_STATUS_ARGUMENT = 64;
const SSL_CTRL_SET_STATUS_RESPONSE = 71;

const callbackType = koffi.pointer(koffi.proto('int', ['uint64_t', 'uint64_t']));
const setCertificateCallback = declareOpenssl('void', 'SSL_CTX_set_cert_cb', ['uint64_t', 'uint64_t', 'uint64_t']);
const callbackControl = declareOpenssl('long', 'SSL_CTX_callback_ctrl', ['uint64_t', 'int', 'uint64_t']);
const control = declareOpenssl('long', 'SSL_CTX_ctrl', ['uint64_t', 'int', 'long', 'uint64_t']);
const sessionControl = declareOpenssl('long', 'SSL_ctrl', ['uint64_t', 'int', 'long', 'uint64_t']);
const serverNameOf = declareOpensslText('SSL_get_servername', ['uint64_t', 'int']);
const ownCertificate = declareOpenssl('uint64_t', 'SSL_get_certificate', ['uint64_t']);
const duplicate = declareOpenssl('uint64_t', 'CRYPTO_memdup', ['uint64_t', 'size_t', 'uint64_t', 'int']);
