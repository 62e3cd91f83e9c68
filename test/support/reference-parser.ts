// The obvious reader of HTTP/1.1 messages, for tests: the text line by line, each line against one regular expression,
// the rules of RFC 9112 §6.3 one after the other. It shares nothing with the codec but the RFC, so that the codec can be
// compared with it, and what a peer received can be read by somebody else than the proxy that sent it.

export interface ReferenceMessage {
  /** Method, target and version of a request; version, status and reason of a response. */
  readonly firstLine: readonly [string, string, string];
  /** Names as received, values without the white space around them. */
  readonly fields: readonly ReferenceField[];
  readonly body: string;
  readonly trailers: readonly ReferenceField[];
  /** Characters from the start of the text to the end of the message. */
  readonly length: number;
}

export type ReferenceField = readonly [name: string, value: string];

/** `incomplete`: every whole line so far is sound, and the message is not at its end. */
export type Reading = ReferenceMessage | 'incomplete' | 'refused';

export interface ResponseContext {
  /** The method of the request that is answered. */
  readonly requestMethod: string;
  /** Nothing follows the text: a body without framing is complete. */
  readonly isEnd: boolean;
}

/** `anyMethod` takes methods that are on no list, as `allow_custom_methods` does. */
export function readRequest(text: string, anyMethod = false): Reading {
  const start = /^(\r\n)*/.exec(text)![0].length;
  const head = readHead(text, start, requestLine);
  if (typeof head === 'string') return head;
  const [method, target] = head.firstLine;
  const host = valuesOf(head, 'host');
  const framing = framingOf(head);
  if (framing === 'refused' || host.length !== 1 || !isHostOrEmpty(host[0]!)) return 'refused';
  if (!(anyMethod || methods.has(method)) || !isTarget(method, target)) return 'refused';
  if (method === 'CONNECT' && framing !== 0) return 'refused';
  return withBody(text, head, framing);
}

export function readResponse(text: string, { requestMethod, isEnd }: ResponseContext): Reading {
  const head = readHead(text, 0, statusLine);
  if (typeof head === 'string') return head;
  const [version, code] = head.firstLine;
  const status = Number(code);
  if (requestMethod === 'CONNECT' && status >= 200 && status < 300) {
    const isTwice = ['content-length', 'transfer-encoding'].some((name) => valuesOf(head, name).length > 1);
    return isTwice ? 'refused' : withBody(text, head, 0);
  }
  const framing = framingOf(head);
  if (framing === 'refused' || (version === 'HTTP/1.0' && framing === 'chunked')) return 'refused';
  if (status < 200 || status === 204) return framing === 0 ? withBody(text, head, 0) : 'refused';
  if (requestMethod === 'HEAD' || status === 304) return withBody(text, head, 0);
  if (framing === 'chunked' || valuesOf(head, 'content-length').length > 0) return withBody(text, head, framing);
  return isEnd ? { ...head, body: text.slice(head.length), trailers: [], length: text.length } : 'incomplete';
}

/** All messages of a stream of requests, in order, and what is left when no further one is complete. */
export function readRequests(
  text: string,
  anyMethod = false,
): { readonly messages: readonly ReferenceMessage[]; readonly rest: string } {
  const messages: ReferenceMessage[] = [];
  let rest = text;
  for (;;) {
    const message = readRequest(rest, anyMethod);
    if (typeof message === 'string') return { messages, rest };
    messages.push(message);
    rest = rest.slice(message.length);
  }
}

/** All messages of a stream of responses to requests with these methods; heads of status 1xx are messages too. */
export function readResponses(
  text: string,
  requestMethods: readonly string[],
  isEnd = true,
): { readonly messages: readonly ReferenceMessage[]; readonly rest: string } {
  const messages: ReferenceMessage[] = [];
  let rest = text;
  for (const requestMethod of requestMethods) {
    for (;;) {
      const message = readResponse(rest, { requestMethod, isEnd });
      if (typeof message === 'string') return { messages, rest };
      messages.push(message);
      rest = rest.slice(message.length);
      if (Number(message.firstLine[1]) >= 200) break;
    }
  }
  return { messages, rest };
}

/** The values of a field, by its name in lower case. */
export function valuesOf(message: Pick<ReferenceMessage, 'fields'>, name: string): string[] {
  return message.fields.filter((field) => field[0].toLowerCase() === name).map((field) => field[1]);
}

const requestLine = /^([\w!#$%&'*+.^`|~-]+) ([\x21-\x7e]+) (HTTP\/1\.[1-9])\r\n$/;
const statusLine = /^(HTTP\/1\.\d) ([1-9]\d\d)(?: ([\t\x20-\x7e\x80-\xff]*))?\r\n$/;
const fieldLine = /^([\w!#$%&'*+.^`|~-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*\r\n$/;
const chunkLine = /^([0-9a-fA-F]{1,16})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?\r\n$/;
const framingName = /^(content[_-]length|transfer[_-]encoding)$/i;
const methods = new Set(
  `ACL BIND CHECKOUT CONNECT COPY DELETE GET HEAD LINK LOCK MERGE MKACTIVITY MKCALENDAR MKCOL M-SEARCH MOVE NOTIFY
  OPTIONS PATCH POST PROPFIND PROPPATCH PURGE PUT REBIND REPORT SEARCH SOURCE SUBSCRIBE TRACE UNBIND UNLINK UNLOCK
  UNSUBSCRIBE`.split(/\s+/),
);

interface ReferenceHead {
  readonly firstLine: readonly [string, string, string];
  readonly fields: readonly ReferenceField[];
  readonly length: number;
}

function readHead(text: string, start: number, firstLine: RegExp): ReferenceHead | 'incomplete' | 'refused' {
  const line = lineAt(text, start);
  if (line === '') return 'incomplete';
  const parts = firstLine.exec(line);
  if (parts === null) return 'refused';
  const block = readFields(text, start + line.length);
  if (typeof block === 'string') return block;
  return { firstLine: [parts[1]!, parts[2]!, parts[3] ?? ''], ...block };
}

function readFields(text: string, start: number): Pick<ReferenceHead, 'fields' | 'length'> | 'incomplete' | 'refused' {
  const fields: ReferenceField[] = [];
  let at = start;
  for (;;) {
    const line = lineAt(text, at);
    if (line === '') return 'incomplete';
    at += line.length;
    if (line === '\r\n') return { fields, length: at };
    const field = fieldLine.exec(line);
    if (field === null || (framingName.test(field[1]!) && field[1]!.includes('_'))) return 'refused';
    fields.push([field[1]!, field[2]!]);
  }
}

/** The line at `start` with its end; empty when its end is not there. */
function lineAt(text: string, start: number): string {
  return text.slice(start, text.indexOf('\n', start) + 1);
}

/** The number of bytes of the body (0 when nothing is said), or how else its end is found. */
function framingOf(head: ReferenceHead): number | 'chunked' | 'refused' {
  const lengths = valuesOf(head, 'content-length');
  const encodings = valuesOf(head, 'transfer-encoding');
  if (lengths.length + encodings.length > 1) return 'refused';
  if (encodings.length === 1) return encodings[0]!.toLowerCase() === 'chunked' ? 'chunked' : 'refused';
  if (lengths.length === 0) return 0;
  const isCountable = /^\d+$/.test(lengths[0]!) && Number.isSafeInteger(Number(lengths[0]));
  return isCountable ? Number(lengths[0]) : 'refused';
}

function withBody(text: string, head: ReferenceHead, framing: number | 'chunked'): Reading {
  if (framing === 'chunked') return withChunks(text, head);
  const end = head.length + framing;
  if (text.length < end) return 'incomplete';
  return { ...head, body: text.slice(head.length, end), trailers: [], length: end };
}

function withChunks(text: string, head: ReferenceHead): Reading {
  let body = '';
  let at = head.length;
  for (;;) {
    const line = lineAt(text, at);
    if (line === '') return 'incomplete';
    const chunk = chunkLine.exec(line);
    if (chunk === null) return 'refused';
    at += line.length;
    const size = Number.parseInt(chunk[1]!, 16);
    if (!Number.isSafeInteger(size)) return 'refused';
    if (size === 0) {
      const block = readFields(text, at);
      if (typeof block === 'string') return block;
      return { ...head, body, trailers: block.fields, length: block.length };
    }
    if (text.length < at + size + 2) return 'incomplete';
    if (text.slice(at + size, at + size + 2) !== '\r\n') return 'refused';
    body += text.slice(at, at + size);
    at += size + 2;
  }
}

function isTarget(method: string, target: string): boolean {
  if (method === 'CONNECT') return /:\d+$/.test(target) && isHost(target);
  if (target.includes('#')) return false;
  if (target.startsWith('/')) return true;
  if (target === '*') return method === 'OPTIONS';
  const absolute = /^https?:\/\/([^/?]*)/i.exec(target);
  return absolute !== null && isHost(absolute[1]!);
}

function isHostOrEmpty(host: string): boolean {
  return host === '' || isHost(host);
}

function isHost(host: string): boolean {
  const parts = /^(?:\[[\da-fA-F:.]{2,}\]|[\w.~%!$&'()*+;=-]+)(?::(\d*))?$/.exec(host);
  return parts !== null && Number(parts[1] ?? 0) <= 65_535;
}
