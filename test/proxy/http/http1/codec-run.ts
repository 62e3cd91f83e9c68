// Drives the codec as a connection does: bytes come in pieces, what was not taken is offered again with more behind it.
// The result is plain data, so that two ways of cutting the same input can be compared.

import type { HeaderTable } from '../../../../proxy/http/header-table.ts';
import { BodyDecoder } from '../../../../proxy/http/http1/body-decoder.ts';
import type { CodecError } from '../../../../proxy/http/http1/codec-error.ts';
import {
  requestHeadBound,
  responseHeadBound,
  writeRequestHead,
  writeResponseHead,
} from '../../../../proxy/http/http1/head-writer.ts';
import { sanitizeRequest, sanitizeResponse } from '../../../../proxy/http/http1/hop-by-hop.ts';
import { RequestParser, type RequestParserOptions } from '../../../../proxy/http/http1/request-parser.ts';
import { ResponseParser } from '../../../../proxy/http/http1/response-parser.ts';
import { BodyFraming, RequestHead, ResponseHead } from '../../../../proxy/http/message.ts';
import type { VectorOptions } from './vectors/vector-list.ts';

const limits = { maxHeadersBytes: 60 * 1024, maxHeadersCount: 100 };
const bodyLimits = { maxTrailersBytes: limits.maxHeadersBytes, maxTrailersCount: limits.maxHeadersCount };

export interface CodecRun {
  error: CodecError | null;
  isComplete: boolean;
  forwarded: string;
  path: string;
  authority: string;
  scheme: string;
  upgrade: string;
  keepAlive: boolean;
  expectsContinue: boolean;
  status: number;
  body: string;
  trailers: string;
  leftover: string;
  droppedHeaders: number;
  droppedTrailers: number;
  untilClose: boolean;
}

export function requestParserOptions(options: VectorOptions): RequestParserOptions {
  return {
    ...limits,
    underscores: options.underscores ?? 'allow',
    allowAbsoluteUrl: options.allowAbsoluteUrl ?? true,
    allowCustomMethods: options.allowCustomMethods ?? false,
    acceptHttp10: options.acceptHttp10 ?? false,
    defaultHostForHttp10: options.defaultHostForHttp10 ?? '',
    rejectPathWithFragment: options.rejectPathWithFragment ?? true,
  };
}

/** Reads one message from the pieces; `options.requestMethod` makes it a response. */
export function runCodec(pieces: readonly string[], options: VectorOptions): CodecRun {
  return new CodecRunner(options).run(pieces);
}

/** One connection's codec, used for message after message: what is left of one must not show in the next. */
export class CodecRunner {
  readonly #readHead: ReadHead;
  readonly #decoder: BodyDecoder;

  constructor(options: VectorOptions) {
    const { requestMethod } = options;
    this.#decoder = new BodyDecoder(requestMethod === undefined ? 'request' : 'response');
    this.#readHead =
      requestMethod === undefined
        ? requestReader(options, this.#decoder)
        : responseReader(requestMethod, this.#decoder);
  }

  run(pieces: readonly string[]): CodecRun {
    const run = emptyRun();
    const droppedBefore = this.#decoder.droppedTrailers;
    receive(pieces, { run, decoder: this.#decoder, readHead: this.#readHead(run) });
    run.droppedTrailers = this.#decoder.droppedTrailers - droppedBefore;
    return run;
  }
}

type ParseHead = (bytes: Buffer, start: number, end: number) => number;
/** Begins a message whose head is noted in the run. */
type ReadHead = (run: CodecRun) => ParseHead;

function requestReader(options: VectorOptions, decoder: BodyDecoder): ReadHead {
  const parser = new RequestParser(requestParserOptions(options));
  const head = new RequestHead();
  return (run) => {
    parser.reset();
    const droppedBefore = parser.droppedHeaders;
    return (bytes, start, end) => {
      const length = parser.parse(bytes, start, end, head);
      run.droppedHeaders = parser.droppedHeaders - droppedBefore;
      if (length < 0) run.error = parser.error;
      if (length <= 0) return length;
      run.keepAlive = head.keepAlive;
      run.error = sanitizeRequest(head);
      if (run.error !== null) return -1;
      Object.assign(run, { path: head.path, authority: head.authority, scheme: head.scheme, upgrade: head.upgrade });
      run.expectsContinue = head.expectsContinue;
      run.forwarded = written(requestHeadBound(head), (target) => writeRequestHead(head, target, 0));
      decoder.begin(head.framing, head.contentLength, bodyLimits);
      return length;
    };
  };
}

function responseReader(requestMethod: string, decoder: BodyDecoder): ReadHead {
  const parser = new ResponseParser(limits);
  const head = new ResponseHead();
  return (run) => {
    parser.reset();
    return (bytes, start, end) => {
      const length = parser.parse(bytes, start, end, head, requestMethod);
      if (length < 0) run.error = parser.error;
      if (length <= 0) return length;
      run.status = head.status;
      run.keepAlive = head.keepAlive;
      run.untilClose = head.framing === BodyFraming.untilClose;
      sanitizeResponse(head);
      run.forwarded = written(responseHeadBound(head), (target) => writeResponseHead(head, target, 0));
      decoder.begin(head.framing, head.contentLength, bodyLimits);
      return length;
    };
  };
}

interface Receiver {
  readonly run: CodecRun;
  readonly decoder: BodyDecoder;
  readonly readHead: ParseHead;
}

function receive(pieces: readonly string[], { run, decoder, readHead }: Receiver): void {
  const text = pieces.join('');
  // Two receive buffers in turn, so that nothing can depend on where the bytes of the call before lay.
  const buffers = bases.map((base) => Buffer.alloc(base + text.length + padding.length, padding));
  let hasHead = false;
  let taken = 0;
  let received = 0;
  let turn = 0;
  for (const piece of pieces) {
    buffers.forEach((buffer, index) => {
      buffer.latin1Write(piece, bases[index]! + received);
    });
    received += piece.length;
    if (run.error !== null) continue;
    const bytes = buffers[turn % 2]!;
    const base = bases[turn++ % 2]!;
    if (!hasHead) {
      const length = readHead(bytes, base + taken, base + received);
      hasHead = length > 0;
      if (hasHead) taken += length;
    }
    if (hasHead && run.error === null) taken = readBody(bytes, base + taken, base + received, decoder, run) - base;
  }
  run.isComplete = hasHead && run.error === null && (decoder.isDone || run.untilClose);
  run.leftover = run.isComplete ? text.slice(taken) : '';
  if (run.isComplete && decoder.trailers !== null) run.trailers = fieldLines(decoder.trailers);
}

const bases = [0, 5] as const;
/** What lies behind the bytes given, where a reader must not look: a line feed would end a line, a zero be refused. */
const padding = '\r\n\0\n\r\n5\r';

function readBody(bytes: Buffer, start: number, end: number, decoder: BodyDecoder, run: CodecRun): number {
  let position = start;
  while (position < end && !decoder.isDone && decoder.error === null) {
    const before = position;
    position = decoder.step(bytes, position, end);
    run.body += bytes.latin1Slice(decoder.dataStart, decoder.dataEnd);
    if (position === before && decoder.error === null) throw new Error('a step took nothing');
  }
  run.error = decoder.error;
  return position;
}

export function fieldLines(headers: HeaderTable): string {
  return written(headers.encodedLength, (target) => headers.copyTo(target, 0));
}

function written(bound: number, write: (target: Buffer) => number): string {
  const target = Buffer.alloc(bound);
  return target.latin1Slice(0, write(target));
}

function emptyRun(): CodecRun {
  return {
    error: null,
    isComplete: false,
    forwarded: '',
    path: '',
    authority: '',
    scheme: '',
    upgrade: '',
    keepAlive: false,
    expectsContinue: false,
    status: 0,
    body: '',
    trailers: '',
    leftover: '',
    droppedHeaders: 0,
    droppedTrailers: 0,
    untilClose: false,
  };
}
