// Inputs for codec properties: sound messages, messages with a few bytes changed, and noise made of the pieces that
// messages are made of. Arbitrary bytes alone would never get past the first line.

import fc from 'fast-check';

const noise = [
  ...['GET ', 'POST ', 'HEAD ', 'CONNECT ', 'OPTIONS ', 'get ', 'HTTP/1.1 200 OK\r\n', 'HTTP/1.1 ', '204 ', '101 '],
  ...['/', '/a?b', '*', 'http://b/x', 'a:80', '#', ' HTTP/1.1\r\n', ' HTTP/1.0\r\n', ' HTTP/2.0\r\n', 'HTTP/1.'],
  ...[
    'Host: a\r\n',
    'Host:\r\n',
    'host: b:80\r\n',
    'Host: a,b\r\n',
    'X: y\r\n',
    'X:y \r\n',
    'x-y:\t\xe4\r\n',
    ': v\r\n',
  ],
  ...['Content-Length: 3\r\n', 'content-length: 03\r\n', 'Content-Length: 0\r\n', 'Content-Length: 3, 3\r\n'],
  ...['Content_Length: 3\r\n', 'Transfer-Encoding: chunked\r\n', 'transfer-encoding: CHUNKED\r\n', 'a_b: c\r\n'],
  ...['Transfer-Encoding: gzip, chunked\r\n', 'Connection: close\r\n', 'Connection: x-y\r\n', 'TE: trailers\r\n'],
  ...['3\r\nabc\r\n', '03;x=y\r\nabc\r\n', '0\r\n', '1 \r\n', 'a\r\n', ';e', 'abc', 'abcabcabcabc', 'Trailer: t\r\n'],
  ...['\r\n', '\r\n\r\n', '\n', '\r', ' ', '\t', ':', ',', '\0', '\x7f', '\xff', '_', '[', '0', 'f'],
];

const piece = fc.constantFrom(...noise);
const token = fc.stringMatching(/^[A-Za-z0-9!#$%&'*+.^`|~-]{1,12}$/);
/** Latin1 text without white space at its ends. */
const value = fc.stringMatching(/^([!-~\x80-\xff]([ \t!-~\x80-\xff]{0,20}[!-~\x80-\xff])?)?$/);
const target = fc.stringMatching(/^\/[a-z0-9%._~?&=;:@/-]{0,30}$/);

/** Names that mean nothing to anybody on the way. */
export const plainFields = fc.array(
  fc.tuple(
    token.map((name) => `X-${name}`),
    value,
  ),
  { maxLength: 12 },
);

type Field = readonly [string, string];

export interface SoundMessage {
  readonly method: string;
  readonly target: string;
  readonly fields: readonly Field[];
  /** Null: no body and no framing. */
  readonly body: string | null;
  /** Sizes of its chunks; null: by length. */
  readonly chunks: readonly number[] | null;
  /** Where Host and the framing field stand among the fields, as shares. */
  readonly hostAt: number;
  readonly framingAt: number;
}

const place = fc.constantFrom(0, 0, 0.5, 1, 1);

export const soundMessage: fc.Arbitrary<SoundMessage> = fc.record({
  method: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'REPORT'),
  target,
  fields: plainFields,
  body: fc.option(fc.string({ unit: fc.constantFrom('a', '\r', '\n', '0', '\0', '\xff', 'GET / HTTP/1.1\r\n\r\n') })),
  chunks: fc.option(fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 6 })),
  hostAt: place,
  framingAt: place,
});

/** The bytes of a sound request; a body that is chunked has the chunks named, over and over. */
export function requestText(message: SoundMessage): string {
  const { method, target: path } = message;
  return `${method} ${path} HTTP/1.1\r\n${linesOf(requestFields(message))}\r\n${bodyText(message, message.body)}`;
}

export function responseText(message: SoundMessage): string {
  return `HTTP/1.1 200 OK\r\n${linesOf(responseFields(message))}\r\n${bodyText(message, message.body ?? '')}`;
}

/** All fields of the request, in their order. */
export function requestFields(message: SoundMessage): readonly Field[] {
  const fields = message.body === null ? message.fields : withFraming(message, message.body);
  return inserted(fields, message.hostAt, ['Host', 'a.b:80']);
}

/** A response always has a body, which may be empty. */
export function responseFields(message: SoundMessage): readonly Field[] {
  return withFraming(message, message.body ?? '');
}

function withFraming({ fields, chunks, framingAt }: SoundMessage, body: string): readonly Field[] {
  const length: Field = ['Content-Length', String(body.length)];
  return inserted(fields, framingAt, chunks === null ? length : ['Transfer-Encoding', 'chunked']);
}

function inserted(fields: readonly Field[], share: number, field: Field): readonly Field[] {
  return fields.toSpliced(Math.floor(share * fields.length), 0, field);
}

function linesOf(fields: readonly Field[]): string {
  return fields.map(([name, text]) => `${name}: ${text}\r\n`).join('');
}

function bodyText({ chunks }: SoundMessage, body: string | null): string {
  if (body === null || chunks === null) return body ?? '';
  let text = '';
  let turn = 0;
  for (let at = 0; at < body.length; ) {
    const data = body.slice(at, at + chunks[turn++ % chunks.length]!);
    text += `${data.length.toString(16)}\r\n${data}\r\n`;
    at += data.length;
  }
  return `${text}0\r\n\r\n`;
}

/** A place in a text, as a share of its length, and what to do there. */
const change = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  removed: fc.integer({ min: 0, max: 3 }),
  inserted: fc.oneof(fc.constant(''), piece, fc.string({ unit: 'binary-ascii', maxLength: 1 })),
});

function changed(text: string, changes: readonly { at: number; removed: number; inserted: string }[]): string {
  let result = text;
  for (const { at, removed, inserted } of changes) {
    const start = Math.floor(at * result.length);
    result = result.slice(0, start) + inserted + result.slice(start + removed);
  }
  return result;
}

/** Text that looks more or less like a stream of messages of `write`. */
export function messageLike(write: (message: SoundMessage) => string): fc.Arbitrary<string> {
  const sound = soundMessage.map(write);
  return fc.oneof(
    sound,
    fc.tuple(sound, fc.array(change, { minLength: 1, maxLength: 4 })).map(([text, changes]) => changed(text, changes)),
    fc.tuple(sound, sound).map((texts) => texts.join('')),
    fc.array(piece, { maxLength: 30 }).map((pieces) => pieces.join('')),
    fc.array(piece, { maxLength: 15 }).map((pieces) => `${write(plain).slice(0, -2)}${pieces.join('')}`),
    fc.array(piece, { maxLength: 6 }).map((pieces) => write(plain).replace('\r\n', () => `\r\n${pieces.join('')}`)),
  );
}

const plain: SoundMessage = {
  method: 'POST',
  target: '/',
  fields: [],
  body: null,
  chunks: null,
  hostAt: 0,
  framingAt: 1,
};

/** Where a text is cut; as shares, so that they fit any. */
export const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 6 });

export function cutAt(text: string, shares: readonly number[]): string[] {
  const offsets = [...shares.map((share) => Math.floor(share * text.length)), 0, text.length].sort((a, b) => a - b);
  return offsets.slice(1).map((end, index) => text.slice(offsets[index], end));
}
