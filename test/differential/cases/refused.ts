// Requests that must not get through: the rows of the HTTP/1.1 table as bytes, and limits.

import { allTo, bootstrap, cluster, httpListener, preserveCase } from '../bootstrap.ts';
import { type Case, get, requestOf, type Suite } from '../suite.ts';

const head = (...lines: string[]): string => `${lines.join('\r\n')}\r\n\r\n`;
const end = '0\r\n\r\n';
const withLength = (line: string): string => `${head('POST / HTTP/1.1', 'Host: a.example', line)}abc`;
const chunks = (body: string): string =>
  head('POST / HTTP/1.1', 'Host: a.example', 'Transfer-Encoding: chunked') + body;
const coded = (...codings: string[]): string =>
  head('POST / HTTP/1.1', 'Host: a', ...codings.map((coding) => `Transfer-Encoding: ${coding}`)) + end;
const letters = (text: string): string[] => [...text].map((letter) => `X-${letter}: 1`);

const targets = [
  'foo',
  '?q',
  'http:/x',
  'http://a@@',
  'http://foobar.com:1000000',
  '*',
  'http://',
  '//a/b',
  'ftp://a/b',
];
const lengths = ['', '+3', '0x3', '3_', '-1', '1Z', '3, 3', '18446744073709551619', ' '];
const codings = [
  'identity',
  'gzip',
  'identity, chunked',
  'gzip, chunked',
  ',chunked',
  'xchunked',
  'Chunked',
  'chunked;a=b',
];
const versions = 'HTTP/9.9 HTTP/2.0 HTTP/1.01 HTTPS/1.1 HHTTP/1.1 HTTP/A.0 HTTP/1.2 http/1.1 HTTP/0.9'.split(' ');
const bodies = [
  `0x1\r\na\r\n${end}`,
  `+1\r\na\r\n${end}`,
  ` 1\r\na\r\n${end}`,
  `\r\na\r\n${end}`,
  `1 \r\na\r\n${end}`,
  'fffffffffffffffff\r\na',
  `1\r\nab\r\n${end}`,
  '1\na\n0\n\n',
  `1;a\rb\r\na\r\n${end}`,
  `1;a\nb\r\na\r\n${end}`,
  '1\r\na\r\n0\r\nbad trailer\r\n\r\n',
  'g\r\n',
];
const fields = [
  'fo o: 1',
  'Transfer-Encoding : chunked',
  ': v',
  'no colon',
  'a[b: 1',
  'f\xf6\xf6: 1',
  'X-A: a\rb',
  'X-A: a\x00b',
  'X-A: a\x03b',
  'X-A: a\r\n folded',
  ' X-First: 1',
  'X-A: 1\nX-B: 2',
  'Host: b.example',
  'X-A: \x7f',
];

const requests: readonly (Omit<Case, 'send'> & { readonly send: string })[] = [
  { name: 'no host', send: head('GET / HTTP/1.1') },
  { name: 'two hosts', send: head('GET / HTTP/1.1', 'Host: a', 'Host: b') },
  { name: 'two equal hosts', send: head('GET / HTTP/1.1', 'Host: a', 'Host: a') },
  { name: 'a list of hosts', send: head('GET / HTTP/1.1', 'Host: a,b') },
  { name: 'a host with a quote', send: head('GET / HTTP/1.1', 'Host: h."com') },
  { name: 'a host with a space', send: head('GET / HTTP/1.1', 'Host: a b') },
  { name: 'a host with a slash', send: head('GET / HTTP/1.1', 'Host: a/b') },
  ...targets.map((target) => ({ name: `target ${target}`, send: head(`GET ${target} HTTP/1.1`, 'Host: a') })),
  ...lengths.map((length) => ({ name: `length "${length}"`, send: withLength(`Content-Length: ${length}`) })),
  { name: 'two equal lengths', send: withLength('Content-Length: 3\r\nContent-Length: 3') },
  { name: 'two lengths', send: withLength('Content-Length: 3\r\nContent-Length: 4') },
  { name: 'both framings', send: withLength('Content-Length: 6\r\nTransfer-Encoding: chunked') },
  { name: 'both framings, length 0', send: withLength('Content-Length: 0\r\nTransfer-Encoding: chunked') },
  { name: 'two chunkeds', send: coded('chunked', 'chunked') },
  ...codings.map((coding) => ({ name: `coding ${coding}`, send: coded(coding) })),
  { name: 'a coding in HTTP/1.0', listener: 'old', send: coded('chunked').replace('/1.1', '/1.0') },
  ...versions.map((version) => ({ name: `version ${version}`, send: head(`GET / ${version}`, 'Host: a') })),
  { name: 'two spaces in the request line', send: head('GET  / HTTP/1.1', 'Host: a') },
  { name: 'a tab in the request line', send: head('GET\t/ HTTP/1.1', 'Host: a', 'Connection: close') },
  { name: 'a space behind the version', send: head('GET / HTTP/1.1 ', 'Host: a', 'Connection: close') },
  { name: 'a method in lower case', send: head('get / HTTP/1.1', 'Host: a') },
  { name: 'no version', send: head('GET /', 'Host: a') },
  { name: 'lines that end in line feeds', send: 'GET / HTTP/1.1\nHost: a\nConnection: close\n\n' },
  { name: 'a TLS hello', send: '\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00\r\n\r\n' },
  ...fields.map((field) => ({
    name: `field ${JSON.stringify(field)}`,
    send: head('GET / HTTP/1.1', 'Host: a.example', field),
  })),
  ...bodies.map((body) => ({ name: `chunks ${JSON.stringify(body)}`, send: chunks(body) })),
  { name: 'a head larger than the limit', listener: 'small', send: get('/', `X-A: ${'a'.repeat(2000)}`) },
  { name: 'a head within the limit', listener: 'small', send: get('/', `X-A: ${'a'.repeat(800)}`) },
  { name: 'more fields than the limit', listener: 'few', send: get('/', ...letters('abcdefg')) },
  { name: 'as many fields as the limit', listener: 'few', send: get('/', ...letters('abc')) },
  { name: 'more trailers than the limit', listener: 'few', send: chunks(`0\r\n${head(...letters('abcdefg'))}`) },
  { name: 'CONNECT with a coding', send: head('CONNECT a:80 HTTP/1.1', 'Host: a:80', 'Transfer-Encoding: chunked') },
  { name: 'CONNECT with a body', send: `${head('CONNECT a:80 HTTP/1.1', 'Host: a:80', 'Content-Length: 3')}abc` },
  { name: 'CONNECT to a path', send: head('CONNECT /x HTTP/1.1', 'Host: a') },
  { name: 'a body that is cut', send: `${requestOf('POST', '/', ['Content-Length: 5'])}ab`, clientHalfCloses: true },
  { name: 'a head that is cut', send: 'GET / HTTP/1.1\r\nHo', clientHalfCloses: true },
  { name: 'nothing', send: '', clientHalfCloses: true },
];

export const refused: Suite = {
  name: 'refused',
  bootstrap: (origin) =>
    bootstrap(
      [
        httpListener('main', allTo('app')),
        httpListener('small', allTo('app'), { max_request_headers_kb: 1 }),
        httpListener('few', allTo('app'), { common_http_protocol_options: { max_headers_count: 5 } }),
        httpListener('old', allTo('app'), { http_protocol_options: { ...preserveCase, accept_http_10: true } }),
      ],
      [cluster('app', [origin])],
    ),
  // Who lets one through is to close behind its response, so that every case ends.
  cases: requests.map((each) => ({
    ...each,
    expects: 'end',
    send: each.send.replace(/^((?:GET|POST) [^\r\n]*HTTP\/1\.[12]\r\n)/, '$1Connection: close\r\n'),
  })),
};
