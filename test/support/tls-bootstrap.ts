// TLS in a bootstrap, as an operator writes it, and clients and origins that speak it.

import { once } from 'node:events';
import type { IncomingMessage, RequestListener } from 'node:http';
import { type Agent, createServer as createHttpsServer, type RequestOptions, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { type ConnectionOptions, connect, type TLSSocket, type TlsOptions } from 'node:tls';
import type { Test } from 'tap';
import type { IssuedIdentity } from './tls-fixtures.ts';

const TLS = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3';

export interface SocketTerms {
  readonly identity?: IssuedIdentity;
  /** PEM. */
  readonly roots?: string;
  /** The peer must have one of these URIs. */
  readonly uris?: readonly string[];
  /** Of the common context. */
  readonly common?: object;
  /** Of the context. */
  readonly context?: object;
}

/** Clients must have a certificate when `roots` are given, unless `context` says otherwise. */
export function downstreamTlsSocket(terms: SocketTerms): object {
  return socketOf('DownstreamTlsContext', {
    common_tls_context: commonContext(terms),
    require_client_certificate: terms.roots !== undefined,
    ...terms.context,
  });
}

export function upstreamTlsSocket(terms: SocketTerms): object {
  return socketOf('UpstreamTlsContext', { common_tls_context: commonContext(terms), ...terms.context });
}

function socketOf(type: string, context: object): object {
  return { name: 'tls', typed_config: { '@type': `${TLS}.${type}`, ...context } };
}

function commonContext({ identity, roots, uris = [], common = {} }: SocketTerms): object {
  return {
    ...(identity && { tls_certificates: [certificateOf(identity)] }),
    ...(roots && { validation_context: validationOf(roots, uris) }),
    ...common,
  };
}

export function certificateOf({ certificateChain, privateKey }: IssuedIdentity): object {
  return { certificate_chain: { inline_string: certificateChain }, private_key: { inline_string: privateKey } };
}

export function validationOf(roots: string, uris: readonly string[] = []): object {
  return {
    trusted_ca: { inline_string: roots },
    match_typed_subject_alt_names: uris.map((exact) => ({ san_type: 'URI', matcher: { exact } })),
  };
}

/** A filter chain, or a cluster, with this transport socket. */
export function over<T extends object>(socket: object, what: T): T {
  return { ...what, transport_socket: socket };
}

export interface Answer {
  readonly status: number;
  readonly body: string;
  readonly headers: IncomingMessage['headers'];
  readonly socket: TLSSocket;
}

/** One request over TLS. Rejects when the handshake or the exchange fails. */
export async function ask(
  port: number,
  options: RequestOptions & { body?: Buffer; agent?: Agent } = {},
): Promise<Answer> {
  const { body, ...rest } = options;
  const sent = request({ host: '127.0.0.1', port, agent: false, ...rest });
  sent.end(body);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  const { statusCode, headers, socket } = response;
  // Before the end: an agent may take the socket away.
  const answer = { status: statusCode!, headers, socket: socket as TLSSocket };
  return { ...answer, body: (await buffer(response)).toString('latin1') };
}

/** Serves HTTP over TLS until the end of the test; returns its port. */
export async function startHttpsOrigin(t: Test, options: TlsOptions, onRequest: RequestListener): Promise<number> {
  const server = createHttpsServer(options, onRequest);
  server.on('tlsClientError', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}

/** A connection over TLS, established; closed with the test. */
export async function dial(t: Test, port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true, ...options } as ConnectionOptions);
  t.teardown(() => socket.destroy());
  await once(socket, 'secureConnect');
  return socket;
}

/**
 * With what a connection over TLS ends on which nothing is sent: the code of its error, `closed` without one. What is sent behind
 * an end would meet a reset, which may hide the alert.
 */
export async function ending(port: number, options: ConnectionOptions = {}): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port, ...options } as ConnectionOptions);
  const outcome = Promise.withResolvers<string>();
  socket.on('error', (error: NodeJS.ErrnoException) => outcome.resolve(error.code ?? error.message));
  socket.on('close', () => outcome.resolve('closed'));
  const code = await outcome.promise;
  socket.destroy();
  return code;
}

/** Why a connection over TLS came to nothing: at once, or when the first byte was expected. Throws when it came about. */
export async function refusal(port: number, options: ConnectionOptions = {}): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port, ...options } as ConnectionOptions);
  // In TLS 1.3 a client is done before the server has judged it.
  socket.on('secureConnect', () => socket.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n'));
  const outcome = Promise.withResolvers<string>();
  socket.on('error', (error: NodeJS.ErrnoException) => outcome.resolve(error.code ?? error.message));
  socket.on('data', (data) => outcome.reject(new Error(`it was served: ${data}`)));
  socket.on('close', () => outcome.resolve('closed'));
  try {
    return await outcome.promise;
  } finally {
    socket.destroy();
  }
}
