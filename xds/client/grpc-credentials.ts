// The secrets of calls, read when a connection is made: tokens and certificates rotate, and the next connection has the
// new ones. Messages name the place of a secret, never what is in it.

import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isIP, type Socket } from 'node:net';
import { connect, createSecureContext, getCACertificates, type SecureContext } from 'node:tls';
import { ChannelCredentials } from '@grpc/grpc-js';
import type { GrpcTls, SecretText } from '../../config/config-source.ts';
import { cannotBeRead } from '../../config/unreadable-file.ts';
import type { GrpcPeer } from './grpc-peer.ts';
import { identityProblem } from './peer-identity.ts';

/**
 * `onSocket` is given each connection before a byte was sent over it. Throws an error with a sentence for people when a
 * secret cannot be read or used.
 */
export function channelCredentials({ tls, host }: GrpcPeer, onSocket: (socket: Socket) => void): ChannelCredentials {
  const secured = tls && { secureContext: secureContext(tls), tls, host };
  const credentials =
    secured === undefined
      ? ChannelCredentials.createInsecure()
      : ChannelCredentials.createFromSecureContext(secured.secureContext);
  const makeConnector = credentials._createSecureConnector.bind(credentials);
  credentials._createSecureConnector = (...parts) => {
    const connector = makeConnector(...parts);
    const connectPlain = connector.connect.bind(connector);
    connector.connect = (socket) => {
      onSocket(socket);
      return secured === undefined ? connectPlain(socket) : connectTls(socket, secured);
    };
    return connector;
  };
  return credentials;
}

/** In place of the library's own, which asks for an IP address by SNI, and that is not permitted (RFC 6066 section 3). */
function connectTls(socket: Socket, { secureContext, tls, host }: SecuredPeer): Promise<SecureSocket> {
  const name = tls.sni ?? host;
  const { promise, resolve, reject } = Promise.withResolvers<SecureSocket>();
  const secured = connect({
    socket,
    secureContext,
    ALPNProtocols: ['h2'],
    ...(isIP(name) === 0 && { servername: name }),
    checkServerIdentity: (_host, { raw }) => {
      const problem = identityProblem(new X509Certificate(raw), tls, host);
      return problem === undefined ? undefined : new Error(problem);
    },
  });
  secured.once('secureConnect', () => resolve({ socket: secured, secure: true }));
  secured.on('error', reject);
  return promise;
}

interface SecuredPeer {
  readonly secureContext: SecureContext;
  readonly tls: GrpcTls;
  readonly host: string;
}

interface SecureSocket {
  readonly socket: Socket;
  readonly secure: boolean;
}

/** `Bearer …` (RFC 6750). Throws as above. */
export function authorization(token: SecretText): string {
  const text = readSecret(token, 'the access token').trim();
  if (!/^[\x21-\x7e]+$/.test(text)) throw new Error(`${placeOf(token, 'the access token')} is empty or no token`);
  return `Bearer ${text}`;
}

function secureContext(tls: GrpcTls): SecureContext {
  const roots = tls.roots && readPem(tls.roots, 'the trusted certificates');
  const chain = tls.certificateChain && readPem(tls.certificateChain, 'the certificate chain');
  const key = tls.privateKey && readPem(tls.privateKey, 'the private key');
  try {
    return createSecureContext({
      ca: roots ?? getCACertificates('system'),
      ...(chain !== undefined && key !== undefined && { cert: chain, key }),
      minVersion: 'TLSv1.2',
    });
  } catch (error) {
    const places = [tls.roots, tls.certificateChain, tls.privateKey].map(
      (secret) => secret && placeOf(secret, 'PEM text'),
    );
    const named = places.filter((place) => place !== undefined).join(', ');
    throw new Error(`${named}: cannot be used: ${(error as Error).message}`);
  }
}

function readPem(secret: SecretText, what: string): string {
  const text = readSecret(secret, what);
  if (!text.includes('-----BEGIN ')) throw new Error(`${placeOf(secret, what)} is not PEM`);
  return text;
}

function readSecret(secret: SecretText, what: string): string {
  switch (secret.kind) {
    case 'inline':
      return secret.text;
    case 'environment': {
      const text = process.env[secret.variable];
      if (text === undefined) throw new Error(`${placeOf(secret, what)} cannot be read: it is not set`);
      return text;
    }
    case 'file':
      try {
        return readFileSync(secret.path, 'utf8');
      } catch (error) {
        throw new Error(`${placeOf(secret, what)} ${cannotBeRead(secret.path, error)}`);
      }
  }
}

function placeOf(secret: SecretText, what: string): string {
  switch (secret.kind) {
    case 'inline':
      return `${what} of the configuration`;
    case 'environment':
      return `${what} in the environment variable ${secret.variable}`;
    case 'file':
      return `${what} in ${secret.path}`;
  }
}
