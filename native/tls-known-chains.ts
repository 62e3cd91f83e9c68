// Chains of peers that were found good and come again. The workloads of a mesh show the same few with every connection, and
// verifying their signatures is a sixth of the CPU of a mutual handshake.
//
// What is known is that X509_verify_cert(3) has found these very certificates good, without a reservation, in one context: its
// roots, purpose, depth and flags never change. It is known while every certificate of the verified chain is valid, the root
// among them. Where there are revocation lists nothing is known, since they end as well. That the peer has the key of its
// certificate is proven in every handshake, whatever is known of its chain.

import { timeOf } from './asn1-time.ts';
import { NativeBuffer } from './native-buffer.ts';
import { declareOpenssl } from './openssl.ts';

export class KnownChains {
  readonly #wallClock: () => number;
  readonly #byName = new Map<string, Known>();

  /** `wallClock`: milliseconds since 1970. */
  constructor(wallClock: () => number) {
    this.#wallClock = wallClock;
  }

  /** The certificates of the chain that is called `name`, which were found good and are valid now; undefined: verify it. */
  find(name: string): readonly Buffer[] | undefined {
    const known = this.#byName.get(name);
    if (known === undefined) return undefined;
    const nowMs = this.#wallClock();
    return known.fromMs <= nowMs && nowMs <= known.untilMs ? known.certificates : undefined;
  }

  /** After `verified`, a STACK_OF(X509) from the peer's own to a root, was found good. */
  remember(name: string, certificates: readonly Buffer[], verified: number): void {
    const bytes = certificates.reduce((sum, { length }) => sum + length, 0);
    this.#byName.delete(name);
    if (name === '' || bytes > MOST_KEPT_BYTES) return;
    // The oldest goes, and is verified again.
    if (this.#byName.size >= MAX_KNOWN) this.#byName.delete(this.#byName.keys().next().value!);
    this.#byName.set(name, { certificates, ...validityOf(verified) });
  }
}

/** SHA-256 of each certificate of a STACK_OF(X509), in its order; empty for none, and for more than a mesh has. */
export function nameOfChain(stack: number): string {
  const count = stackLength()(stack);
  if (count < 1 || count > MAX_CERTIFICATES) return '';
  const sha256 = sha256Digest()();
  for (let index = 0; index < count; index++) {
    const isDone = digest()(stackItem()(stack, index), sha256, hashes.address + index * HASH_BYTES, 0) === 1;
    if (!isDone) return '';
  }
  return hashes.bytes.latin1Slice(0, count * HASH_BYTES);
}

interface Known {
  /** DER, as they were shown. */
  readonly certificates: readonly Buffer[];
  readonly fromMs: number;
  readonly untilMs: number;
}

/** When all of a chain is valid; never, for a date that cannot be read. */
function validityOf(stack: number): Pick<Known, 'fromMs' | 'untilMs'> {
  let [fromMs, untilMs] = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let index = stackLength()(stack) - 1; index >= 0; index--) {
    const certificate = stackItem()(stack, index);
    fromMs = Math.max(fromMs, timeOf(notBefore()(certificate)));
    untilMs = Math.min(untilMs, timeOf(notAfter()(certificate)));
  }
  return { fromMs, untilMs };
}

const HASH_BYTES = 32;
const MAX_CERTIFICATES = 8;
// About 1 KB each. Whoever can make authorities sign more of them, or larger ones, only has them verified again.
const MAX_KNOWN = 1024;
const MOST_KEPT_BYTES = 8192;

const hashes = new NativeBuffer(MAX_CERTIFICATES * HASH_BYTES);

const digest = declareOpenssl('int', 'X509_digest', ['uint64_t', 'uint64_t', 'uint64_t', 'uint64_t']);
const sha256Digest = declareOpenssl('uint64_t', 'EVP_sha256', []);
const notBefore = declareOpenssl('uint64_t', 'X509_get0_notBefore', ['uint64_t']);
const notAfter = declareOpenssl('uint64_t', 'X509_get0_notAfter', ['uint64_t']);
const stackLength = declareOpenssl('int', 'OPENSSL_sk_num', ['uint64_t']);
const stackItem = declareOpenssl('uint64_t', 'OPENSSL_sk_value', ['uint64_t', 'int']);
