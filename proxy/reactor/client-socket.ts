// Connections that we open: a socket with its options on its way to a peer.

import type { Address, IpAddress, KeepAlive } from '../../config/address.ts';
import { Errno } from '../../native/errno.ts';
import {
  bind,
  close,
  connect,
  createSocket,
  setBindAddressNoPort,
  setKeepAlive,
  setMark,
  setNoDelay,
} from '../../native/socket.ts';
import { addressFamily } from '../../native/socket-address.ts';
import { PlainTransport } from '../transport/plain-transport.ts';
import type { ByteStreamHandler } from './byte-stream.ts';
import { Connection, type ConnectionOptions } from './connection.ts';
import type { Secure } from './establishing.ts';
import type { Reactor } from './reactor.ts';

export interface ConnectOptions extends ConnectionOptions {
  readonly address: Address;
  /** Of the connection and the handshake of TLS together. */
  readonly connectTimeoutMs: number;
  /** Made over the socket when it is connected; a sentence ends the connection. Plain when left out. */
  readonly tls?: Secure | undefined;
  /** The source; with port 0 the kernel chooses one when it knows the peer. */
  readonly bindAddress?: IpAddress | undefined;
  readonly keepAlive?: KeepAlive | undefined;
  /** Sends small writes at once; true when left out. */
  readonly noDelay?: boolean | undefined;
  /** SO_MARK; needs CAP_NET_ADMIN. */
  readonly mark?: number | undefined;
}

/** Begins to connect. Every outcome, also an immediate failure, is reported later: `onConnected` or `onClosed`. */
export function connectTo(reactor: Reactor, options: ConnectOptions, handler: ByteStreamHandler): Connection {
  const transport = new PlainTransport(openSocket(options));
  const connection = new Connection(reactor, transport, handler, options);
  connection.beginConnecting(options.connectTimeoutMs, options.tls);
  return connection;
}

/** A descriptor that is connecting or connected, or a negated errno. */
function openSocket(options: ConnectOptions): number {
  const fd = createSocket(addressFamily(options.address));
  if (fd < 0) return fd;
  let result = configure(fd, options);
  if (result >= 0) result = connect(fd, options.address);
  if (result >= 0 || result === -Errno.EINPROGRESS) return fd;
  close(fd);
  return result;
}

function configure(fd: number, options: ConnectOptions): number {
  const { address, bindAddress, keepAlive, mark } = options;
  let result = 0;
  if (address.kind === 'ip') {
    if (options.noDelay ?? true) result = setNoDelay(fd, true);
    if (result >= 0 && keepAlive !== undefined) result = setKeepAlive(fd, keepAlive);
    if (result >= 0 && bindAddress?.port === 0) result = setBindAddressNoPort(fd);
    if (result >= 0 && bindAddress !== undefined) result = bind(fd, bindAddress);
  }
  if (result >= 0 && mark !== undefined) result = setMark(fd, mark);
  return result;
}
