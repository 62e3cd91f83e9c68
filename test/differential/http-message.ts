// Reads HTTP/1 messages as they came over a socket, for both ends of the proxies. Deliberately naive and independent of
// the proxy's parser: what it shows must not share that parser's mistakes. Bytes are latin1 strings.

export type Field = readonly [name: string, value: string];

export interface HttpMessage {
  readonly startLine: string;
  /** In the order and case received. */
  readonly headers: readonly Field[];
  readonly framing: 'none' | 'length' | 'chunked' | 'until-end';
  readonly body: string;
  readonly trailers: readonly Field[];
  /** False when the connection ended first. */
  readonly isComplete: boolean;
}

export interface ReadRules {
  /** What a message without a length has: a request no body, a response one until the end. */
  readonly kind: 'request' | 'response';
  /** No more bytes will come. */
  readonly isEnded: boolean;
  /** Method of the request that a response answers. */
  readonly method?: string;
}

export interface ReadResult {
  readonly message: HttpMessage;
  /** Where the next message begins. */
  readonly end: number;
}

/** Null while the head, or without `isEnded` the body, is not all there. */
export function readMessage(text: string, from: number, rules: ReadRules): ReadResult | null {
  const headEnd = text.indexOf('\r\n\r\n', from);
  if (headEnd < 0) return null;
  const [startLine = '', ...lines] = text.slice(from, headEnd).split('\r\n');
  const headers = lines.map(readField);
  const framing = framingOf(startLine, headers, rules);
  const body = readBody(text, headEnd + 4, framing, headers);
  const isComplete = body.isComplete || (framing === 'until-end' && rules.isEnded);
  if (!isComplete && !rules.isEnded) return null;
  const { content, trailers, end } = body;
  return { message: { startLine, headers, framing, body: content, trailers, isComplete }, end };
}

/** The first value of a header, or an empty string. `name` in lower case. */
export function headerValue(message: HttpMessage, name: string): string {
  return message.headers.find(([each]) => each.toLowerCase() === name)?.[1] ?? '';
}

function readField(line: string): Field {
  const colon = line.indexOf(':');
  return colon < 0 ? [line, ''] : [line.slice(0, colon), line.slice(colon + 1).trim()];
}

function framingOf(startLine: string, headers: readonly Field[], rules: ReadRules): HttpMessage['framing'] {
  if (rules.kind === 'response' && (rules.method === 'HEAD' || / (1\d\d|204|304)\b/.test(startLine))) return 'none';
  const names = new Set(headers.map(([name]) => name.toLowerCase()));
  if (names.has('transfer-encoding')) return 'chunked';
  if (names.has('content-length')) return 'length';
  return rules.kind === 'request' ? 'none' : 'until-end';
}

interface Body {
  readonly content: string;
  readonly trailers: readonly Field[];
  readonly end: number;
  readonly isComplete: boolean;
}

function readBody(text: string, start: number, framing: HttpMessage['framing'], headers: readonly Field[]): Body {
  switch (framing) {
    case 'none':
      return { content: '', trailers: [], end: start, isComplete: true };
    case 'until-end':
      return { content: text.slice(start), trailers: [], end: text.length, isComplete: false };
    case 'length': {
      const length = Number(headers.find(([name]) => name.toLowerCase() === 'content-length')![1]);
      const end = Math.min(text.length, start + length);
      return { content: text.slice(start, end), trailers: [], end, isComplete: end === start + length };
    }
    case 'chunked':
      return readChunks(text, start);
  }
}

function readChunks(text: string, start: number): Body {
  let content = '';
  let at = start;
  for (;;) {
    const lineEnd = text.indexOf('\r\n', at);
    if (lineEnd < 0) return { content, trailers: [], end: text.length, isComplete: false };
    const size = Number.parseInt(text.slice(at, lineEnd), 16);
    const dataStart = lineEnd + 2;
    if (size === 0) return readTrailers(text, dataStart, content);
    content += text.slice(dataStart, dataStart + size);
    at = dataStart + size + 2;
    if (!(at <= text.length)) return { content, trailers: [], end: text.length, isComplete: false };
  }
}

function readTrailers(text: string, start: number, content: string): Body {
  if (text.startsWith('\r\n', start)) return { content, trailers: [], end: start + 2, isComplete: true };
  const end = text.indexOf('\r\n\r\n', start);
  if (end < 0) return { content, trailers: [], end: text.length, isComplete: false };
  return { content, trailers: text.slice(start, end).split('\r\n').map(readField), end: end + 4, isComplete: true };
}
