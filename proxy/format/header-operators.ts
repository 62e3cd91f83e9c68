// Commands that read a message: its headers, its trailers, the gRPC status, and how large they are.

import type { FormatCommand } from '../../config/format-commands.ts';
import { HeaderId, type HeaderName, headerName } from '../http/header-name.ts';
import type { HeaderTable } from '../http/header-table.ts';
import type { RequestHead, ResponseHead } from '../http/message.ts';
import type { FormatContext, Operator } from './format-context.ts';
import { grpcStatusName } from './grpc-status-name.ts';
import { fieldBytes, requestHeadersBytes, responseHeadersBytes } from './header-bytes.ts';

/** By command name: makes the operator for one use of the command. */
export const headerOperators: Readonly<Record<string, (command: FormatCommand) => Operator>> = {
  REQ: readRequest,
  REQUEST_HEADER: readRequest,
  STREAM_INFO_REQ: readRequest,
  RESP: readResponse,
  RESPONSE_HEADER: readResponse,
  TRAILER: readTrailers,
  RESPONSE_TRAILER: readTrailers,
  REQUEST_HEADERS_BYTES:
    () =>
    ({ request }) =>
      requestHeadersBytes(request),
  RESPONSE_HEADERS_BYTES:
    () =>
    ({ response }) =>
      responseHeadersBytes(response),
  RESPONSE_TRAILERS_BYTES:
    () =>
    ({ responseTrailers }) =>
      responseTrailers === null ? 0 : fieldBytes(responseTrailers),
  GRPC_STATUS: ({ argument }) => {
    if (argument === 'NUMBER') return grpcStatus;
    const style = argument === 'SNAKE_STRING' ? 'snake' : 'camel';
    return (context) => {
      const status = grpcStatus(context);
      return status === null ? null : grpcStatusName(status, style);
    };
  },
  GRPC_STATUS_NUMBER: () => grpcStatus,
};

interface Names {
  readonly name: HeaderName;
  readonly alternative: HeaderName | null;
}

function compileNames({ argument }: FormatCommand): Names {
  const [name, alternative] = argument!.split('?');
  return { name: headerName(name!), alternative: alternative ? headerName(alternative) : null };
}

function readRequest(command: FormatCommand): Operator {
  const { name, alternative } = compileNames(command);
  const first = requestField(name);
  if (alternative === null) return ({ request }) => (request === null ? null : first(request));
  const second = requestField(alternative);
  return ({ request }) => (request === null ? null : (first(request) ?? second(request)));
}

function requestField(name: HeaderName): (head: RequestHead) => string | null {
  switch (name.text) {
    case ':method':
      return (head) => head.method || null;
    case ':path':
      return (head) => head.path || null;
    case ':authority':
    case 'host':
      return (head) => head.authority || null;
    case ':scheme':
      return (head) => head.scheme;
    default:
      return (head) => read(head.headers, name);
  }
}

function readResponse(command: FormatCommand): Operator {
  const { name, alternative } = compileNames(command);
  const first = responseField(name);
  if (alternative === null) return ({ response }) => (response === null ? null : first(response));
  const second = responseField(alternative);
  return ({ response }) => (response === null ? null : (first(response) ?? second(response)));
}

function readTrailers(command: FormatCommand): Operator {
  const { name, alternative } = compileNames(command);
  return ({ responseTrailers }) =>
    responseTrailers === null ? null : (read(responseTrailers, name) ?? orRead(responseTrailers, alternative));
}

function responseField(name: HeaderName): (head: ResponseHead) => string | null {
  if (name.text === ':status') return (head) => String(head.status);
  return (head) => read(head.headers, name);
}

// As in Envoy, the first of several fields, but all of a well-known name, which Envoy joins when it receives them.
function read(headers: HeaderTable, name: HeaderName): string | null {
  if (name.id !== HeaderId.other) return headers.get(name) ?? null;
  const row = headers.find(name);
  return row < 0 ? null : headers.value(row);
}

function orRead(headers: HeaderTable, name: HeaderName | null): string | null {
  return name === null ? null : read(headers, name);
}

// The status is in the trailers, or in the head of a response that has no body.
function grpcStatus({ responseTrailers, response }: FormatContext): number | null {
  const inTrailers = responseTrailers === null ? null : statusField(responseTrailers);
  return inTrailers ?? (response === null ? null : statusField(response.headers));
}

function statusField(headers: HeaderTable): number | null {
  const row = headers.findId(HeaderId.grpcStatus);
  if (row < 0) return null;
  const text = headers.value(row);
  const status = Number(text);
  return text !== '' && Number.isInteger(status) && status >= 0 ? status : null;
}
