// Where the secrets of static resources come from by SDS. Looked for in messages: the clusters that are named there are for
// calls of our own, which is to be known before anything is decoded.

import type {
  Bootstrap_StaticResources,
  CommonTlsContext,
  ConfigSource,
  DownstreamTlsContext,
  SdsSecretConfig,
  TransportSocket,
  UpstreamTlsContext,
} from '../generated/messages.ts';

export function secretSourcesOf(message: Bootstrap_StaticResources | undefined): readonly ConfigSource[] {
  const sockets: (TransportSocket | undefined)[] = [];
  for (const { transportSocket, transportSocketMatches = [] } of message?.clusters ?? []) {
    sockets.push(transportSocket, ...transportSocketMatches.map((match) => match.transportSocket));
  }
  for (const { filterChains = [], defaultFilterChain } of message?.listeners ?? []) {
    sockets.push(...filterChains.map((chain) => chain.transportSocket), defaultFilterChain?.transportSocket);
  }
  return sockets
    .flatMap(configsOf)
    .map((config) => config?.sdsConfig)
    .filter((source) => source !== undefined);
}

const prefix = 'envoy.extensions.transport_sockets.tls.v3';

function configsOf(socket: TransportSocket | undefined): readonly (SdsSecretConfig | undefined)[] {
  const { typeName, message } = socket?.typedConfig ?? {};
  if (message === undefined) return [];
  if (typeName === `${prefix}.UpstreamTlsContext`) {
    return commonConfigsOf((message as UpstreamTlsContext).commonTlsContext);
  }
  if (typeName !== `${prefix}.DownstreamTlsContext`) return [];
  const { commonTlsContext, sessionTicketKeysSdsSecretConfig } = message as DownstreamTlsContext;
  return [...commonConfigsOf(commonTlsContext), sessionTicketKeysSdsSecretConfig];
}

function commonConfigsOf(context: CommonTlsContext | undefined): readonly (SdsSecretConfig | undefined)[] {
  return [
    ...(context?.tlsCertificateSdsSecretConfigs ?? []),
    context?.validationContextSdsSecretConfig,
    context?.combinedValidationContext?.validationContextSdsSecretConfig,
  ];
}
