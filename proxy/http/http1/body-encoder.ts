// Writes a body in the framing its head announced. The same for requests and responses.

import type { NativeBuffer } from '../../../native/native-buffer.ts';
import type { ByteStream } from '../../reactor/byte-stream.ts';
import type { HeaderTable } from '../header-table.ts';
import { BodyFraming } from '../message.ts';
import { chunkHeaderBound, lastChunkBound, writeChunkHeader, writeLastChunk } from './head-writer.ts';
import type { OutputBuffer } from './output-buffer.ts';

const crlf = Buffer.from('\r\n');

export class BodyEncoder {
  readonly #output: OutputBuffer;
  #stream: ByteStream | null = null;
  #framing: BodyFraming = BodyFraming.none;

  constructor(output: OutputBuffer) {
    this.#output = output;
  }

  begin(stream: ByteStream, framing: BodyFraming): void {
    this.#stream = stream;
    this.#framing = framing;
  }

  /** Whether data leaves as it came, without framing of its own. */
  get isTransparent(): boolean {
    return this.#framing !== BodyFraming.chunked;
  }

  data(buffer: NativeBuffer, start: number, end: number): void {
    const output = this.#output;
    const stream = this.#stream!;
    if (this.#framing !== BodyFraming.chunked) {
      output.append(stream, buffer, start, end);
      return;
    }
    output.begin(stream, chunkHeaderBound);
    output.advanceTo(writeChunkHeader(output.bytes, output.length, end - start));
    output.append(stream, buffer, start, end);
    output.appendBytes(stream, crlf);
  }

  /** Bytes of our own making, already in memory. */
  dataBytes(bytes: Uint8Array): void {
    const output = this.#output;
    const stream = this.#stream!;
    if (this.#framing === BodyFraming.chunked) {
      output.begin(stream, chunkHeaderBound);
      output.advanceTo(writeChunkHeader(output.bytes, output.length, bytes.length));
    }
    output.appendBytes(stream, bytes);
    if (this.#framing === BodyFraming.chunked) output.appendBytes(stream, crlf);
  }

  end(trailers: HeaderTable | null): void {
    if (this.#framing !== BodyFraming.chunked) return;
    const output = this.#output;
    output.begin(this.#stream!, lastChunkBound(trailers));
    output.advanceTo(writeLastChunk(output.bytes, output.length, trailers));
  }
}
