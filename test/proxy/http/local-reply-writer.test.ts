// What a local reply looks like on its way to the client; the kinds of replies are those of `local-reply.ts`.

import t from 'tap';
import type { HttpConnectionManager, LocalReplyMapper } from '../../../config/http-connection-manager.ts';
import type { RequestHead } from '../../../proxy/http/message.ts';
import { routeOf } from '../../support/data-plane.ts';
import { Scene } from '../../support/http-fixtures.ts';
import { addition } from '../../support/route-fixtures.ts';

const teapot = routeOf('/tea', { kind: 'direct-response', status: 418, body: Buffer.from('\xff\x00tea', 'latin1') });
const moved = routeOf('/moved', { kind: 'redirect', status: 302, https: false, stripQuery: false, host: 'new' });

interface Asked {
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly manager?: Partial<HttpConnectionManager>;
  readonly fill?: (head: RequestHead) => void;
}

function ask({ path = '/none', headers = {}, manager = {}, fill = () => undefined }: Asked) {
  const scene = new Scene({ routes: [teapot, moved], manager });
  const { client, stream } = scene.request((head) => {
    head.path = path;
    for (const [name, value] of Object.entries(headers)) head.headers.append(name, value);
    fill(head);
  });
  const field = (name: string) => client.headers.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
  return { client, field, stream };
}

t.test('a reply is plain text with its length, for who asks for nothing else', async (t) => {
  const { client, field } = ask({});
  t.match(client, { status: 404, body: 'no route matches GET shop.example/none', ending: 'ended' });
  t.equal(field('content-type'), 'text/plain');
  t.equal(field('content-length'), String(client.body.length));
});

t.test('JSON is for who accepts it', async (t) => {
  const { client, field } = ask({ headers: { Accept: 'text/html, application/json;q=0.9' } });
  t.equal(field('content-type'), 'application/json');
  t.match(JSON.parse(client.body), { status: 404, details: 'route_not_found', reason: /no route matches/ });
});

t.test('a client from outside gets no sentence', async (t) => {
  const { client, field } = ask({ manager: { useRemoteAddress: true } });
  t.equal(client.body, '');
  t.equal(field('content-length'), '0');
  t.equal(field('content-type'), undefined);
});

t.test('gRPC gets its status in a response without a body, whatever the message has', async (t) => {
  const { client, field } = ask({ path: '/n\xe4%\n', headers: { 'content-type': 'application/grpc+proto' } });
  t.match(client, { status: 200, body: '' });
  t.equal(field('content-type'), 'application/grpc');
  t.equal(field('grpc-status'), '12');
  t.match(field('grpc-message'), /^no route matches GET shop\.example\/n%C3%A4%25%0A$/);
});

t.test('a direct response is sent byte for byte, a redirect has its location', async (t) => {
  const { client, field } = ask({ path: '/tea' });
  t.match(client, { status: 418, body: '\xff\x00tea' });
  t.equal(field('content-length'), '5');
  const redirect = ask({ path: '/moved' });
  t.equal(redirect.client.status, 302);
  t.equal(redirect.field('location'), 'http://new/moved');
  t.equal(redirect.field('content-length'), '0');
});

t.test('HEAD gets the head only', async (t) => {
  const { client, field } = ask({
    path: '/tea',
    fill: (head) => {
      head.method = 'HEAD';
    },
  });
  t.match(client, { status: 418, body: '' });
  t.equal(field('content-length'), '5');
});

const status = (value: number) => ({ kind: 'status-code', comparison: { op: 'eq', value } }) as const;
const text = (format: string) =>
  ({ format: { kind: 'text', format, omitEmptyValues: false }, contentType: 'a/b' }) as const;
function mapped(
  mappers: readonly LocalReplyMapper[],
  bodyFormat?: ReturnType<typeof text>,
): Partial<HttpConnectionManager> {
  return { localReply: bodyFormat === undefined ? { mappers } : { mappers, bodyFormat } };
}

t.test('the body format has the text at hand, and every reply takes it', async (t) => {
  const manager = mapped([], text('<%RESPONSE_CODE% %LOCAL_REPLY_BODY%>'));
  const { client, field } = ask({ manager });
  t.equal(client.body, '<404 no route matches GET shop.example/none>');
  t.equal(field('content-type'), 'a/b');
  t.equal(ask({ manager, path: '/tea' }).client.body, '<418 \xff\x00tea>', 'a direct response too');
  t.equal(ask({ manager, headers: { accept: 'application/json' } }).field('content-type'), 'a/b');
});

t.test('the first mapper that fits changes status, body, headers and format', async (t) => {
  const manager = mapped(
    [
      { filter: status(500), body: 'not this', headersToAdd: [] },
      { filter: status(404), status: 410, body: 'g\u00f6ne', headersToAdd: [addition('x-was', '%RESPONSE_CODE%')] },
      { filter: status(404), body: 'nor this', headersToAdd: [] },
    ],
    text('[%LOCAL_REPLY_BODY%]'),
  );
  const { client, field, stream } = ask({ manager });
  t.match(client, { status: 410, body: Buffer.from('[g\u00f6ne]').latin1Slice() });
  t.equal(field('x-was'), '404');
  t.equal(field('content-length'), '7', 'bytes, not characters');
  t.equal(stream.info.responseCode, 410);
});

t.test('a mapper may bring a format of its own, and a reply that no mapper fits stays', async (t) => {
  const own = { filter: status(418), bodyFormat: text('own %LOCAL_REPLY_BODY%'), headersToAdd: [] };
  t.equal(ask({ manager: mapped([own]), path: '/tea' }).client.body, 'own \xff\x00tea');
  t.equal(ask({ manager: mapped([own]) }).client.body, 'no route matches GET shop.example/none');
});

t.test('a status without content takes no body, however it was configured', async (t) => {
  const manager = mapped([{ filter: status(404), status: 204, body: 'bytes', headersToAdd: [] }], text('x'));
  const { client, field } = ask({ manager });
  t.match(client, { status: 204, body: '' });
  t.equal(field('content-length'), undefined);
});
