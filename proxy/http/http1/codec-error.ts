// Why a message is refused, as constants: the data path hands out references and allocates nothing. `details` are
// Envoy's words, so that access logs and dashboards made for Envoy stay true.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/response_code_details

import { ResponseFlag } from '../stream-info.ts';

export interface CodecError {
  /** The status to answer the client with. For a fault of the upstream it is 502. */
  readonly status: number;
  readonly details: string;
  /** A plain sentence: what was wrong and where. */
  readonly reason: string;
  /** The ResponseFlag bit of such a refusal. */
  readonly flag: number;
}

function downstreamError(status: number, details: string, reason: string): CodecError {
  return Object.freeze({ status, details, reason, flag: ResponseFlag.downstreamProtocolError });
}

function upstreamError(details: string, reason: string): CodecError {
  return Object.freeze({ status: 502, details, reason, flag: ResponseFlag.upstreamProtocolError });
}

/** Faults that a request, a response and trailers can have alike. */
export interface FieldErrors {
  readonly emptyName: CodecError;
  readonly invalidName: CodecError;
  readonly missingColon: CodecError;
  readonly spaceBeforeColon: CodecError;
  readonly foldedLine: CodecError;
  readonly framingLookalike: CodecError;
  readonly underscore: CodecError;
  readonly invalidValue: CodecError;
  readonly bareCarriageReturn: CodecError;
  readonly bareLineFeed: CodecError;
  readonly tooLarge: CodecError;
  readonly tooMany: CodecError;
}

export interface BodyErrors {
  readonly invalidChunkSize: CodecError;
  readonly chunkTooLarge: CodecError;
  readonly invalidChunkExtension: CodecError;
  readonly chunkExtensionsTooLarge: CodecError;
  readonly strayBytesAfterChunk: CodecError;
  readonly trailers: FieldErrors;
}

type ErrorMaker = (status: number, details: string, reason: string) => CodecError;
const forResponse: ErrorMaker = (_status, details, reason) => upstreamError(details, reason);

function fieldErrors(make: ErrorMaker, where: string): FieldErrors {
  const codec = 'http1.codec_error';
  return {
    emptyName: make(400, codec, `a line of the ${where} has no name before its colon`),
    invalidName: make(400, codec, `a name in the ${where} has a character that is not a token character`),
    missingColon: make(400, codec, `a line of the ${where} has no colon`),
    spaceBeforeColon: make(400, codec, `a name in the ${where} is followed by white space before its colon`),
    foldedLine: make(400, codec, `a line of the ${where} begins with white space (obsolete line folding)`),
    framingLookalike: make(
      400,
      'http1.unexpected_underscore',
      `a name in the ${where} is content-length or transfer-encoding spelled with an underscore`,
    ),
    underscore: make(400, 'http1.unexpected_underscore', `a name in the ${where} has an underscore`),
    invalidValue: make(400, 'http1.invalid_characters', `a value in the ${where} has a control character`),
    bareCarriageReturn: make(400, codec, `a line of the ${where} has a carriage return without a line feed`),
    bareLineFeed: make(400, codec, `a line of the ${where} ends in a line feed without a carriage return`),
    tooLarge: make(431, 'http1.headers_too_large', `the ${where} is larger than the limit allows`),
    tooMany: make(431, 'http1.too_many_headers', `the ${where} has more fields than the limit allows`),
  };
}

function bodyErrors(make: ErrorMaker, message: string): BodyErrors {
  const codec = 'http1.codec_error';
  return {
    invalidChunkSize: make(400, codec, `a chunk size of the ${message} is not a hexadecimal number on its own line`),
    chunkTooLarge: make(400, codec, `a chunk size of the ${message} is too large to count`),
    invalidChunkExtension: make(400, codec, `a chunk extension of the ${message} has a control character`),
    chunkExtensionsTooLarge: make(400, codec, `the chunk extensions of the ${message} exceed 16 KiB`),
    strayBytesAfterChunk: make(400, codec, `a chunk of the ${message} is not followed by CRLF`),
    trailers: fieldErrors(make, `${message} trailers`),
  };
}

export const requestFieldErrors: FieldErrors = fieldErrors(downstreamError, 'request head');
export const responseFieldErrors: FieldErrors = fieldErrors(forResponse, 'response head');
export const requestBodyErrors: BodyErrors = bodyErrors(downstreamError, 'request');
export const responseBodyErrors: BodyErrors = bodyErrors(forResponse, 'response');

export const requestErrors = {
  invalidMethod: downstreamError(400, 'http1.codec_error', 'the request method is not known'),
  invalidRequestLine: downstreamError(400, 'http1.codec_error', 'the request line is not "method target version"'),
  invalidTarget: downstreamError(400, 'http1.invalid_url', 'the request target is not valid'),
  fragment: downstreamError(400, 'path_normalization_failed', 'the request target has a fragment'),
  absoluteTarget: downstreamError(404, 'absolute_path_rejected', 'a request target in absolute form is not allowed'),
  invalidVersion: downstreamError(400, 'http1.codec_error', 'the version in the request line is malformed'),
  unsupportedVersion: downstreamError(505, 'http1.codec_error', 'only HTTP/1.0 and HTTP/1.1 are spoken here'),
  http10: downstreamError(426, 'low_version', 'HTTP/1.0 is not accepted here'),
  missingHost: downstreamError(400, 'missing_host_header', 'the request has no Host header'),
  duplicateHost: downstreamError(400, 'http1.codec_error', 'the request has more than one Host header'),
  invalidAuthority: downstreamError(400, 'http.invalid_authority', 'the host of the request is not valid'),
  lengthAndChunked: downstreamError(
    400,
    'http1.content_length_and_chunked_not_allowed',
    'the request has both Content-Length and Transfer-Encoding',
  ),
  invalidTransferEncoding: downstreamError(
    501,
    'http1.invalid_transfer_encoding',
    'the transfer encoding of the request is not exactly "chunked"',
  ),
  transferEncodingInHttp10: downstreamError(
    400,
    'http1.transfer_encoding_not_allowed',
    'an HTTP/1.0 request has a Transfer-Encoding header',
  ),
  transferEncodingWithConnect: downstreamError(
    501,
    'http1.transfer_encoding_not_allowed',
    'a CONNECT request has a Transfer-Encoding header',
  ),
  bodyWithConnect: downstreamError(400, 'http1.body_disallowed', 'a CONNECT request has a body'),
  invalidContentLength: downstreamError(
    400,
    'http1.codec_error',
    'the Content-Length of the request is not a decimal number below 2^53',
  ),
  duplicateContentLength: downstreamError(400, 'http1.codec_error', 'the request has more than one Content-Length'),
  connectionRejected: downstreamError(
    400,
    'http1.connection_header_rejected',
    'the Connection header nominates a field it must not, or too many',
  ),
} as const;

export const responseErrors = {
  invalidStatusLine: upstreamError('http1.codec_error', 'the upstream sent a malformed status line'),
  lengthAndChunked: upstreamError(
    'http1.content_length_and_chunked_not_allowed',
    'the response has both Content-Length and Transfer-Encoding',
  ),
  invalidTransferEncoding: upstreamError(
    'http1.invalid_transfer_encoding',
    'the transfer encoding of the response is not exactly "chunked"',
  ),
  transferEncodingNotAllowed: upstreamError(
    'http1.transfer_encoding_not_allowed',
    'a response that cannot have a body, or an HTTP/1.0 response, has a Transfer-Encoding header',
  ),
  contentLengthNotAllowed: upstreamError(
    'http1.content_length_not_allowed',
    'a 1xx or 204 response has a Content-Length above zero',
  ),
  invalidContentLength: upstreamError(
    'http1.codec_error',
    'the Content-Length of the response is not a decimal number below 2^53',
  ),
  duplicateContentLength: upstreamError('http1.codec_error', 'the response has more than one Content-Length'),
} as const;
