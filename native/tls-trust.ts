// How a peer's chain is verified, by OpenSSL within the handshake (X509_verify_cert(3)).

import type { Hash } from 'node:crypto';
import koffi from 'koffi';
import { declareOpenssl, takeOpensslProblem } from './openssl.ts';
import { tellOfPeers } from './tls-peer.ts';
import {
  derOf,
  freeCertificates,
  freeRevocationLists,
  type Pem,
  readCertificates,
  readRevocationLists,
} from './tls-pem.ts';

export interface TlsTrust {
  /** PEM. */
  readonly roots: Pem;
  /** PEM. Issuers without a list are refused then. */
  readonly revocationLists?: Pem | undefined;
  /** Whether revocation of issuers is looked for as well; true when left out. */
  readonly revokesIssuers?: boolean | undefined;
  /** Whether a chain may end at a root of ours that somebody else has signed. */
  readonly allowsPartialChain?: boolean | undefined;
  /** Dates of certificates, and of revocation lists, are not looked at. */
  readonly ignoresDates?: boolean | undefined;
  /** How many issuers there may be between a certificate and a root; 100 when left out. */
  readonly maxDepth?: number | undefined;
  /**
   * Milliseconds since 1970. A chain that was found good is not verified again while it is valid, where no revocation lists
   * are; `TlsSession.verifiedChain` is empty then. Every chain is verified when left out.
   */
  readonly knownChainsClock?: (() => number) | undefined;
}

/** Of the peer's certificate. */
export interface TlsVerification {
  readonly trust?: TlsTrust | undefined;
  /** One that is presented must be good unless it is `none`. A client never has it `optional`: servers always present one. */
  readonly verification: 'none' | 'optional' | 'required';
  /** The chain decides nothing: `TlsSession.verifyResult` says what was found. */
  readonly acceptsUntrusted?: boolean | undefined;
}

/** Makes `context` (SSL_CTX) verify, and tells `digest` how. Why it cannot, as a sentence. */
export function setVerification(
  context: number,
  { trust, verification, acceptsUntrusted = false }: TlsVerification,
  { isServer, digest }: { readonly isServer: boolean; readonly digest: Hash },
): string | undefined {
  if (verification !== 'none' && trust === undefined && !acceptsUntrusted)
    return 'certificates cannot be verified without trust anchors';
  setVerify()(context, VERIFY_MODES[verification], acceptsUntrusted ? acceptAll() : 0);
  // Lists end as well: with them nothing is known for longer than a handshake.
  tellOfPeers(context, trust?.revocationLists === undefined ? trust?.knownChainsClock : undefined);
  digest.update(`${verification} ${acceptsUntrusted}`);
  return trust && setTrust(context, trust, { isServer, digest });
}

/** Why `trust` cannot be used, as a sentence. */
export function trustProblem({
  roots,
  revocationLists,
}: Pick<TlsTrust, 'roots' | 'revocationLists'>): string | undefined {
  const certificates = readCertificates(roots);
  if (typeof certificates === 'string') return `the trust anchors are refused: ${certificates}`;
  freeCertificates(certificates);
  if (revocationLists === undefined) return undefined;
  const lists = readRevocationLists(revocationLists);
  if (typeof lists === 'string') return `the revocation lists are refused: ${lists}`;
  freeRevocationLists(lists);
  return undefined;
}

interface Purpose {
  readonly isServer: boolean;
  readonly digest: Hash;
}

function setTrust(context: number, trust: TlsTrust, { isServer, digest }: Purpose): string | undefined {
  const store = storeOf()(context);
  const roots = readCertificates(trust.roots);
  if (typeof roots === 'string') return `the trust anchors are refused: ${roots}`;
  for (const root of roots) {
    addRoot()(store, root);
    // Which certificates we would take: clients that have several choose by it (RFC 8446 4.2.4).
    if (isServer) addClientAuthority()(context, root);
    digest.update(derOf(root));
  }
  freeCertificates(roots);
  const { allowsPartialChain = false, ignoresDates = false, maxDepth } = trust;
  const flags = (allowsPartialChain ? X509_V_FLAG_PARTIAL_CHAIN : 0) | (ignoresDates ? X509_V_FLAG_NO_CHECK_TIME : 0);
  setStoreFlags()(store, flags);
  if (maxDepth !== undefined) setDepth()(context, maxDepth);
  digest.update(`${flags} ${maxDepth}`);
  return setRevocation(context, trust, digest);
}

function setRevocation(...[context, trust, digest]: [number, TlsTrust, Hash]): string | undefined {
  const { revocationLists, revokesIssuers = true } = trust;
  if (revocationLists === undefined) return undefined;
  const lists = readRevocationLists(revocationLists);
  if (typeof lists === 'string') return `the revocation lists are refused: ${lists}`;
  const store = storeOf()(context);
  for (const list of lists) addRevocationList()(store, list);
  freeRevocationLists(lists);
  setStoreFlags()(store, X509_V_FLAG_CRL_CHECK | (revokesIssuers ? X509_V_FLAG_CRL_CHECK_ALL : 0));
  digest.update(revocationLists).update(revokesIssuers ? 'chain' : 'leaf');
  // Adding a certificate or list twice leaves a word in the queue, and is no failure.
  takeOpensslProblem();
  return undefined;
}

/** A verify_callback that lets everything pass: OpenSSL keeps the last thing that it found. */
function acceptAll(): number {
  acceptPointer ??= Number(koffi.register(() => 1, verifyCallback));
  return acceptPointer;
}

let acceptPointer: number | undefined;
const verifyCallback = koffi.pointer(koffi.proto('int', ['int', 'uint64_t']));

const VERIFY_MODES = { none: 0, optional: 1, required: 1 | 2 } as const; // SSL_VERIFY_PEER, FAIL_IF_NO_PEER_CERT

const X509_V_FLAG_CRL_CHECK = 0x4;
const X509_V_FLAG_CRL_CHECK_ALL = 0x8;
const X509_V_FLAG_PARTIAL_CHAIN = 0x80000;
const X509_V_FLAG_NO_CHECK_TIME = 0x200000;

const setVerify = declareOpenssl('void', 'SSL_CTX_set_verify', ['uint64_t', 'int', 'uint64_t']);
const setDepth = declareOpenssl('void', 'SSL_CTX_set_verify_depth', ['uint64_t', 'int']);
const storeOf = declareOpenssl('uint64_t', 'SSL_CTX_get_cert_store', ['uint64_t']);
const addRoot = declareOpenssl('int', 'X509_STORE_add_cert', ['uint64_t', 'uint64_t']);
const addRevocationList = declareOpenssl('int', 'X509_STORE_add_crl', ['uint64_t', 'uint64_t']);
const setStoreFlags = declareOpenssl('int', 'X509_STORE_set_flags', ['uint64_t', 'uint64_t']);
const addClientAuthority = declareOpenssl('int', 'SSL_CTX_add_client_CA', ['uint64_t', 'uint64_t']);
