// Reads the first message of a TLS client as far as it says where the client wants to go: the server name (RFC 6066
// section 3) and the protocols it offers (ALPN, RFC 7301 section 3.1). Nothing is decrypted or answered.
//
// The whole ClientHello must be there and sound (RFC 8446 section 4.1.2) before anything of it counts: what is
// ambiguous, such as two server names, could be one thing to us and another to the endpoint.

/** Both empty when the client says nothing of the kind. */
export interface ClientHello {
  /** Lower case, printable ASCII. */
  readonly serverName: string;
  /** In the client's order. */
  readonly applicationProtocols: readonly string[];
}

export type ClientHelloOutcome =
  | ClientHello
  /** What is there may be the beginning of one. */
  | 'incomplete'
  /** Not TLS, or a ClientHello that breaks the rules. */
  | 'invalid'
  /** It is longer than allowed, or says that it will be. */
  | 'too-large';

export class ClientHelloReader {
  readonly #maxBytes: number;
  readonly #body = new HelloBody();
  /** For a message that comes in several records, which is rare. */
  #joined: Buffer | undefined;

  /** `maxBytes` bounds the message with the headers of its records. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** `bytes[0, end)` is everything that the client has sent so far. */
  read(bytes: Buffer, end: number): ClientHelloOutcome {
    let message = bytes;
    let start = RECORD_HEADER_BYTES;
    let length = 0;
    for (let at = 0; at < end; ) {
      const fragmentBytes = fragmentLength(bytes, at, end);
      if (fragmentBytes === INVALID) return 'invalid';
      const from = at + RECORD_HEADER_BYTES;
      const to = Math.min(from + fragmentBytes, end);
      if (at === 0) length = Math.max(0, to - from);
      else if (to > from) {
        if (message === bytes) message = this.#copyFirst(bytes, length);
        start = 0;
        length += bytes.copy(message, length, from, to);
      }
      const outcome = this.#readMessage(message, start, start + length);
      if (outcome !== 'incomplete') return outcome;
      at = from + fragmentBytes;
    }
    return end >= this.#maxBytes ? 'too-large' : 'incomplete';
  }

  #copyFirst(bytes: Buffer, length: number): Buffer {
    this.#joined ??= Buffer.allocUnsafeSlow(this.#maxBytes);
    bytes.copy(this.#joined, 0, RECORD_HEADER_BYTES, RECORD_HEADER_BYTES + length);
    return this.#joined;
  }

  /** RFC 8446 section 4: one byte of type, three of length. */
  #readMessage(bytes: Buffer, start: number, end: number): ClientHelloOutcome {
    if (end - start >= 1 && bytes[start] !== CLIENT_HELLO) return 'invalid';
    if (end - start < MESSAGE_HEADER_BYTES) return 'incomplete';
    const bodyStart = start + MESSAGE_HEADER_BYTES;
    const bodyBytes = bytes.readUIntBE(start + 1, 3);
    if (RECORD_HEADER_BYTES + MESSAGE_HEADER_BYTES + bodyBytes > this.#maxBytes) return 'too-large';
    if (bodyStart + bodyBytes > end) return 'incomplete';
    return this.#body.read(bytes, bodyStart, bodyStart + bodyBytes);
  }
}

/**
 * RFC 8446 section 5.1: the type of the record, its version, its length. What is there of a header must be right; 0 while
 * the length is not there. A handshake record is never empty.
 */
function fragmentLength(bytes: Buffer, at: number, end: number): number {
  if (bytes[at] !== HANDSHAKE_RECORD || (end - at > 1 && bytes[at + 1] !== MAJOR_VERSION)) return INVALID;
  if (end - at < RECORD_HEADER_BYTES) return 0;
  const length = bytes.readUInt16BE(at + 3);
  return length === 0 || length > MAX_FRAGMENT_BYTES ? INVALID : length;
}

/** A cursor over the message behind its header. Each step fails when it would leave its bounds, and then all do. */
class HelloBody {
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;
  #end = 0;
  #isValid = true;

  read(bytes: Buffer, start: number, end: number): ClientHello | 'invalid' {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
    this.#isValid = true;
    this.#skip(VERSION_AND_RANDOM_BYTES);
    const sessionIdBytes = this.#number(1);
    this.#skip(sessionIdBytes);
    const cipherBytes = this.#number(2);
    this.#skip(cipherBytes);
    const compressionBytes = this.#number(1);
    this.#skip(compressionBytes);
    if (sessionIdBytes > 32 || cipherBytes < 2 || cipherBytes % 2 !== 0 || compressionBytes < 1) return 'invalid';
    return this.#isValid ? this.#readExtensions() : 'invalid';
  }

  /** There may be none, but not a part of them, nor anything behind. */
  #readExtensions(): ClientHello | 'invalid' {
    let serverName: string | undefined;
    let applicationProtocols: readonly string[] | undefined;
    const end = this.#end;
    if (this.#at < end && this.#number(2) !== end - this.#at) return 'invalid';
    while (this.#at < end) {
      const type = this.#number(2);
      const length = this.#number(2);
      const next = this.#at + length;
      if (!this.#isValid || next > end) return 'invalid';
      this.#end = next;
      // An extension may come once (RFC 8446 section 4.2).
      if (type === Extension.serverName) {
        if (serverName !== undefined) return 'invalid';
        serverName = this.#readServerName();
      } else if (type === Extension.applicationProtocols) {
        if (applicationProtocols !== undefined) return 'invalid';
        applicationProtocols = this.#readProtocols();
      }
      if (!this.#isValid) return 'invalid';
      this.#at = next;
      this.#end = end;
    }
    return { serverName: serverName ?? '', applicationProtocols: applicationProtocols ?? noProtocols };
  }

  /** A list of exactly one name, of the one type there is. */
  #readServerName(): string {
    const listBytes = this.#number(2);
    const type = this.#number(1);
    const length = this.#number(2);
    const end = this.#end;
    const start = this.#at;
    if (type !== HOST_NAME || listBytes !== 3 + length || start + length !== end || length === 0 || length > 255) {
      this.#isValid = false;
      return '';
    }
    for (let at = start; at < end; at++) {
      const byte = this.#bytes[at]!;
      // It is logged, and a name in ASCII has no spaces or control characters.
      if (byte <= 0x20 || byte >= 0x7f) this.#isValid = false;
    }
    return this.#bytes.latin1Slice(start, end).toLowerCase();
  }

  /** A list that is not sound counts as none, as in Envoy: what ends the TLS refuses it, and it is TLS all the same. */
  #readProtocols(): readonly string[] {
    const protocols: string[] = [];
    if (this.#end - this.#at < 2) return noProtocols;
    const listBytes = this.#number(2);
    if (listBytes !== this.#end - this.#at) return noProtocols;
    while (this.#at < this.#end) {
      const length = this.#number(1);
      const start = this.#at;
      if (length === 0 || start + length > this.#end) return noProtocols;
      this.#at += length;
      protocols.push(this.#bytes.latin1Slice(start, this.#at));
    }
    return protocols;
  }

  /** An unsigned number of this many bytes, 0 when they are not there. */
  #number(bytes: 1 | 2): number {
    if (!this.#skip(bytes)) return 0;
    return bytes === 1 ? this.#bytes[this.#at - 1]! : this.#bytes.readUInt16BE(this.#at - 2);
  }

  #skip(bytes: number): boolean {
    if (this.#at + bytes > this.#end) this.#isValid = false;
    if (this.#isValid) this.#at += bytes;
    return this.#isValid;
  }
}

const noProtocols: readonly string[] = [];
const Extension = { serverName: 0, applicationProtocols: 16 } as const;
const HOST_NAME = 0;

const INVALID = -1;
const HANDSHAKE_RECORD = 22;
const MAJOR_VERSION = 3;
const CLIENT_HELLO = 1;
const RECORD_HEADER_BYTES = 5;
const MESSAGE_HEADER_BYTES = 4;
const MAX_FRAGMENT_BYTES = 1 << 14;
const VERSION_AND_RANDOM_BYTES = 2 + 32;
