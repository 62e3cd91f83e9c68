// Listeners (`config.listener.v3.Listener`).

import { type Address, formatAddress, type KeepAlive } from '../../config/address.ts';
import type { FilterChain, Listener } from '../../config/listener.ts';
import type { Problems } from '../../config/problems.ts';
import type { Listener as ListenerMessage, SocketOption } from '../generated/messages.ts';
import { decodeAccessLogs } from './access-log.ts';
import { decodeAddress } from './address.ts';
import { decodeFilterChain } from './filter-chain.ts';
import { checkFilterChainOverlap } from './filter-chain-overlap.ts';
import { given } from './given.ts';
import { decodeEngine } from './listener-engine.ts';
import { decodeListenerFilters } from './listener-filter.ts';
import { type RuntimeValues, runtimeNumber } from './runtime.ts';

/** Envoy's defaults. */
const defaultBufferLimitBytes = 1_048_576;
const defaultFiltersTimeoutMs = 15_000;

/** Envoy's default is net.core.somaxconn: the kernel cuts what is larger down to it. */
const defaultBacklog = 65_535;

/** Envoy's is unlimited; a bounded turn lets open connections go on while a flood of new ones arrives. */
const defaultMaxAccepts = 64;

const directions = { UNSPECIFIED: 'unspecified', INBOUND: 'inbound', OUTBOUND: 'outbound' } as const;

/** A listener without a name is named by its address. Undefined without an address. Some options are runtime values. */
export function decodeListener(
  message: ListenerMessage,
  runtime: RuntimeValues,
  problems: Problems,
): Listener | undefined {
  const address = decodeAddress(message.address, problems.at('address'));
  if (message.address === undefined) problems.at('address').add('address is required');
  const chains = decodeFilterChains(message, problems);
  const additionalAddresses = decodeAdditionalAddresses(message, problems.at('additional_addresses'));
  const listenerFilters = decodeListenerFilters(message, problems.at('listener_filters'));
  const accessLogs = decodeAccessLogs(message.accessLog, problems.at('access_log'));
  const engine = decodeEngine(message.metadata, problems.at('metadata'));
  const keepAlive = decodeSocketOptions(message.socketOptions, problems.at('socket_options'));
  // The limit of connections is all that there is of an overload manager.
  if (message.bypassOverloadManager === true && message.ignoreGlobalConnLimit !== true) {
    problems.at('bypass_overload_manager').unsupported('bypass_overload_manager', 'set ignore_global_conn_limit too');
  }
  if (address === undefined) return undefined;
  const name = message.name ?? formatAddress(address);
  const connectionLimit = runtimeNumber(runtime, `envoy.resource_limits.listener.${name}.connection_limit`);
  return {
    name,
    address,
    additionalAddresses,
    statPrefix: message.statPrefix ?? '',
    ...decodeSocket(message),
    ...given('keepAlive', keepAlive),
    perConnectionBufferLimitBytes: message.perConnectionBufferLimitBytes ?? defaultBufferLimitBytes,
    listenerFilters,
    listenerFiltersTimeoutMs: message.listenerFiltersTimeout ?? defaultFiltersTimeoutMs,
    continueOnListenerFiltersTimeout: message.continueOnListenerFiltersTimeout ?? false,
    useOriginalDst: message.useOriginalDst ?? false,
    ...chains,
    trafficDirection: directions[message.trafficDirection ?? 'UNSPECIFIED'],
    accessLogs,
    ...given('connectionLimit', connectionLimit),
    ignoreGlobalConnectionLimit: message.ignoreGlobalConnLimit ?? false,
    maxConnectionsToAcceptPerTurn: message.maxConnectionsToAcceptPerSocketEvent ?? defaultMaxAccepts,
    ...given('engine', engine),
    ...given('metadata', message.metadata?.filterMetadata),
    drainType: message.drainType === 'MODIFY_ONLY' ? 'modify-only' : 'default',
  };
}

/** `deprecated_v1.bind_to_port` is the older place of the same option: either can switch binding off. */
function decodeSocket(message: ListenerMessage) {
  return {
    bindToPort: (message.bindToPort ?? true) && (message.deprecatedV1?.bindToPort ?? true),
    reusePort: message.enableReusePort ?? true,
    backlog: message.tcpBacklogSize ?? defaultBacklog,
    ipv4Compatible: message.address?.socketAddress?.ipv4Compat ?? false,
    transparent: message.transparent ?? false,
    freebind: message.freebind ?? false,
  };
}

function decodeAdditionalAddresses(message: ListenerMessage, problems: Problems): readonly Address[] {
  const addresses: Address[] = [];
  for (const [index, additional] of (message.additionalAddresses ?? []).entries()) {
    const address = decodeAddress(additional.address, problems.item(index).at('address'));
    if (address !== undefined) addresses.push(address);
  }
  return addresses;
}

function decodeFilterChains(
  message: ListenerMessage,
  problems: Problems,
): Pick<Listener, 'filterChains' | 'defaultFilterChain'> {
  const filterChains: FilterChain[] = [];
  for (const [index, chain] of (message.filterChains ?? []).entries()) {
    filterChains.push(decodeFilterChain(chain, problems.at('filter_chains').item(index)));
  }
  checkFilterChainOverlap(filterChains, problems.at('filter_chains'));
  const fallback = message.defaultFilterChain;
  const defaultFilterChain = fallback && decodeFilterChain(fallback, problems.at('default_filter_chain'));
  if (filterChains.length === 0 && fallback === undefined) {
    problems.at('filter_chains').add('a listener needs a filter chain');
  }
  return { filterChains, ...given('defaultFilterChain', defaultFilterChain) };
}

/** Numbers of <sys/socket.h> and <netinet/tcp.h> on Linux, which is what the configuration is written in. */
const solSocket = 1;
const soKeepAlive = 9;
const ipprotoTcp = 6;
const keepAliveOptions: { readonly [name: number]: keyof KeepAlive } = {
  4: 'timeSeconds',
  5: 'intervalSeconds',
  6: 'probes',
};

/** Keep-alive, which has no field of its own on a listener. */
function decodeSocketOptions(messages: readonly SocketOption[] | undefined, problems: Problems): KeepAlive | undefined {
  let keepAlive: { -readonly [option in keyof KeepAlive]: KeepAlive[option] } | undefined;
  for (const [index, { level = 0, name = 0, intValue = 0 }] of (messages ?? []).entries()) {
    const option = level === ipprotoTcp ? keepAliveOptions[name] : undefined;
    if (option !== undefined) {
      keepAlive ??= {};
      keepAlive[option] = intValue;
    } else if (level === solSocket && name === soKeepAlive && intValue === 1) keepAlive ??= {};
    else
      problems.item(index).unsupported(`socket option ${level}/${name} = ${intValue}`, 'only keep-alive options are');
  }
  return keepAlive;
}
