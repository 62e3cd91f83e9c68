// Bytes as they are on the socket.

import { NativeBuffer } from '../../native/native-buffer.ts';
import { close, peek, receive, send, shutdownWrite, socketError } from '../../native/socket.ts';
import { type Transport, TransportWant } from './transport.ts';

export class PlainTransport implements Transport {
  readonly fd: number;
  readonly isPlain = true;
  readonly want = TransportWant.nothing;
  readonly hasPending = false;
  readonly problem = '';

  constructor(fd: number) {
    this.fd = fd;
  }

  /** The outcome of connect(2), which is asked for once the socket is writable. */
  establish(): number {
    const error = socketError(this.fd);
    return error > 0 ? -error : error;
  }

  read(buffer: NativeBuffer, offset: number, length: number): number {
    return receive(this.fd, buffer, offset, length);
  }

  write(buffer: NativeBuffer, offset: number, length: number): number {
    return send(this.fd, buffer, offset, length);
  }

  look(): number {
    return peek(this.fd, lookBuffer, 0, 1);
  }

  shutdownWrite(): number {
    return shutdownWrite(this.fd);
  }

  close(): void {
    close(this.fd);
  }
}

// Not the worker's receive buffer: whoever looks may be in the middle of handling what lies there.
const lookBuffer = new NativeBuffer(1);
