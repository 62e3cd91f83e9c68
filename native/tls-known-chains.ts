// Chains of peers that were found good and come again. The workloads of a mesh show the same few with every connection, and
// verifying their signatures is a sixth of the CPU of a mutual handshake.
//
// What is known is that X509_verify_cert(3) has found these very certificates good, without a reservation, in this context:
// its roots, purpose, depth and flags never change. It is known while every certificate of the verified chain is valid, the
// root among them. Where there are revocation lists nothing is known, since they end as well. That the peer has the key of its
// certificate is proven in every handshake, whatever is known of its chain.

import koffi from 'koffi';
import { timeOf } from './asn1-time.ts';
import { NativeBuffer } from './native-buffer.ts';
import { declareOpenssl } from './openssl.ts';

/**
 * Has the context (SSL_CTX) verify a chain once, as long as it is valid by `wallClock`, in milliseconds since 1970. Until
 * `forgetChains`. A connection whose chain was known has no verified chain (SSL_get0_verified_chain(3)).
 */
export function knowChains(context: number, wallClock: () => number): void {
  knownByContext.set(context, { wallClock, chains: new Map() });
  setVerifyCallback()(context, verifyCallback(), context);
}

/** After the last connection of the context. */
export function forgetChains(context: number): void {
  knownByContext.delete(context);
}

interface Validity {
  readonly fromMs: number;
  readonly untilMs: number;
}

interface Known {
  readonly wallClock: () => number;
  /** By the hashes of the certificates, in the order in which they were shown. */
  readonly chains: Map<string, Validity>;
}

const knownByContext = new Map<number, Known>();
let callback: number | undefined;

function verifyCallback(): number {
  callback ??= Number(koffi.register(onVerify, callbackType));
  return callback;
}

/** 1 when the chain is good (SSL_CTX_set_cert_verify_callback(3)), the result of an X509_STORE_CTX that was not used being 0. */
function onVerify(storeContext: number, context: number): number {
  const known = knownByContext.get(context);
  const shown = shownChain()(storeContext);
  // The chain begins with the certificate that is asked about.
  const isWhole = known !== undefined && stackItem()(shown, 0) === certificateOf()(storeContext);
  const name = isWhole ? nameOf(shown) : '';
  if (known === undefined || name === '') return verified(storeContext);
  const nowMs = known.wallClock();
  const validity = known.chains.get(name);
  if (validity !== undefined && validity.fromMs <= nowMs && nowMs <= validity.untilMs) return 1;
  const result = verified(storeContext);
  // A callback may let pass what is not good: then the first says 1 and the second does not say 0.
  if (result === 1 && errorOf()(storeContext) === X509_V_OK) remember(known, name, validityOf(storeContext));
  return result;
}

function verified(storeContext: number): number {
  return verify()(storeContext) === 1 ? 1 : 0;
}

function remember({ chains }: Known, name: string, validity: Validity): void {
  chains.delete(name);
  // The oldest goes, and is verified again.
  if (chains.size >= MAX_KNOWN) chains.delete(chains.keys().next().value!);
  chains.set(name, validity);
}

/** SHA-256 of each certificate of a STACK_OF(X509); empty for none, and for more than a mesh has. */
function nameOf(stack: number): string {
  const count = stackLength()(stack);
  if (count < 1 || count > MAX_CERTIFICATES) return '';
  const sha256 = sha256Digest()();
  for (let index = 0; index < count; index++) {
    const isDone = digest()(stackItem()(stack, index), sha256, hashes.address + index * HASH_BYTES, 0) === 1;
    if (!isDone) return '';
  }
  return hashes.bytes.latin1Slice(0, count * HASH_BYTES);
}

/** When all of the chain that was verified just now is valid; never, for a date that cannot be read. */
function validityOf(storeContext: number): Validity {
  const stack = verifiedChain()(storeContext);
  let [fromMs, untilMs] = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let index = stackLength()(stack) - 1; index >= 0; index--) {
    const certificate = stackItem()(stack, index);
    fromMs = Math.max(fromMs, timeOf(notBefore()(certificate)));
    untilMs = Math.min(untilMs, timeOf(notAfter()(certificate)));
  }
  return { fromMs, untilMs };
}

const X509_V_OK = 0;
const HASH_BYTES = 32;
const MAX_CERTIFICATES = 8;
// About 200 bytes each. Whoever can make authorities sign more of them only has them verified again.
const MAX_KNOWN = 1024;

const hashes = new NativeBuffer(MAX_CERTIFICATES * HASH_BYTES);
const callbackType = koffi.pointer(koffi.proto('int', ['uint64_t', 'uint64_t']));

const setVerifyCallback = declareOpenssl('void', 'SSL_CTX_set_cert_verify_callback', [
  'uint64_t',
  'uint64_t',
  'uint64_t',
]);
const verify = declareOpenssl('int', 'X509_verify_cert', ['uint64_t']);
const errorOf = declareOpenssl('int', 'X509_STORE_CTX_get_error', ['uint64_t']);
const certificateOf = declareOpenssl('uint64_t', 'X509_STORE_CTX_get0_cert', ['uint64_t']);
const shownChain = declareOpenssl('uint64_t', 'X509_STORE_CTX_get0_untrusted', ['uint64_t']);
const verifiedChain = declareOpenssl('uint64_t', 'X509_STORE_CTX_get0_chain', ['uint64_t']);
const digest = declareOpenssl('int', 'X509_digest', ['uint64_t', 'uint64_t', 'uint64_t', 'uint64_t']);
const sha256Digest = declareOpenssl('uint64_t', 'EVP_sha256', []);
const notBefore = declareOpenssl('uint64_t', 'X509_get0_notBefore', ['uint64_t']);
const notAfter = declareOpenssl('uint64_t', 'X509_get0_notAfter', ['uint64_t']);
const stackLength = declareOpenssl('int', 'OPENSSL_sk_num', ['uint64_t']);
const stackItem = declareOpenssl('uint64_t', 'OPENSSL_sk_value', ['uint64_t', 'int']);
