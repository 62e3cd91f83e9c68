// What a body of some framing becomes for a client of HTTP/1.0 and of 1.1, with GET and with HEAD.

import t from 'tap';
import { frameResponse, opensTunnel } from '../../../../proxy/http/http1/response-framing.ts';
import { BodyFraming, HttpVersion, RequestHead, ResponseHead } from '../../../../proxy/http/message.ts';
import { fieldsOf } from '../../../support/http-fixtures.ts';

function requestOf(method: string, version: HttpVersion = HttpVersion.http11): RequestHead {
  const head = new RequestHead();
  head.method = method;
  head.version = version;
  return head;
}

function framed(request: RequestHead, framing: BodyFraming, fields: readonly [string, string][] = [], status = 200) {
  const head = new ResponseHead();
  head.status = status;
  head.framing = framing;
  for (const [name, value] of fields) head.headers.append(name, value);
  const endsWithConnection = frameResponse(head, request);
  return { framing: head.framing, fields: fieldsOf(head.headers), endsWithConnection };
}

const { none, length, chunked, untilClose } = BodyFraming;
const chunkedLine = 'transfer-encoding: chunked';

t.test('a body without a length is chunked, for a client that understands it', (t) => {
  for (const framing of [chunked, untilClose]) {
    const isChunked = { framing: chunked, fields: [chunkedLine], endsWithConnection: false };
    t.same(framed(requestOf('GET'), framing), isChunked);
    const isOld = { framing: untilClose, fields: [], endsWithConnection: true };
    t.same(framed(requestOf('GET', HttpVersion.http10), framing, [['Transfer-Encoding', 'chunked']]), isOld);
  }
  const kept = framed(requestOf('GET'), chunked, [['Transfer-Encoding', 'chunked']]);
  t.same(kept.fields, ['Transfer-Encoding: chunked'], 'and says so once');
  t.end();
});

t.test('one with a length stays as it is', (t) => {
  const fields = ['Content-Length: 5'];
  t.same(framed(requestOf('GET'), length, [['Content-Length', '5']]), {
    framing: length,
    fields,
    endsWithConnection: false,
  });
  t.end();
});

t.test('the answer to a HEAD says what that to a GET would have', (t) => {
  t.same(framed(requestOf('HEAD'), none).fields, [chunkedLine]);
  t.same(framed(requestOf('HEAD'), none, [['Content-Length', '5']]).fields, ['Content-Length: 5']);
  for (const status of [101, 204, 304]) t.same(framed(requestOf('HEAD'), none, [], status).fields, []);
  t.same(framed(requestOf('GET'), none).fields, []);
  const old = requestOf('HEAD', HttpVersion.http10);
  t.same(framed(old, none, [['Transfer-Encoding', 'chunked']]).fields, [], 'never to a client of HTTP/1.0');
  t.end();
});

t.test('a switch of protocols and a successful CONNECT open a tunnel', (t) => {
  const opens = (method: string, status: number) =>
    opensTunnel(Object.assign(new ResponseHead(), { status }), requestOf(method));
  t.same([opens('GET', 101), opens('CONNECT', 200), opens('CONNECT', 299)], [true, true, true]);
  t.same([opens('GET', 200), opens('CONNECT', 199), opens('CONNECT', 407)], [false, false, false]);
  t.end();
});
