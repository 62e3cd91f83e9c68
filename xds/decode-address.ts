// Addresses and socket settings (`config.core.v3`).

import { isIP } from 'node:net';
import type { Address, CidrRange, HostAddress, KeepAlive } from '../config/address.ts';
import type { Problems } from '../config/problems.ts';
import type {
  Address as AddressMessage,
  CidrRange as CidrRangeMessage,
  SocketAddress,
  TcpKeepalive,
} from './generated/messages.ts';
import { given } from './given.ts';

/** A literal address: a name is a problem. */
export function decodeAddress(message: AddressMessage | undefined, problems: Problems): Address | undefined {
  const address = decodeHostAddress(message, problems);
  if (address?.kind !== 'host') return address;
  problems
    .at('socket_address')
    .at('address')
    .add(`${JSON.stringify(address.hostname)} is not a literal IP address`);
  return undefined;
}

/** A literal address, or a name for the discovery of a DNS cluster. */
export function decodeHostAddress(
  message: AddressMessage | undefined,
  problems: Problems,
): Address | HostAddress | undefined {
  if (message?.pipe !== undefined) {
    const { path, mode } = message.pipe;
    return path === undefined ? undefined : { kind: 'pipe', path, ...given('mode', mode) };
  }
  return message?.socketAddress === undefined
    ? undefined
    : decodeSocketAddress(message.socketAddress, problems.at('socket_address'));
}

/** TCP only. */
export function decodeSocketAddress(message: SocketAddress, problems: Problems): Address | HostAddress | undefined {
  if (message.protocol === 'UDP') problems.at('protocol').unsupported('UDP', 'write TCP');
  const { address, portValue: port } = message;
  if (address === undefined || port === undefined) return undefined;
  return isIP(address) === 0 || address.includes('%')
    ? { kind: 'host', hostname: address, port }
    : { kind: 'ip', ip: address, port };
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
