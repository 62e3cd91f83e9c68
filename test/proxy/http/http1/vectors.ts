// What goes in and what must come out, one row per requirement: the codec's tests run this table on bytes, and the
// end-to-end tests run it through sockets. Inputs and expectations are latin1 text, one character a byte.

export interface VectorOptions {
  readonly underscores?: 'allow' | 'reject-request' | 'drop-header';
  readonly allowAbsoluteUrl?: boolean;
  readonly allowCustomMethods?: boolean;
  readonly acceptHttp10?: boolean;
  readonly defaultHostForHttp10?: string;
  readonly rejectPathWithFragment?: boolean;
  /** The method a response answers. */
  readonly requestMethod?: string;
}

export type Expectation =
  | { readonly kind: 'refused'; readonly status: number; readonly details?: string }
  /** Everything given is sound so far, and the message is not complete. */
  | { readonly kind: 'incomplete' }
  | {
      readonly kind: 'accepted';
      /** The head as it is sent on, exactly; not checked when left out. */
      readonly forwarded?: string;
      readonly path?: string;
      readonly authority?: string;
      readonly scheme?: string;
      readonly upgrade?: string;
      readonly keepAlive?: boolean;
      readonly expectsContinue?: boolean;
      readonly status?: number;
      /** Empty when left out. */
      readonly body?: string;
      /** The trailers as they are sent on. */
      readonly trailers?: string;
      /** Bytes behind the message that must not be taken for a part of it. */
      readonly leftover?: string;
      readonly droppedHeaders?: number;
      readonly droppedTrailers?: number;
      /** The response ends with its connection. */
      readonly untilClose?: boolean;
    };

export interface Vector {
  /** Row of the requirements; with a letter where one row has several inputs. */
  readonly row: string;
  readonly name: string;
  readonly direction: 'request' | 'response';
  readonly input: string;
  readonly expect: Expectation;
  readonly options?: VectorOptions;
}

type Accepted = Omit<Extract<Expectation, { kind: 'accepted' }>, 'kind'>;

class VectorList {
  readonly all: Vector[] = [];

  refuses(row: string, name: string, input: string, status: number, details?: string, options: VectorOptions = {}) {
    const expect =
      details === undefined ? { kind: 'refused' as const, status } : { kind: 'refused' as const, status, details };
    this.all.push({ row, name, direction: directionOf(options), input, expect, options });
  }

  accepts(row: string, name: string, input: string, accepted: Accepted, options: VectorOptions = {}) {
    this.all.push({
      row,
      name,
      direction: directionOf(options),
      input,
      expect: { kind: 'accepted', ...accepted },
      options,
    });
  }

  waits(row: string, name: string, input: string, options: VectorOptions = {}) {
    this.all.push({
      row,
      name,
      direction: directionOf(options),
      input,
      expect: { kind: 'incomplete' },
      options,
    });
  }
}

/** A response is what says which method it answers. */
function directionOf(options: VectorOptions): 'request' | 'response' {
  return options.requestMethod === undefined ? 'request' : 'response';
}

const list = new VectorList();
export const vectors: readonly Vector[] = list.all;

const answer: VectorOptions = { requestMethod: 'GET' };
const http10: VectorOptions = { acceptHttp10: true };

/** A POST with these lines, each ended by CRLF here, and what follows the head. */
function post(lines: string, rest = ''): string {
  return `POST /x HTTP/1.1\r\nHost: a\r\n${lines}\r\n\r\n${rest}`;
}

function get(line: string): string {
  return `GET / HTTP/1.1\r\nHost: a\r\n${line}\r\n\r\n`;
}

function chunked(body: string): string {
  return post('Transfer-Encoding: chunked', body);
}

function ok(lines: string, rest = ''): string {
  return `HTTP/1.1 200 OK\r\n${lines}\r\n\r\n${rest}`;
}

// Framing headers.
const both = 'http1.content_length_and_chunked_not_allowed';
const invalidEncoding = 'http1.invalid_transfer_encoding';
for (const length of ['0', '1', '6', '100']) {
  list.refuses(
    '1',
    `Content-Length ${length} and chunked`,
    post(`Content-Length: ${length}\r\nTransfer-Encoding: chunked`, '0\r\n\r\n'),
    400,
    both,
  );
  list.refuses(
    '1',
    `chunked and Content-Length ${length}`,
    post(`Transfer-Encoding: chunked\r\nContent-Length: ${length}`, '0\r\n\r\n'),
    400,
    both,
  );
}
list.refuses(
  '2',
  'two Transfer-Encoding lines',
  post('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked', '0\r\n\r\n'),
  501,
  invalidEncoding,
);
for (const coding of [
  'identity',
  'gzip',
  'identity,chunked',
  'identity, chunked',
  'chunked, identity',
  'chunked, chunked',
]) {
  list.refuses(
    '3',
    `Transfer-Encoding ${coding}`,
    post(`Transfer-Encoding: ${coding}`, '0\r\n\r\n'),
    501,
    invalidEncoding,
  );
}
for (const coding of ['gzip, chunked', ',chunked', 'chunked,', 'chunked;a=b', '"chunked"', '']) {
  list.refuses(
    '4',
    `Transfer-Encoding "${coding}"`,
    post(`Transfer-Encoding: ${coding}`, '0\r\n\r\n'),
    501,
    invalidEncoding,
  );
}
for (const coding of ['xchunked', 'chunkedchunked', '\xa0chunked', 'chunked\xa0', 'chun ked', 'chunke']) {
  list.refuses(
    '5',
    `Transfer-Encoding ${JSON.stringify(coding)}`,
    post(`Transfer-Encoding: ${coding}`, '0\r\n\r\n'),
    501,
    invalidEncoding,
  );
}
list.refuses('5', 'Transfer-Encoding with a vertical tab', post('Transfer-Encoding: \x0bchunked', '0\r\n\r\n'), 400);
list.accepts('6', 'Transfer-Encoding Chunked', post('Transfer-Encoding: Chunked', '3\r\nabc\r\n0\r\n\r\n'), {
  forwarded: post('Transfer-Encoding: Chunked'),
  body: 'abc',
});
list.refuses('7', 'space before the colon', post('Transfer-Encoding : chunked', '0\r\n\r\n'), 400);
list.refuses('7', 'tab before the colon', post('Content-Length\t: 3', 'abc'), 400);
list.refuses('8', 'folded Transfer-Encoding', post('Transfer-Encoding:\r\n chunked', '0\r\n\r\n'), 400);
list.refuses(
  '9',
  'Transfer-Encoding in HTTP/1.0 by default',
  'POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  426,
  'low_version',
);
list.refuses(
  '9',
  'Transfer-Encoding in accepted HTTP/1.0',
  'POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  400,
  undefined,
  http10,
);
list.refuses('10', 'two equal Content-Length', post('Content-Length: 3\r\nContent-Length: 3', 'abc'), 400);
list.refuses('11', 'two different Content-Length', post('Content-Length: 3\r\ncontent-length: 4', 'abcd'), 400);
list.refuses('12', 'Content-Length 3, 3', post('Content-Length: 3, 3', 'abc'), 400);
list.refuses('13', 'empty Content-Length', post('Content-Length:'), 400);
list.refuses('13', 'blank Content-Length', post('Content-Length: \t '), 400);
for (const length of ['+3', '0x3', '3_', '-1', '1Z', '3.0', '3e0', '1 2', '\xb23', '"3"', '3;']) {
  list.refuses('14', `Content-Length ${JSON.stringify(length)}`, post(`Content-Length: ${length}`, 'abc'), 400);
}
for (const length of ['18446744073709551619', '9007199254740992', '99999999999999999999999999999999999999']) {
  list.refuses('15', `Content-Length ${length}`, post(`Content-Length: ${length}`, 'abc'), 400);
}
list.waits('15', 'the largest Content-Length that can be counted', post('Content-Length: 9007199254740991', 'abc'));
list.accepts('16', 'Content-Length 0003 is sent on as 3', post('Content-Length: 0003\r\nX: y', 'abc'), {
  forwarded: post('Content-Length: 3\r\nX: y'),
  body: 'abc',
});
list.accepts('16', 'Content-Length 000 is sent on as 0', post('Content-Length: 000'), {
  forwarded: post('Content-Length: 0'),
});
list.accepts('17', 'POST without framing has no body', post('X: y', 'GET / HTTP/1.1\r\n'), {
  forwarded: post('X: y'),
  leftover: 'GET / HTTP/1.1\r\n',
});
list.accepts('18', 'GET with a body', 'GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc', {
  forwarded: 'GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n',
  body: 'abc',
});
const rejected = 'http1.connection_header_rejected';
for (const nominated of [
  'content-length',
  'host',
  'Transfer-Encoding',
  'keep-alive, HOST',
  'x-forwarded-for',
  ':path',
]) {
  list.refuses(
    '19',
    `Connection nominates ${nominated}`,
    post(`Connection: ${nominated}\r\nContent-Length: 3`, 'abc'),
    400,
    rejected,
  );
}
const eleven = Array.from({ length: 11 }, (_, index) => `n${index}`);
list.refuses('19', 'Connection nominates eleven', get(`Connection: ${eleven.join(', ')}`), 400, rejected);
list.refuses(
  '19',
  'eleven nominations in two lines',
  get(`Connection: ${eleven.slice(0, 6).join(',')}\r\nConnection: ${eleven.slice(6).join(',')}`),
  400,
  rejected,
);
list.accepts(
  '19',
  'what Connection nominates is removed',
  get('X-A: 1\r\nConnection: close, x-a ,,\tX-B\r\nX-b: 2\r\nX-ab: 3'),
  {
    forwarded: get('X-ab: 3'),
    keepAlive: false,
  },
);

// Lines and characters.
list.refuses('20', 'bare LF as every line end', 'GET / HTTP/1.1\nHost: a\n\n', 400);
list.refuses('20', 'bare LF behind a field', 'GET / HTTP/1.1\r\nHost: a\n\r\n', 400);
list.refuses('20', 'bare LF as the empty line', 'GET / HTTP/1.1\r\nHost: a\r\n\n', 400);
list.refuses('20', 'bare LF before the request line', '\nGET / HTTP/1.1\r\nHost: a\r\n\r\n', 400);
list.refuses('21', 'bare CR in a value', get('X: a\rb'), 400);
list.refuses('21', 'two CR before LF', get('X: a\r'), 400);
list.refuses('21', 'bare CR in a name', get('X\ry: a'), 400);
list.refuses('21', 'CR and no LF as the empty line', 'GET / HTTP/1.1\r\nHost: a\r\n\rX', 400);
const nulHead = 'GET /ab HTTP/1.1\r\nHost: ab\r\nX-Y: z w\r\n\r\n';
for (let at = 0; at < nulHead.length; at++) {
  list.refuses('22', `NUL at offset ${at} of a head`, `${nulHead.slice(0, at)}\0${nulHead.slice(at)}`, 400);
}
const nulTrailers = 'X-T: a b\r\n\r\n';
for (let at = 0; at < nulTrailers.length; at++) {
  list.refuses(
    '22',
    `NUL at offset ${at} of trailers`,
    chunked(`0\r\n${nulTrailers.slice(0, at)}\0${nulTrailers.slice(at)}`),
    400,
  );
}
for (const byte of ['\x03', '\x12', '\x1f', '\x7f', '\x0b', '\x0c']) {
  list.refuses(
    '23',
    `control character ${JSON.stringify(byte)} in a value`,
    get(`X: a${byte}b`),
    400,
    'http1.invalid_characters',
  );
}
list.accepts('24', 'obs-text in a value is sent on byte for byte', get('X: \x80\xe4\xff'), {
  forwarded: get('X: \x80\xe4\xff'),
});
list.accepts('24', 'tabs and spaces around and in a value are sent on', get('X:\t a\t b \t'), {
  forwarded: get('X:\t a\t b \t'),
});
list.accepts('24', 'an empty value is sent on', get('X:\r\nY: '), { forwarded: get('X:\r\nY: ') });
list.refuses('25', 'obs-text in a name', get('f\xf6\xf6: a'), 400);
list.refuses('25', 'obs-text in a trailer name', chunked('0\r\nf\xf6: a\r\n\r\n'), 400);
list.refuses('26', 'obsolete line folding with a space', get('X: foo\r\n bar'), 400);
list.refuses('26', 'obsolete line folding with a tab', get('X: foo\r\n\tbar: baz'), 400);
list.refuses('27', 'first field begins with a space', 'GET / HTTP/1.1\r\n Host: a\r\n\r\n', 400);
list.refuses('27', 'first field begins with a tab', 'GET / HTTP/1.1\r\n\tX: y\r\nHost: a\r\n\r\n', 400);
list.refuses('28', 'empty field name', get(': v'), 400);
list.refuses('29', 'field without a colon', get('foo'), 400);
for (const byte of ['[', '(', '"', ' ', '/', '@', '{', ',', ';', '=', '\\']) {
  list.refuses('29', `${byte} in a name`, get(`a${byte}b: c`), 400);
}
list.accepts('29', 'every token character in a name', get("!#$%&'*+-.^`|~019azAZ: c"), {
  forwarded: get("!#$%&'*+-.^`|~019azAZ: c"),
});
list.accepts('30', 'underscore in a name by default', get('a_b: c'), { forwarded: get('a_b: c') });
list.accepts(
  '30',
  'underscore in a name when dropped',
  get('a_b: c\r\nd: e\r\n_: f'),
  { forwarded: get('d: e'), droppedHeaders: 2 },
  { underscores: 'drop-header' },
);
list.refuses('30', 'underscore in a name when refused', get('a_b: c'), 400, 'http1.unexpected_underscore', {
  underscores: 'reject-request',
});
for (const name of ['Content_Length', 'content_length', 'transfer_encoding', 'Transfer_Encoding']) {
  for (const underscores of ['allow', 'drop-header', 'reject-request'] as const) {
    list.refuses(
      '30b',
      `${name} with underscores: ${underscores}`,
      get(`${name}: 0`),
      400,
      'http1.unexpected_underscore',
      { underscores },
    );
  }
}

// Sizes. The limit is on the whole head, with request line and empty line.
const headLimit = 60 * 1024;
function headOf(bytes: number): string {
  const frame = get('X: ');
  return get(`X: ${'v'.repeat(bytes - frame.length)}`);
}
list.accepts('31', 'head of exactly 60 KiB', headOf(headLimit), { forwarded: headOf(headLimit) });
list.refuses('31', 'head of 60 KiB and a byte', headOf(headLimit + 1), 431, 'http1.headers_too_large');
list.refuses('31', 'head of 200 KiB', headOf(200 * 1024), 431, 'http1.headers_too_large');
list.refuses(
  '31',
  'request target of 60 KiB',
  `GET /${'p'.repeat(headLimit)} HTTP/1.1\r\nHost: a\r\n\r\n`,
  431,
  'http1.headers_too_large',
);
list.refuses('31', 'empty lines without end', '\r\n'.repeat(headLimit), 431, 'http1.headers_too_large');
const fields = (count: number) => Array.from({ length: count }, (_, index) => `h${index}: v`).join('\r\n');
list.accepts('32', '100 fields', get(fields(99)), { forwarded: get(fields(99)) });
list.refuses('32', '101 fields', get(fields(100)), 431, 'http1.too_many_headers');
list.refuses('33', 'trailers above 60 KiB', chunked(`0\r\nX: ${'v'.repeat(headLimit)}\r\n\r\n`), 431);
list.accepts('33', '100 trailers', chunked(`0\r\n${fields(100)}\r\n\r\n`), { trailers: `${fields(100)}\r\n` });
list.refuses('33', '101 trailers', chunked(`0\r\n${fields(101)}\r\n\r\n`), 431);
list.accepts('34', 'a field named __proto__', get('__proto__: x'), { forwarded: get('__proto__: x') });

// Request line and Host.
list.refuses('35', 'no Host', 'GET / HTTP/1.1\r\nX: y\r\n\r\n', 400, 'missing_host_header');
list.refuses('35', 'no Host and no field', 'GET / HTTP/1.1\r\n\r\n', 400, 'missing_host_header');
list.refuses('35', 'no Host, absolute form', 'GET http://a/ HTTP/1.1\r\n\r\n', 400, 'missing_host_header');
list.refuses('36', 'two equal Host lines', 'GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n', 400);
list.refuses('36', 'two different Host lines', 'GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n', 400);
for (const host of [
  'a,b',
  'a, b',
  'a b',
  'a/b',
  'u@a',
  'a:b',
  'a:80:80',
  'a:65536',
  ':80',
  '[::1',
  '[::1]x',
  '[::g]',
  '[]',
  'a\\b',
  'a?b',
  'a#b',
  'h\xf6',
  '<a>',
]) {
  list.refuses(
    '37',
    `Host ${JSON.stringify(host)}`,
    `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
    400,
    'http.invalid_authority',
  );
}
for (const host of [
  'a',
  'a.b.c.',
  'A-b_c',
  '127.0.0.1',
  '127.0.0.1:8080',
  '[::1]',
  '[::ffff:1.2.3.4]:443',
  'a:',
  'a:65535',
  'a%20b',
  '',
]) {
  list.accepts('37', `Host ${JSON.stringify(host)}`, `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`, { authority: host });
}
list.refuses('38', 'Host h."com"', 'GET / HTTP/1.1\r\nHost: h."com"\r\n\r\n', 400, 'http.invalid_authority');
list.accepts('39', 'absolute form: the host is the target’s', 'GET http://b/x?y HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n', {
  forwarded: 'GET /x?y HTTP/1.1\r\nHost: b\r\nX: y\r\n\r\n',
  authority: 'b',
  path: '/x?y',
  scheme: 'http',
});
list.accepts('39', 'absolute form with https', 'GET HTTPS://b:8443 HTTP/1.1\r\nHost: b:8443\r\n\r\n', {
  authority: 'b:8443',
  path: '/',
  scheme: 'https',
});
list.accepts('39', 'absolute form with a query only', 'GET http://b?q HTTP/1.1\r\nHost: b\r\n\r\n', { path: '/?q' });
list.accepts('39', 'absolute form of OPTIONS without a path', 'OPTIONS http://b HTTP/1.1\r\nHost: b\r\n\r\n', {
  path: '*',
});
list.refuses(
  '39',
  'absolute form when it is not allowed',
  'GET http://b/x HTTP/1.1\r\nHost: a\r\n\r\n',
  404,
  undefined,
  { allowAbsoluteUrl: false },
);
list.refuses(
  '40',
  'port above 65535 in the target',
  'GET http://foobar.com:1000000 HTTP/1.1\r\nHost: a\r\n\r\n',
  400,
  'http1.invalid_url',
);
list.refuses('41', 'GET *', 'GET * HTTP/1.1\r\nHost: a\r\n\r\n', 400, 'http1.invalid_url');
list.accepts('41', 'OPTIONS *', 'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n', {
  path: '*',
  forwarded: 'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n',
});
const invalidTargets = [
  'foo',
  '?q',
  'http:/x',
  'http:x',
  'http://',
  'http:///x',
  'http://:80/',
  'http://a@@',
  'http://u@a/',
  'http://a,b/',
  'http://a:x/',
  'http://[::1/',
  'https:///',
  'ftp://a/',
  'a:80',
  '**',
  '*x',
];
for (const target of invalidTargets) {
  list.refuses('42', `target "${target}"`, `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`, 400, 'http1.invalid_url');
}
for (const target of [
  '/',
  '//',
  '//a/b',
  '/a:b@c',
  '/?',
  '/?a=b?c',
  '/%20',
  '/%zz',
  '/a;b=c',
  '/!$&\'()*+,=~[]|^`{}"<>\\',
  '/http://a/b',
  '/..',
  '/.',
]) {
  list.accepts('42', `target "${target}"`, `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`, { path: target });
}
list.refuses('43', 'fragment in the target', 'GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n', 400, 'path_normalization_failed');
list.accepts(
  '43',
  'fragment cut off',
  'GET /a?c#b?d HTTP/1.1\r\nHost: a\r\n\r\n',
  { path: '/a?c', forwarded: 'GET /a?c HTTP/1.1\r\nHost: a\r\n\r\n' },
  { rejectPathWithFragment: false },
);
list.accepts(
  '43',
  'fragment cut off in absolute form',
  'GET http://b/a#b HTTP/1.1\r\nHost: a\r\n\r\n',
  { path: '/a', authority: 'b' },
  { rejectPathWithFragment: false },
);
list.refuses('44', 'raw UTF-8 in the target', 'GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n', 400);
list.refuses('44', 'control character in the target', 'GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n', 400);
for (const line of [
  'GET  / HTTP/1.1',
  'GET /  HTTP/1.1',
  'GET\t/ HTTP/1.1',
  'GET /\tHTTP/1.1',
  ' GET / HTTP/1.1',
  'GET / HTTP/1.1 ',
  'GET /',
  'GET',
  'GET / ',
  'GET /a b HTTP/1.1',
]) {
  list.refuses('46', `request line ${JSON.stringify(line)}`, `${line}\r\nHost: a\r\n\r\n`, 400);
}
for (const version of ['HTTP/9.9', 'HTTP/2.0', 'HTTP/0.9', 'HTTP/3.1']) {
  list.refuses('47', `version ${version}`, `GET / ${version}\r\nHost: a\r\n\r\n`, 505);
}
for (const version of [
  'HTTP/1.01',
  'HTTPS/1.1',
  'HHTTP/1.1',
  'HTTP/A.0',
  'HTTP/1.',
  'HTTP/11',
  'http/1.1',
  'HTTP/1,1',
  'HTTP/1.1x',
  'HTTP/10.1',
]) {
  list.refuses('47', `version ${version}`, `GET / ${version}\r\nHost: a\r\n\r\n`, 400);
}
list.accepts('47', 'a later minor version is sent on as HTTP/1.1', 'GET / HTTP/1.2\r\nHost: a\r\n\r\n', {
  forwarded: 'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
});
list.refuses('48', 'HTTP/1.0 by default', 'GET / HTTP/1.0\r\nHost: a\r\n\r\n', 426, 'low_version');
list.accepts(
  '48',
  'HTTP/1.0 when accepted',
  'GET / HTTP/1.0\r\nHost: a\r\n\r\n',
  { forwarded: 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', keepAlive: false },
  http10,
);
list.accepts(
  '48',
  'HTTP/1.0 with keep-alive',
  'GET / HTTP/1.0\r\nHost: a\r\nConnection: Keep-Alive\r\n\r\n',
  { keepAlive: true },
  http10,
);
list.refuses('48', 'HTTP/1.0 without Host', 'GET / HTTP/1.0\r\n\r\n', 400, 'missing_host_header', http10);
list.accepts(
  '48',
  'HTTP/1.0 with a default host',
  'GET / HTTP/1.0\r\nX: y\r\n\r\n',
  { authority: 'd', forwarded: 'GET / HTTP/1.1\r\nX: y\r\nHost: d\r\n\r\n' },
  { acceptHttp10: true, defaultHostForHttp10: 'd' },
);
list.accepts('49', 'one empty line before the request line', '\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n', {
  forwarded: 'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
});
list.accepts('49', 'three empty lines before the request line', '\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n', {
  forwarded: 'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
});
list.refuses('49', 'CR without LF before the request line', '\rGET / HTTP/1.1\r\nHost: a\r\n\r\n', 400);
for (const method of ['BAD', 'FOO', 'get', 'GETT', 'GE', 'M-SEARCHX', 'X'.repeat(40)]) {
  list.refuses('50', `method ${method}`, `${method} / HTTP/1.1\r\nHost: a\r\n\r\n`, 400);
}
list.refuses('50', 'method with a character that no token has', 'G@T / HTTP/1.1\r\nHost: a\r\n\r\n', 400, undefined, {
  allowCustomMethods: true,
});
list.refuses('50', 'no method', ' / HTTP/1.1\r\nHost: a\r\n\r\n', 400);
list.refuses('50', 'a TLS handshake', '\x16\x03\x01\x02\x00\x01\x00', 400);
list.accepts(
  '50',
  'a custom method when allowed',
  'fOO-1 / HTTP/1.1\r\nHost: a\r\n\r\n',
  { forwarded: 'fOO-1 / HTTP/1.1\r\nHost: a\r\n\r\n' },
  { allowCustomMethods: true },
);

// Chunked coding and trailers.
for (const size of [
  '0x1',
  '+1',
  '1_',
  ' 1',
  '',
  'g',
  '-1',
  '1.',
  '10000000000000000',
  '20000000000000',
  'ffffffffffffffff',
  '00000000000000001',
]) {
  list.refuses('51', `chunk size "${size}"`, chunked(`${size}\r\na\r\n0\r\n\r\n`), 400);
}
list.accepts(
  '51',
  'chunk sizes in either case and with zeros',
  chunked('00A\r\n0123456789\r\na\r\n0123456789\r\n000\r\n\r\n'),
  { body: '01234567890123456789' },
);
list.refuses('52', 'space behind the chunk size', chunked('1 \r\na\r\n0\r\n\r\n'), 400);
list.refuses('52', 'tab behind the chunk size', chunked('1\t\r\na\r\n0\r\n\r\n'), 400);
list.accepts('52', 'white space before a chunk extension', chunked('1 \t;a\r\nb\r\n0\r\n\r\n'), { body: 'b' });
list.refuses('53', 'lone CR in a chunk extension', chunked('1;a\rb\r\nx\r\n0\r\n\r\n'), 400);
list.refuses('54', 'lone LF in a chunk extension', chunked('1;a\nZ\r\n0\r\n\r\n'), 400);
list.refuses('54', 'NUL in a chunk extension', chunked('1;a\0\r\nZ\r\n0\r\n\r\n'), 400);
list.refuses('55', 'stray bytes behind a chunk', chunked('1\r\nZZZ0\r\n\r\n'), 400);
list.refuses('55', 'one stray byte behind a chunk', chunked('1\r\nZ \r\n0\r\n\r\n'), 400);
list.refuses('56', 'bare LF behind the chunk size', chunked('1\na\r\n0\r\n\r\n'), 400);
list.refuses('56', 'bare LF behind chunk data', chunked('1\r\na\n0\r\n\r\n'), 400);
list.refuses('56', 'bare LF behind the last chunk', chunked('1\r\na\r\n0\n\r\n'), 400);
list.refuses('56', 'bare LF as the last line', chunked('1\r\na\r\n0\r\n\n'), 400);
list.refuses('56', 'CR and no LF as the last line', chunked('1\r\na\r\n0\r\n\rx'), 400);
list.accepts('57', 'chunk extensions are dropped', chunked('1;a=b;c="d e"\r\nx\r\n0;last\r\n\r\n'), { body: 'x' });
list.accepts(
  '57',
  'extensions of 16 KiB together',
  chunked(`1;${'e'.repeat(8192)}\r\nx\r\n0;${'e'.repeat(8192)}\r\n\r\n`),
  { body: 'x' },
);
list.refuses(
  '57',
  'extensions above 16 KiB together',
  chunked(`1;${'e'.repeat(8192)}\r\nx\r\n0;${'e'.repeat(8193)}\r\n\r\n`),
  400,
);
list.accepts('58', 'trailers are kept apart from the header', chunked('1\r\na\r\n0\r\nX-T: 1\r\ny-t:2\r\n\r\n'), {
  forwarded: post('Transfer-Encoding: chunked'),
  body: 'a',
  trailers: 'X-T: 1\r\ny-t:2\r\n',
});
list.refuses('59', 'trailer without a colon', chunked('0\r\nfoo\r\n\r\n'), 400);
list.refuses('59', 'trailer with a bad name', chunked('0\r\nf o: a\r\n\r\n'), 400);
list.refuses('59', 'folded trailer', chunked('0\r\nfoo: a\r\n b\r\n\r\n'), 400);
list.refuses('59', 'trailer ended by bare LF', chunked('0\r\nfoo: a\n\r\n'), 400);
for (const name of [
  'Content-Length',
  'Transfer-Encoding',
  'Host',
  'Authorization',
  'Connection',
  'set-cookie',
  'TE',
  'Trailer',
]) {
  list.accepts('60', `forbidden trailer ${name}`, chunked(`0\r\nx: y\r\n${name}: 5\r\nz: 1\r\n\r\n`), {
    trailers: 'x: y\r\nz: 1\r\n',
    droppedTrailers: 1,
  });
}
list.waits('61', 'end inside the head', 'GET / HTTP/1.1\r\nHost: a\r\nX');
list.waits('61', 'end before the empty line’s LF', 'GET / HTTP/1.1\r\nHost: a\r\n\r');
list.waits('61', 'end inside a body with a length', post('Content-Length: 3', 'ab'));
list.waits('61', 'end inside a chunk', chunked('5\r\nab'));
list.waits('61', 'end before the last chunk', chunked('2\r\nab\r\n'));
list.waits('61', 'end inside the trailers', chunked('0\r\nX: y\r\n'));
const next = 'GET /second HTTP/1.1\r\nHost: a\r\n\r\n';
list.accepts('62', 'a pipelined request behind a head', get('X: y') + next, { leftover: next });
list.accepts('62', 'a pipelined request behind a body', post('Content-Length: 3', `abc${next}`), {
  body: 'abc',
  leftover: next,
});
list.accepts('62', 'a pipelined request behind a chunked body', chunked(`3\r\nabc\r\n0\r\n\r\n${next}`), {
  body: 'abc',
  leftover: next,
});
list.accepts('62', 'a pipelined request behind trailers', chunked(`0\r\nX: y\r\n\r\n${next}`), {
  trailers: 'X: y\r\n',
  leftover: next,
});

// Upgrade, CONNECT, Expect.
for (const lines of [
  'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk',
  'Connection: HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk',
  'Connection: Upgrade\r\nUpgrade: H2C\r\nHTTP2-Settings: AAMAAABk',
]) {
  list.accepts('64', `an offer of h2c is taken out: ${JSON.stringify(lines)}`, get(`${lines}\r\nX: y`), {
    upgrade: '',
    forwarded: get('X: y'),
  });
}
list.accepts(
  '65',
  'an upgrade is named in lower case',
  get('Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket/13, foo'),
  { upgrade: 'websocket/13' },
);
list.accepts('65', 'the first of two upgrades is offered', get('Upgrade: foo\r\nUpgrade: bar\r\nConnection: Upgrade'), {
  upgrade: 'foo',
});
list.accepts('65', 'an upgrade that Connection does not nominate is none', get('Upgrade: foo'), {
  upgrade: '',
  forwarded: 'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
});
list.accepts(
  '65',
  'an upgrade in HTTP/1.0 is none',
  'GET / HTTP/1.0\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: foo\r\n\r\n',
  { upgrade: '' },
  http10,
);
list.accepts(
  '66',
  'an upgrade with a body keeps its framing',
  post('Connection: Upgrade\r\nUpgrade: foo\r\nContent-Length: 3', `abc${next}`),
  { upgrade: 'foo', body: 'abc', leftover: next },
);
function connect(target: string, lines = 'Host: a:443'): string {
  return `CONNECT ${target} HTTP/1.1\r\n${lines}\r\n\r\n`;
}
list.refuses(
  '68',
  'CONNECT with Transfer-Encoding',
  connect('a:443', 'Host: a:443\r\nTransfer-Encoding: chunked'),
  501,
  'http1.transfer_encoding_not_allowed',
);
list.refuses(
  '68',
  'CONNECT with a body',
  connect('a:443', 'Host: a:443\r\nContent-Length: 1'),
  400,
  'http1.body_disallowed',
);
list.accepts('68', 'CONNECT with an empty body', connect('a:443', 'Host: a:443\r\nContent-Length: 0'), {
  authority: 'a:443',
  path: '',
  forwarded: connect('a:443'),
});
list.accepts('68', 'CONNECT’s host is its target', connect('b:443'), {
  authority: 'b:443',
  forwarded: connect('b:443', 'Host: b:443'),
});
list.accepts('68', 'bytes behind CONNECT are not its body', `${connect('a:443')}early`, { leftover: 'early' });
for (const target of ['http://a/', 'http://a:80', '/', 'a', 'a:', '*', ':443', 'u@a:443', 'a:99999']) {
  list.refuses('68', `CONNECT ${target}`, connect(target), 400, 'http1.invalid_url');
}
list.accepts('69', 'Expect: 100-continue', post('Expect: 100-Continue\r\nContent-Length: 3', 'abc'), {
  expectsContinue: true,
  body: 'abc',
  forwarded: post('Expect: 100-Continue\r\nContent-Length: 3'),
});
list.accepts(
  '69',
  'Expect: 100-continue in HTTP/1.0 is ignored',
  'POST / HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n',
  { expectsContinue: false },
  http10,
);
list.accepts('70', 'another expectation', post('Expect: y'), { expectsContinue: false, forwarded: post('Expect: y') });
list.accepts('70', 'TE goes on with trailers only', get('TE: gzip, Trailers'), { forwarded: get('TE: trailers') });
list.accepts(
  '70',
  'TE without trailers is removed',
  get('TE: gzip\r\nKeep-Alive: timeout=3\r\nProxy-Connection: keep-alive\r\nX: y'),
  { forwarded: get('X: y') },
);

// Responses.
list.accepts('72', 'bytes behind a body', ok('Content-Length: 3', 'abcX'), { body: 'abc', leftover: 'X' }, answer);
list.accepts(
  '72',
  'body behind 304',
  'HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\nabc',
  { leftover: 'abc', forwarded: 'HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n' },
  answer,
);
list.accepts(
  '72',
  'body behind the answer to HEAD',
  ok('Content-Length: 3', 'abc'),
  { leftover: 'abc' },
  { requestMethod: 'HEAD' },
);
list.refuses(
  '73',
  '204 with a body',
  'HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\nabc',
  502,
  'http1.content_length_not_allowed',
  answer,
);
list.refuses(
  '73',
  '204 with Transfer-Encoding',
  'HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n',
  502,
  'http1.transfer_encoding_not_allowed',
  answer,
);
list.refuses(
  '73',
  '101 with Transfer-Encoding',
  'HTTP/1.1 101 Switching Protocols\r\nTransfer-Encoding: chunked\r\n\r\n',
  502,
  'http1.transfer_encoding_not_allowed',
  answer,
);
list.accepts(
  '73',
  '204 with Content-Length 0',
  'HTTP/1.1 204 No Content\r\nContent-Length: 0\r\nX: y\r\n\r\n',
  { forwarded: 'HTTP/1.1 204 No Content\r\nX: y\r\n\r\n' },
  answer,
);
for (const length of ['0', '1', '100']) {
  list.refuses(
    '74',
    `Content-Length ${length} and chunked in a response`,
    ok(`Content-Length: ${length}\r\nTransfer-Encoding: chunked`, '0\r\n\r\n'),
    502,
    both,
    answer,
  );
  list.refuses(
    '74',
    `chunked and Content-Length ${length} in a response`,
    ok(`Transfer-Encoding: chunked\r\nContent-Length: ${length}`, '0\r\n\r\n'),
    502,
    both,
    answer,
  );
}
list.refuses(
  '74',
  'two Transfer-Encoding lines in a response',
  ok('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked', '0\r\n\r\n'),
  502,
  invalidEncoding,
  answer,
);
list.refuses(
  '74',
  'Transfer-Encoding gzip in a response',
  ok('Transfer-Encoding: gzip', 'x'),
  502,
  invalidEncoding,
  answer,
);
list.refuses(
  '74',
  'Transfer-Encoding in an HTTP/1.0 response',
  'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  502,
  undefined,
  answer,
);
list.refuses(
  '75',
  'two equal Content-Length in a response',
  ok('Content-Length: 3\r\nContent-Length: 3', 'abc'),
  502,
  undefined,
  answer,
);
list.refuses('75', 'Content-Length 3, 3 in a response', ok('Content-Length: 3, 3', 'abc'), 502, undefined, answer);
list.refuses('75', 'a bad Content-Length in the answer to HEAD', ok('Content-Length: x'), 502, undefined, {
  requestMethod: 'HEAD',
});
for (const line of ['100 Continue', '102 Processing', '103 Early Hints', '199 Odd']) {
  const head = `HTTP/1.1 ${line}\r\nX: y\r\n\r\n`;
  list.accepts(
    '76',
    `${line} is a head of its own`,
    head + ok('Content-Length: 0'),
    { status: Number(line.slice(0, 3)), forwarded: head, leftover: ok('Content-Length: 0') },
    answer,
  );
}
list.accepts(
  '77',
  'a body without framing ends with its connection',
  ok('X: y', 'abc'),
  { body: 'abc', untilClose: true, keepAlive: false },
  answer,
);
list.waits('78', 'end inside a chunked response', ok('Transfer-Encoding: chunked', '5\r\nab'), answer);
list.waits('78', 'end inside a response with a length', ok('Content-Length: 5', 'ab'), answer);
list.refuses('79', 'NUL in a response value', ok('X: a\0b'), 502, undefined, answer);
list.refuses('79', 'control character in a response value', ok('X: a\x01b'), 502, undefined, answer);
list.refuses('79', 'bad name in a response', ok('X Y: ab'), 502, undefined, answer);
list.refuses(
  '79',
  'control character in the reason phrase',
  'HTTP/1.1 200 O\x01K\r\nContent-Length: 0\r\n\r\n',
  502,
  undefined,
  answer,
);
for (const line of [
  'HTTP/1.01 200 OK',
  'XTTP/1.1 200 OK',
  'HTTP/2.0 200 OK',
  'HTTP/1.1  200 OK',
  'HTTP/1.1 20 OK',
  'HTTP/1.1 2000 OK',
  'HTTP/1.1 2x0 OK',
  'HTTP/1.1 099 OK',
  'http/1.1 200 OK',
  ' HTTP/1.1 200 OK',
  'HTTP/1.1\t200 OK',
  'ICY 200 OK',
  'HTTP/1.1 -20 OK',
]) {
  list.refuses(
    '79',
    `status line ${JSON.stringify(line)}`,
    `${line}\r\nContent-Length: 0\r\n\r\n`,
    502,
    undefined,
    answer,
  );
}
list.refuses('79', 'bare LF in a response', 'HTTP/1.1 200 OK\nContent-Length: 0\n\n', 502, undefined, answer);
list.refuses(
  '79',
  'an empty line before a response',
  '\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
  502,
  undefined,
  answer,
);
list.accepts(
  '79',
  'a status line without a reason',
  'HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n',
  { forwarded: ok('Content-Length: 0') },
  answer,
);
list.accepts(
  '79',
  'a status line without a reason and its space',
  'HTTP/1.1 299\r\nContent-Length: 0\r\n\r\n',
  { status: 299 },
  answer,
);
list.accepts(
  '79',
  'the reason phrase is sent on as received',
  'HTTP/1.1 200 Fein gemacht\xe4\r\nContent-Length: 0\r\n\r\n',
  { forwarded: 'HTTP/1.1 200 Fein gemacht\xe4\r\nContent-Length: 0\r\n\r\n' },
  answer,
);
const largeResponse = (bytes: number) =>
  ok(`Content-Length: 0\r\nX: ${'v'.repeat(bytes - ok('Content-Length: 0\r\nX: ').length)}`);
list.accepts(
  '80',
  'response head at the limit',
  largeResponse(headLimit),
  { forwarded: largeResponse(headLimit) },
  answer,
);
list.refuses(
  '80',
  'response head above the limit',
  largeResponse(headLimit + 1),
  502,
  'http1.headers_too_large',
  answer,
);
list.refuses('80', '101 fields in a response', ok(fields(101)), 502, 'http1.too_many_headers', answer);
list.refuses('81', 'obsolete line folding in a response', ok('X: foo\r\n bar'), 502, undefined, answer);
list.accepts(
  '83',
  'the answer to HEAD keeps its Content-Length',
  ok('Content-Length: 5'),
  { forwarded: ok('Content-Length: 5') },
  { requestMethod: 'HEAD' },
);
list.accepts(
  '83',
  'the answer to HEAD keeps its Transfer-Encoding',
  ok('Transfer-Encoding: chunked'),
  { forwarded: ok('Transfer-Encoding: chunked') },
  { requestMethod: 'HEAD' },
);
list.accepts(
  '83',
  '304 without Content-Length gets none',
  'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\n\r\n',
  { forwarded: 'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\n\r\n' },
  answer,
);
list.accepts(
  '83',
  '204 gets nothing',
  'HTTP/1.1 204 No Content\r\nX: y\r\n\r\n',
  { forwarded: 'HTTP/1.1 204 No Content\r\nX: y\r\n\r\n' },
  answer,
);
list.accepts(
  '83',
  '2xx to CONNECT has no framing, chunked first',
  ok('Transfer-Encoding: chunked\r\nContent-Length: 5\r\nX: y', 'tunnel'),
  { forwarded: ok('X: y'), leftover: 'tunnel' },
  { requestMethod: 'CONNECT' },
);
list.accepts(
  '83',
  '2xx to CONNECT has no framing',
  ok('Content-Length: 5\r\nTransfer-Encoding: chunked\r\nX: y', 'tunnel'),
  { forwarded: ok('X: y'), leftover: 'tunnel' },
  { requestMethod: 'CONNECT' },
);
list.accepts(
  '83',
  'hop-by-hop fields of a response are removed',
  ok('Connection: close, x-hop\r\nKeep-Alive: timeout=5\r\nX-Hop: 1\r\nContent-Length: 1\r\nX: y', 'a'),
  { forwarded: ok('Content-Length: 1\r\nX: y'), body: 'a', keepAlive: false },
  answer,
);

// Above Host is always the first line, and what decides about framing never is. So each of these rows again, with Host
// behind all other fields: whoever takes the first row of a table for none would miss the framing of such a request.
const framingRows = new Set([...Array.from({ length: 19 }, (_, index) => String(index + 1)), '64', '65', '66', '68']);
const headWithHostFirst = /^([^\r\n]+\r\n)(Host: [^\r\n]*\r\n)(.+?\r\n)(\r\n.*)$/s;

function withHostLast(text: string): string {
  return text.replace(headWithHostFirst, '$1$3$2$4');
}

for (const vector of [...vectors]) {
  const input = withHostLast(vector.input);
  if (vector.direction !== 'request' || !framingRows.has(vector.row) || input === vector.input) continue;
  const { expect } = vector;
  const isForwarded = expect.kind === 'accepted' && expect.forwarded !== undefined;
  list.all.push({
    ...vector,
    name: `${vector.name}, Host last`,
    input,
    expect: isForwarded ? { ...expect, forwarded: withHostLast(expect.forwarded) } : expect,
  });
}
