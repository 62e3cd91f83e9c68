// Messages of DNS in a stream of TCP: each has its length in front, two bytes (RFC 1035 §4.2.2), which bounds it.

export class TcpFrames {
  #bytes: Buffer = Buffer.alloc(0);

  push(chunk: Buffer): void {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
  }

  /** The next message that is there whole. */
  next(): Buffer | undefined {
    if (this.#bytes.length < lengthBytes) return undefined;
    const end = lengthBytes + this.#bytes.readUInt16BE(0);
    if (this.#bytes.length < end) return undefined;
    const message = this.#bytes.subarray(lengthBytes, end);
    this.#bytes = this.#bytes.subarray(end);
    return message;
  }
}

/** `message` has 65,535 bytes at most. */
export function tcpFrame(message: Buffer): Buffer {
  const frame = Buffer.allocUnsafe(lengthBytes + message.length);
  frame.writeUInt16BE(message.length, 0);
  message.copy(frame, lengthBytes);
  return frame;
}

const lengthBytes = 2;
