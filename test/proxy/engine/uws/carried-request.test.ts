// Why a request is looked at before uWebSockets.js may read it, and why TLS is never the library's: every row of the codec's
// table through its own `SSLApp`, and from what it tells the request put together again, for the parser of the data plane to
// judge. A row that must be refused and passes there could not be refused by any check on what the library tells.
//
// And what it makes of WebSocket, which is why upgrades are not the library's either.

import { once } from 'node:events';
import { createRequire } from 'node:module';
import { connect } from 'node:tls';
import t, { type Test } from 'tap';
import { RequestParser } from '../../../../proxy/http/http1/request-parser.ts';
import { RequestHead } from '../../../../proxy/http/message.ts';
import { makeRoot } from '../../../support/certificates.ts';
import { rerunWithNewerLibc } from '../../../support/newer-libc.ts';
import { nextTurn, RawClient } from '../../../support/raw-client.ts';
import { requestParserOptions } from '../../http/http1/codec-run.ts';
import type { Vector } from '../../http/http1/vectors/vector-list.ts';
import { vectors } from '../../http/http1/vectors.ts';

interface Told {
  /** As the library understands it. */
  readonly head: string;
  isComplete: boolean;
}

/** As far as this test goes. */
interface LibraryRequest {
  getCaseSensitiveMethod(): string;
  getUrl(): string;
  getQuery(): string | undefined;
  forEach(field: (name: string, value: string) => void): void;
}
interface LibraryResponse {
  onAborted(handler: () => void): void;
  onData(handler: (chunk: ArrayBuffer, isLast: boolean) => void): void;
}
interface LibraryApp {
  any(pattern: string, handler: (response: LibraryResponse, request: LibraryRequest) => void): LibraryApp;
  ws(pattern: string, behavior: { message: (socket: object, message: ArrayBuffer) => void }): LibraryApp;
  listen(host: string, port: number, handler: (socket: object) => void): LibraryApp;
  close(): void;
}
interface Library {
  App(): LibraryApp;
  SSLApp(options: { key_file_name: string; cert_file_name: string }): LibraryApp;
  us_socket_local_port(socket: object): number;
}

const skip = rerunWithNewerLibc(import.meta.filename);

/** Rows of the table whose request goes on as another one than was sent, and nobody could tell. */
const misreadHeads = [
  '5: Transfer-Encoding "\xa0chunked"',
  '5: Transfer-Encoding "chunked\xa0"',
  '14: Content-Length "\xb23"',
  '28: empty field name',
  '37: Host "h\xf6"',
];
/** The same, where chunks or trailers are what cannot be seen. */
const misreadChunks = [
  '22: NUL in trailers',
  '25: obs-text in a trailer name',
  '33: trailers above 60 KiB',
  '33: 101 trailers',
  '51: chunk size " 1"',
  '51: chunk size ""',
  '51: chunk size "00000000000000001"',
  '52: space behind the chunk size',
  '52: tab behind the chunk size',
  '55: stray bytes behind a chunk',
  '55: one stray byte behind a chunk',
  '56: bare LF behind the chunk size',
  '56: bare LF behind chunk data',
  '56: bare LF behind the last chunk',
  '56: bare LF as the last line',
  '56: CR and no LF as the last line',
  '59: trailer without a colon',
  '59: trailer with a bad name',
  '59: folded trailer',
  '59: trailer ended by bare LF',
];

t.test(
  'what is misread under TLS cannot be found out from what the library tells',
  { skip: skip ?? false },
  async (t) => {
    const { ask } = start(t);
    const heads: string[] = [];
    const chunks = new Set<string>();
    for (const vector of vectors) {
      if (vector.direction !== 'request' || vector.expect.kind !== 'refused') continue;
      // The order of fields changes nothing of what is misread.
      if (vector.name.endsWith(', Host last')) continue;
      const [first] = await ask(vector.input);
      if (first === undefined || !first.isComplete || !isAccepted(vector, first.head)) continue;
      const name = `${vector.row}: ${vector.name}`;
      if (/\r\ntransfer-encoding: chunked\r\n/i.test(vector.input))
        chunks.add(name.replace(/ at offset \d+ of/, ' in'));
      // What is told as it was sent is refused behind the parser, as in the default engine.
      else if (!vector.input.toLowerCase().startsWith(first.head.toLowerCase())) heads.push(name);
    }
    t.same(heads, misreadHeads);
    t.same([...chunks], misreadChunks);
  },
);

t.test(
  'of WebSocket it tells messages, not frames: neither fragments, pings nor extensions could go on',
  { skip: skip ?? false },
  async (t) => {
    const library = load();
    const messages: string[] = [];
    const message = (_: object, bytes: ArrayBuffer) => void messages.push(Buffer.from(bytes).toString());
    let port = 0;
    const app = library
      .App()
      .ws('/*', { message })
      .listen('127.0.0.1', 0, (socket) => {
        port = library.us_socket_local_port(socket);
      });
    t.teardown(() => app.close());
    const client = await RawClient.open(port);
    const offer = 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n';
    await client.write(`GET / HTTP/1.1\r\nHost: a\r\n${offer}Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`);
    await client.until((all) => all.endsWith('\r\n\r\n'));
    await client.write(`${frame(0x01, 'a')}${frame(0x89, 'p')}${frame(0x80, 'b')}`);
    // A pong that no endpoint has sent.
    t.match(await client.until((all) => all.endsWith('\x8a\x01p')), /^HTTP\/1\.1 101 /);
    t.same(messages, ['ab']);
    // A bit that an extension would give a meaning to.
    await client.write(frame(0xc1, 'c'));
    await client.ended();
    t.same(messages, ['ab']);
  },
);

/** Of a client, masked with zeros (RFC 6455 section 5.2). */
function frame(firstByte: number, payload: string): string {
  return `${String.fromCharCode(firstByte, 0x80 + payload.length)}\0\0\0\0${payload}`;
}

function load(): Library {
  return createRequire(import.meta.url)('@btc-vision/uwebsockets.js') as Library;
}

function start(t: Test) {
  const library = load();
  const { key, certificate } = makeRoot(t.testdir(), 'root');
  let told: Told[] = [];
  let port = 0;
  const app = library
    .SSLApp({ key_file_name: key, cert_file_name: certificate })
    .any('/*', (response, request) => {
      const one = { head: headOf(request), isComplete: false };
      told.push(one);
      response.onAborted(() => undefined);
      response.onData((_, isLast) => {
        one.isComplete = isLast;
      });
    })
    .listen('127.0.0.1', 0, (socket) => {
      port = library.us_socket_local_port(socket);
    });
  t.teardown(() => app.close());
  const ask = async (input: string): Promise<readonly Told[]> => {
    told = [];
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
    socket.on('error', () => undefined);
    const closed = once(socket, 'close');
    await once(socket, 'secureConnect');
    await new Promise<unknown>((resolve) => socket.write(Buffer.from(input, 'latin1'), resolve));
    // The library has its sockets on this thread's loop: what the kernel has of the input it reads in the next round.
    for (let rounds = 0; rounds < 3; rounds++) await nextTurn();
    socket.end();
    socket.resume();
    await closed;
    return told;
  };
  return { ask };
}

function headOf(request: LibraryRequest): string {
  const query = request.getQuery();
  let head = `${request.getCaseSensitiveMethod()} ${request.getUrl()}${query === undefined ? '' : `?${query}`} HTTP/1.1\r\n`;
  request.forEach((name, value) => {
    head += `${name}: ${value}\r\n`;
  });
  return `${head}\r\n`;
}

/** By the parser of the data plane. */
function isAccepted({ options = {} }: Vector, head: string): boolean {
  const bytes = Buffer.from(head, 'latin1');
  return (
    new RequestParser(requestParserOptions(options)).parse(bytes, 0, bytes.length, new RequestHead()) === bytes.length
  );
}
