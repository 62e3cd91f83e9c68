// Which application protocol a connection speaks (RFC 7301), chosen by us among those that the client offers. OpenSSL has no
// table for it and calls back, once a handshake: one callback a thread for all contexts, which are told apart by a number.

import koffi from 'koffi';
import { declare } from './libc.ts';
import { NativeBuffer } from './native-buffer.ts';

export interface AlpnChoice {
  /** Names as bytes of Latin-1, the preferred one first. */
  readonly protocols: readonly string[];
  /**
   * What a client is told that offers none of them. `decline`: nothing, and the handshake goes on as if ALPN had not been
   * offered, which is Envoy's way. `refuse`: the alert no_application_protocol.
   */
  readonly otherwise: 'decline' | 'refuse';
}

/** Protocols as they are on the wire, each behind its length; undefined when one is empty or longer than 255 bytes. */
export function encodeProtocols(protocols: readonly string[]): Buffer | undefined {
  const names = protocols.map((protocol) => Buffer.from(protocol, 'latin1'));
  if (names.some(({ length }) => length === 0 || length > 255)) return undefined;
  return Buffer.concat(names.flatMap((name) => [Buffer.from([name.length]), name]));
}

/** Where in `offered`, a list as on the wire, the first of `protocols` that is there begins, behind its length; -1. */
export function chooseProtocol(offered: Buffer, protocols: readonly Buffer[]): number {
  for (const protocol of protocols) {
    for (let at = 0; at < offered.length; at += 1 + offered[at]!) {
      const end = at + 1 + offered[at]!;
      if (offered.subarray(at + 1, end).equals(protocol)) return at + 1;
    }
  }
  return -1;
}

/** Makes a choice known to this thread: its number, which goes with `alpnCallback` to SSL_CTX_set_alpn_select_cb(3). */
export function addAlpnChoice({ protocols, otherwise }: AlpnChoice): number {
  lastNumber += 1;
  const names = protocols.map((protocol) => Buffer.from(protocol, 'latin1'));
  choices.set(lastNumber, { names, outcome: otherwise === 'refuse' ? ALERT_FATAL : NO_ACKNOWLEDGEMENT });
  return lastNumber;
}

/** No handshake may be made with it after that. */
export function removeAlpnChoice(number: number): void {
  choices.delete(number);
}

export function alpnCallback(): number {
  callback ??= Number(koffi.register(select, selectPointer));
  return callback;
}

const choices = new Map<number, { readonly names: readonly Buffer[]; readonly outcome: number }>();
let lastNumber = 0;
let callback: number | undefined;

/** OpenSSL has checked the list: lengths add up, no name is empty. */
function select(...[, chosen, chosenLength, offered, offeredLength, number]: readonly number[]): number {
  const choice = choices.get(number!);
  if (choice === undefined || offeredLength! > list.length) return NO_ACKNOWLEDGEMENT;
  sysMemcpy(list.address, offered!, offeredLength!);
  const at = chooseProtocol(list.bytes.subarray(0, offeredLength), choice.names);
  if (at < 0) return choice.outcome;
  answer.bytes.writeBigUInt64LE(BigInt(offered! + at));
  answer.bytes[8] = list.bytes[at - 1]!;
  sysMemcpy(chosen!, answer.address, 8);
  sysMemcpy(chosenLength!, answer.address + 8, 1);
  return OK;
}

const OK = 0; // SSL_TLSEXT_ERR_…
const ALERT_FATAL = 2;
const NO_ACKNOWLEDGEMENT = 3;

const list = new NativeBuffer(65536); // as long as an extension can be
const answer = new NativeBuffer(16);
const selectPointer = koffi.pointer(
  koffi.proto('int', ['uint64_t', 'uint64_t', 'uint64_t', 'uint64_t', 'uint', 'uint64_t']),
);
const sysMemcpy = declare('uint64_t', 'memcpy', ['uint64_t', 'uint64_t', 'size_t']) as (
  to: number,
  from: number,
  length: number,
) => number;
