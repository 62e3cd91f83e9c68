// Addresses and socket settings (`config.core.v3`).

import { isIP, SocketAddress as SystemAddress } from 'node:net';
import type { Address, CidrRange, HostAddress, KeepAlive, PipeAddress } from '../../config/address.ts';
import type { Problems } from '../../config/problems.ts';
import type {
  Address as AddressMessage,
  CidrRange as CidrRangeMessage,
  Pipe,
  SocketAddress,
  TcpKeepalive,
} from '../generated/messages.ts';
import { given } from './given.ts';

/** A literal address: a name is a problem. */
export function decodeAddress(message: AddressMessage | undefined, problems: Problems): Address | undefined {
  const address = decodeHostAddress(message, problems);
  if (address?.kind !== 'host') return address;
  problems
    .at('socket_address')
    .at('address')
    .add(`${JSON.stringify(address.hostname)} is not a literal IP address${insteadOf(address.hostname)}`);
  return undefined;
}

function insteadOf(hostname: string): string {
  const inBrackets = /^\[(.*)\]$/.exec(hostname)?.[1];
  if (inBrackets !== undefined && isIP(inBrackets) === 6) return `; write ${inBrackets}, without brackets`;
  const withPort = /^(.*):\d+$/.exec(hostname)?.[1];
  if (withPort !== undefined && isIP(withPort) === 4) return `; write ${withPort}, and the port as port_value`;
  return hostname === 'localhost' ? '; write 127.0.0.1 or ::1' : '';
}

/** A literal address, or a name for the discovery of a DNS cluster. */
export function decodeHostAddress(
  message: AddressMessage | undefined,
  problems: Problems,
): Address | HostAddress | undefined {
  if (message?.pipe !== undefined) {
    return decodePipe(message.pipe, problems.at('pipe'));
  }
  return message?.socketAddress === undefined
    ? undefined
    : decodeSocketAddress(message.socketAddress, problems.at('socket_address'));
}

/** `sun_path` of `struct sockaddr_un` (unix(7)) has 108 bytes, the zero at the end included. */
const maxPipePathBytes = 107;

function decodePipe({ path, mode }: Pipe, problems: Problems): PipeAddress | undefined {
  if (path === undefined) return undefined;
  const length = Buffer.byteLength(path);
  if (length > maxPipePathBytes) problems.at('path').add(`must have at most ${maxPipePathBytes} bytes, has ${length}`);
  if (path.startsWith('@') && mode !== undefined) problems.at('mode').add('an abstract socket has no file, so no mode');
  return { kind: 'pipe', path, ...given('mode', mode) };
}

/** TCP only. */
export function decodeSocketAddress(message: SocketAddress, problems: Problems): Address | HostAddress | undefined {
  if (message.protocol === 'UDP') problems.at('protocol').unsupported('UDP', 'write TCP');
  const { address, portValue: port } = message;
  if (address === undefined || port === undefined) return undefined;
  if (message.ipv4Compat === true && !/^(::$|::ffff:)/i.test(address)) {
    problems.at('ipv4_compat').add(`only :: and IPv4-mapped addresses can take IPv4 connections, ${address} cannot`);
  }
  return isIP(address) === 0 || address.includes('%')
    ? { kind: 'host', hostname: address, port }
    : { kind: 'ip', ip: canonicalIp(address), port };
}

/** An IPv6 address in the one spelling that the system has for it: stats, logs and admin pages show that. */
function canonicalIp(ip: string): string {
  return ip.includes(':') ? new SystemAddress({ address: ip, family: 'ipv6' }).address : ip;
}

export function decodeCidrRanges(
  messages: readonly CidrRangeMessage[] | undefined,
  problems: Problems,
): readonly CidrRange[] {
  const ranges: CidrRange[] = [];
  for (const [index, message] of (messages ?? []).entries()) {
    const range = decodeCidrRange(message, problems.item(index));
    if (range !== undefined) ranges.push(range);
  }
  return ranges;
}

function decodeCidrRange(message: CidrRangeMessage, problems: Problems): CidrRange | undefined {
  const { addressPrefix: ip, prefixLen: prefixLength = 0 } = message;
  if (ip === undefined) return undefined;
  const family = isIP(ip);
  if (family === 0) {
    problems.at('address_prefix').add(`${JSON.stringify(ip)} is not a literal IP address`);
    return undefined;
  }
  const bits = family === 4 ? 32 : 128;
  if (prefixLength > bits) {
    problems.at('prefix_len').add(`must be at most ${bits} for ${ip}, got ${prefixLength}`);
    return undefined;
  }
  return { ip, prefixLength };
}

export function decodeKeepAlive(message: TcpKeepalive): KeepAlive {
  return {
    ...given('probes', message.keepaliveProbes),
    ...given('timeSeconds', message.keepaliveTime),
    ...given('intervalSeconds', message.keepaliveInterval),
  };
}
