// Looks at the next request of a connection where it is, in the kernel, and says whether uWebSockets.js may read it.

import { Errno } from '../../../native/errno.ts';
import type { NativeBuffer } from '../../../native/native-buffer.ts';
import { peek } from '../../../native/socket.ts';
import { RequestParser, type RequestParserOptions } from '../../http/http1/request-parser.ts';
import type { RequestHead } from '../../http/message.ts';
import { isCarried } from './carried-request.ts';

export const Look = {
  /** Nothing is there. */
  nothing: 0,
  /** The client has ended the connection. */
  ended: -1,
  /** Not a request that the library carries, or not the whole of its head. */
  notCarried: -2,
} as const;

export class RequestGate {
  readonly #parser: RequestParser;
  readonly #buffer: NativeBuffer;

  /** `buffer` is where bytes are looked at; used up before it is needed for anything else. */
  constructor(options: RequestParserOptions, buffer: NativeBuffer) {
    this.#parser = new RequestParser(options);
    this.#buffer = buffer;
  }

  /** Fills `head` and returns the length of the request's, or one of `Look`. Nothing is taken from the socket. */
  look(fd: number, head: RequestHead): number {
    const { bytes } = this.#buffer;
    const count = peek(fd, this.#buffer, 0, LOOK_BYTES);
    if (count === -Errno.EAGAIN) return Look.nothing;
    if (count <= 0) return Look.ended;
    const length = this.#parser.parse(bytes, 0, count, head);
    if (length > 0 && isCarried(head, bytes, length, count)) return length;
    this.#parser.reset();
    return Look.notCarried;
  }
}

/** More than the largest head that is carried. */
const LOOK_BYTES = 8192;
