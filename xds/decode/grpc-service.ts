// A gRPC service that is called by us (`config.core.v3.GrpcService`).

import type { GrpcCredentials, GrpcService, GrpcTls, SecretText } from '../../config/config-source.ts';
import type { Problems } from '../../config/problems.ts';
import type {
  GrpcService_GoogleGrpc_CallCredentials as CallCredentials,
  FileBasedMetadataConfig,
  GrpcService_GoogleGrpc as GoogleGrpc,
  GrpcService as GrpcServiceMessage,
  HeaderValue,
  GrpcService_GoogleGrpc_CallCredentials_MetadataCredentialsFromPlugin as Plugin,
  GrpcService_GoogleGrpc_SslCredentials as SslCredentials,
} from '../generated/messages.ts';
import { isHeaderName } from '../message/field-rules.ts';
import { decodeSecretText } from './data-source.ts';
import { extensionType } from './extension.ts';
import { given } from './given.ts';

export function decodeGrpcService(message: GrpcServiceMessage, problems: Problems): GrpcService | undefined {
  const initialMetadata = decodeMetadata(message.initialMetadata, problems.at('initial_metadata'));
  const target = decodeTarget(message, problems);
  return target && { target, initialMetadata };
}

function decodeTarget(message: GrpcServiceMessage, problems: Problems): GrpcService['target'] | undefined {
  const { envoyGrpc, googleGrpc } = message;
  if (googleGrpc?.targetUri !== undefined) {
    const credentials = decodeCredentials(googleGrpc, problems.at('google_grpc'));
    return { kind: 'uri', uri: googleGrpc.targetUri, credentials };
  }
  if (envoyGrpc?.clusterName === undefined) return undefined;
  return { kind: 'cluster', cluster: envoyGrpc.clusterName, ...given('authority', envoyGrpc.authority) };
}

/** Envoy takes commands of the access log in values. A call of our own has no request that they could speak of. */
function decodeMetadata(messages: readonly HeaderValue[] | undefined, problems: Problems) {
  const metadata: { key: string; value: string }[] = [];
  for (const [index, { key = '', value = '' }] of (messages ?? []).entries()) {
    const place = problems.item(index);
    if (/^grpc-|-bin$/i.test(key)) place.at('key').add(`${key} is a name that gRPC keeps for itself`);
    if (/%/.test(value.replaceAll('%%', '')))
      place.at('value').unsupported('a %COMMAND%', 'write %% for a percent sign');
    // What is no header name, or breaks a line, the rules of the message have told already.
    if (isHeaderName(key) && !/^[0-9a-z_.-]+$/i.test(key))
      place.at('key').add(`${JSON.stringify(key)} is not a key of gRPC metadata`);
    if (!/^[ -~\r\n\0]*$/.test(value)) place.at('value').add('must be ASCII without control characters');
    metadata.push({ key: key.toLowerCase(), value: value.replaceAll('%%', '%') });
  }
  return metadata;
}

function decodeCredentials(message: GoogleGrpc, problems: Problems): GrpcCredentials {
  const ssl = message.channelCredentials?.sslCredentials;
  const accessToken = decodeAccessToken(message, problems);
  if (accessToken !== undefined && ssl === undefined) {
    problems.at('call_credentials').add('a token may not be sent in clear text: ssl_credentials are required with it');
  }
  const sni = decodeServerName(message, problems.at('channel_args').at('args'));
  const tls = ssl && {
    ...decodeSsl(ssl, problems.at('channel_credentials').at('ssl_credentials')),
    ...given('sni', sni),
  };
  return { ...given('tls', tls), ...given('accessToken', accessToken) };
}

/** The one option of Google's library that says whom is spoken to rather than how. */
const serverNameOption = 'grpc.ssl_target_name_override';

function decodeServerName({ channelArgs }: GoogleGrpc, problems: Problems): string | undefined {
  for (const option of Object.keys(channelArgs?.args ?? {})) {
    if (option !== serverNameOption) problems.at(option).unsupported(option, `only ${serverNameOption} is`);
  }
  const name = channelArgs?.args?.[serverNameOption];
  if (name !== undefined && (name.stringValue ?? '') === '') {
    problems.at(serverNameOption).add('must be a string_value that is not empty');
  }
  return name?.stringValue;
}

function decodeSsl(message: SslCredentials, problems: Problems): GrpcTls {
  const { rootCerts, certChain, privateKey } = message;
  if ((certChain === undefined) !== (privateKey === undefined)) {
    problems.add('cert_chain and private_key belong together');
  }
  return {
    ...given('roots', rootCerts && decodeSecretText(rootCerts)),
    ...given('certificateChain', certChain && decodeSecretText(certChain)),
    ...given('privateKey', privateKey && decodeSecretText(privateKey)),
    subjectAltNames: [],
  };
}

/** The name of the one factory of call credentials that is offered, besides the one without a name. */
const fileBasedFactory = 'envoy.grpc_credentials.file_based_metadata';

function decodeAccessToken(message: GoogleGrpc, problems: Problems): SecretText | undefined {
  const { credentialsFactoryName: factory = '', callCredentials = [] } = message;
  if (factory !== '' && factory !== fileBasedFactory) {
    problems.at('credentials_factory_name').unsupported(factory, `only ${fileBasedFactory} is`);
  }
  const [credentials, second] = callCredentials;
  if (second !== undefined) problems.at('call_credentials').unsupported('more than one token', 'write one');
  return credentials && decodeCallCredentials(credentials, problems.at('call_credentials').item(0));
}

function decodeCallCredentials(message: CallCredentials, problems: Problems): SecretText | undefined {
  if (message.accessToken !== undefined) return { kind: 'inline', text: message.accessToken };
  return message.fromPlugin && decodePlugin(message.fromPlugin, problems.at('from_plugin'));
}

const fileBasedMetadata = 'envoy.config.grpc_credential.v3.FileBasedMetadataConfig';

/** Envoy's way to a token that rotates in a file. */
function decodePlugin(message: Plugin, problems: Problems): SecretText | undefined {
  if (message.name !== fileBasedFactory) problems.at('name').add(`must be ${fileBasedFactory}`);
  const plugin = { what: 'call credentials plugin', known: [fileBasedMetadata] } as const;
  if (extensionType(message, plugin, problems) === undefined) return undefined;
  const { secretData, headerKey = '', headerPrefix } = message.typedConfig!.message as FileBasedMetadataConfig;
  const place = problems.at('typed_config');
  if (!/^(authorization)?$/i.test(headerKey)) place.at('header_key').unsupported(headerKey, 'write authorization');
  if (headerPrefix !== 'Bearer ')
    place.at('header_prefix').add('must be "Bearer ": tokens are sent as RFC 6750 has it');
  if (secretData === undefined) place.at('secret_data').add('secret_data is required');
  return secretData && decodeSecretText(secretData);
}
