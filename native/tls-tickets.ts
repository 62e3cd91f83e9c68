// Tickets by which clients resume (RFC 5077, RFC 8446 4.6.1), under keys that are given: those of several threads and
// processes take each other's, and keys rotate without a new context.
//
// Under TLS 1.3 a client gets its ticket in front of the first data, not at the end of the handshake: a peer that is refused by
// its names, and one that connects to see whether somebody listens, cost none. A ticket is a fifth of a mutual handshake.
//
// A session that is resumed is not verified again. So it is taken back only where the same rules hold: the context's name,
// certificates, trust and verification are in the session's context id, which OpenSSL compares (RFC 5246 F.1.4).

import { type Hash, randomFillSync } from 'node:crypto';
import koffi from 'koffi';
import { declare } from './libc.ts';
import { NativeBuffer } from './native-buffer.ts';
import { declareOpenssl } from './openssl.ts';

export interface TlsTickets {
  /** Tickets are taken back only where it is the same, with the same certificates, trust and verification. */
  readonly identity: string;
  /** 80 bytes each (16 name, 32 HMAC, 32 AES): the first makes tickets, all open them. OpenSSL's own when left out. */
  readonly keys?: (() => readonly Uint8Array[]) | undefined;
  /** How long a session can be resumed; OpenSSL's default when left out or 0. */
  readonly lifetimeMs?: number | undefined;
}

export const TICKET_KEY_BYTES = 80;

/** Undefined: no tickets. `digest` has been told of everything else that connections of the context have in common. */
export function setTickets(context: number, tickets: TlsTickets | undefined, digest: Hash): void {
  setTicketCount()(context, TICKETS_A_HANDSHAKE);
  if (tickets === undefined) {
    setOptions()(context, SSL_OP_NO_TICKET);
    return;
  }
  const identity = copyOf(digest.update(tickets.identity).digest());
  setSessionIdContext()(context, identity.address, identity.length);
  if (tickets.lifetimeMs) setTimeout()(context, Math.max(1, Math.floor(tickets.lifetimeMs / 1000)));
  if (tickets.keys === undefined) return;
  keysByContext.set(context, tickets.keys);
  setCallback()(context, callback());
}

/** Has the connection (SSL) send a ticket in front of what is written next; nothing where TLS 1.2 has sent it long ago. */
export function giveTicket(session: number): void {
  requestTicket()(session);
}

/** After the last connection of the context. */
export function forgetTickets(context: number): void {
  keysByContext.delete(context);
}

const keysByContext = new Map<number, () => readonly Uint8Array[]>();

let callbackPointer: number | undefined;

function callback(): number {
  callbackPointer ??= Number(koffi.register(onTicket, callbackType));
  return callbackPointer;
}

/** 1 to go on, 2 to go on and replace the ticket, 0 for a handshake without it, -1 to fail. */
function onTicket(...[session, name, iv, cipher, mac, isNew]: readonly number[]): number {
  const keys = keysByContext.get(contextOf()(session!))?.() ?? [];
  if (isNew === 1) return sealWith(keys[0], { name: name!, iv: iv!, cipher: cipher!, mac: mac! });
  copyMemory(scratch.address, name!, NAME_BYTES);
  const index = keys.findIndex((key) => scratch.bytes.compare(key, 0, NAME_BYTES, 0, NAME_BYTES) === 0);
  if (index < 0) return 0;
  const isOpen = withKey(keys[index]!, (aes) => decrypt()(cipher!, aes256Cbc()(), 0, aes, iv!) === 1 && setMac(mac!));
  if (!isOpen) return -1;
  // A ticket of TLS 1.3 is for one use: whoever shows one needs another.
  return index === 0 && versionOf()(session!) < TLS_1_3 ? 1 : 2;
}

interface Ticket {
  readonly name: number;
  readonly iv: number;
  readonly cipher: number;
  readonly mac: number;
}

function sealWith(key: Uint8Array | undefined, { name, iv, cipher, mac }: Ticket): number {
  if (key === undefined) return 0;
  randomFillSync(scratch.bytes, 0, IV_BYTES);
  copyMemory(iv, scratch.address, IV_BYTES);
  const isSet = withKey(key, (aes) => {
    copyMemory(name, keyCopy.address, NAME_BYTES);
    return encrypt()(cipher, aes256Cbc()(), 0, aes, iv) === 1 && setMac(mac);
  });
  return isSet ? 1 : -1;
}

/** The key is in OpenSSL's sight only meanwhile. */
function withKey(key: Uint8Array, use: (aes: number) => boolean): boolean {
  keyCopy.bytes.set(key);
  const isDone = use(keyCopy.address + NAME_BYTES + HMAC_BYTES);
  keyCopy.bytes.fill(0);
  return isDone;
}

function setMac(mac: number): boolean {
  return setMacParameters()(mac, macParameters().address) === 1;
}

/** `{ key: the HMAC part of keyCopy, digest: SHA256 }` as OSSL_PARAM[3], made once. */
function macParameters(): NativeBuffer {
  if (parameters !== undefined) return parameters;
  parameters = new NativeBuffer(3 * PARAMETER_BYTES);
  parameters.bytes.fill(0);
  const rows = [
    [names.address, OSSL_PARAM_OCTET_STRING, keyCopy.address + NAME_BYTES, HMAC_BYTES],
    [names.address + 4, OSSL_PARAM_UTF8_STRING, names.address + 11, 6],
  ] as const;
  for (const [row, [name, type, data, length]] of rows.entries()) {
    const at = row * PARAMETER_BYTES;
    parameters.bytes.writeBigUInt64LE(BigInt(name), at);
    parameters.bytes.writeUInt32LE(type, at + 8);
    parameters.bytes.writeBigUInt64LE(BigInt(data), at + 16);
    parameters.bytes.writeBigUInt64LE(BigInt(length), at + 24);
  }
  return parameters;
}

function copyOf(bytes: Uint8Array): NativeBuffer {
  const buffer = new NativeBuffer(bytes.length);
  buffer.bytes.set(bytes);
  return buffer;
}

// Of TLS 1.3, where 2 is OpenSSL's default.
const TICKETS_A_HANDSHAKE = 0;
const TLS_1_3 = 0x0304;
const NAME_BYTES = 16;
const HMAC_BYTES = 32;
const IV_BYTES = 16;
const PARAMETER_BYTES = 40;
const OSSL_PARAM_UTF8_STRING = 4;
const OSSL_PARAM_OCTET_STRING = 5;
const SSL_OP_NO_TICKET = 2 ** 14;

let parameters: NativeBuffer | undefined;
const names = copyOf(Buffer.from('key\0digest\0SHA256\0'));
const keyCopy = new NativeBuffer(TICKET_KEY_BYTES);
const scratch = new NativeBuffer(Math.max(NAME_BYTES, IV_BYTES));

const callbackType = koffi.pointer(
  koffi.proto('int', ['uint64_t', 'uint64_t', 'uint64_t', 'uint64_t', 'uint64_t', 'int']),
);
const setOptions = declareOpenssl('uint64_t', 'SSL_CTX_set_options', ['uint64_t', 'uint64_t']);
const setTicketCount = declareOpenssl('int', 'SSL_CTX_set_num_tickets', ['uint64_t', 'size_t']);
const requestTicket = declareOpenssl('int', 'SSL_new_session_ticket', ['uint64_t']);
const setTimeout = declareOpenssl('long', 'SSL_CTX_set_timeout', ['uint64_t', 'long']);
const setSessionIdContext = declareOpenssl('int', 'SSL_CTX_set_session_id_context', ['uint64_t', 'uint64_t', 'uint']);
const setCallback = declareOpenssl('int', 'SSL_CTX_set_tlsext_ticket_key_evp_cb', ['uint64_t', 'uint64_t']);
const contextOf = declareOpenssl('uint64_t', 'SSL_get_SSL_CTX', ['uint64_t']);
const versionOf = declareOpenssl('int', 'SSL_version', ['uint64_t']);
const aes256Cbc = declareOpenssl('uint64_t', 'EVP_aes_256_cbc', []);
const initAs = (name: string) =>
  declareOpenssl('int', name, ['uint64_t', 'uint64_t', 'uint64_t', 'uint64_t', 'uint64_t']);
const encrypt = initAs('EVP_EncryptInit_ex');
const decrypt = initAs('EVP_DecryptInit_ex');
const setMacParameters = declareOpenssl('int', 'EVP_MAC_CTX_set_params', ['uint64_t', 'uint64_t']);
const copyMemory = declare('uint64_t', 'memcpy', ['uint64_t', 'uint64_t', 'size_t']) as (
  to: number,
  from: number,
  length: number,
) => number;
