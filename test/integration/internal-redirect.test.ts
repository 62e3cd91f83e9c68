// Redirects that are followed in place of the client, through real sockets. Which are followed is the business of
// `test/proxy/http/internal-redirect.test.ts`; here is what one connection of a client goes through.

import type { IncomingMessage, ServerResponse } from 'node:http';
import t from 'tap';
import {
  clusterOf,
  forwardTo,
  httpListener,
  managerOf,
  routeOf,
  startDataPlane,
  virtualHostOf,
} from '../support/data-plane.ts';
import { startHttpOrigin } from '../support/http-origin.ts';
import { RawClient } from '../support/raw-client.ts';

const internalRedirect = {
  maxRedirects: 5,
  statuses: [302, 303, 307],
  predicates: [],
  allowCrossScheme: false,
  headersToCopy: [],
};

/** `/302/x/307/e` is redirected twice, then answered with what came in the end; an `x` redirects with a body. */
function answer(request: IncomingMessage, response: ServerResponse): void {
  let length = 0;
  request.on('data', (piece: Buffer) => {
    length += piece.length;
  });
  request.on('end', () => {
    const [, status, kind, rest = '/'] = /^\/(\d+)\/(\w)(\/.*)?$/.exec(request.url!) ?? [];
    if (status === undefined) response.end(`${request.method} ${request.url} ${length}.`);
    else {
      response.writeHead(Number(status), { location: `http://a${rest}` });
      response.end(kind === 'x' ? 'moved'.repeat(20_000) : '');
    }
  });
}

t.test(
  'requests of one connection are redirected with their bodies, and answered once each and in order',
  async (t) => {
    const port = await startHttpOrigin(t, answer);
    const plane = await startDataPlane({
      listeners: [
        httpListener('http', managerOf([virtualHostOf([routeOf('/', forwardTo('app', { internalRedirect }))])])),
      ],
      clusters: [clusterOf('app', [port])],
    });
    const client = await RawClient.open(plane.ports.get('http')!);
    t.teardown(async () => {
      client.close();
      await plane.stop();
    });
    const length = 300_000;
    const posted = 'b'.repeat(length);
    const requests = [
      ['GET /302/e HTTP/1.1\r\nHost: a\r\n\r\n', 'GET / 0'],
      ['GET /302/x/307/x/302/e HTTP/1.1\r\nHost: a\r\n\r\n', 'GET / 0'],
      [`POST /307/e/302/x HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n${posted}`, `POST / ${length}`],
      [
        `POST /307/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${length.toString(16)}\r\n${posted}\r\n0\r\n\r\n`,
        `POST / ${length}`,
      ],
      [`POST /303/x/307/e HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody`, 'GET / 0'],
      ['GET /plain HTTP/1.1\r\nHost: a\r\n\r\n', 'GET /plain 0'],
    ] as const;
    const expected = requests.map(([, text]) => text);
    const answersIn = (text: string) => text.match(/(?:GET|POST) \/\w* \d+(?=\.)/g) ?? [];
    for (const [count, [request]] of requests.entries()) {
      await client.write(request);
      await client.until((text) => answersIn(text).length > count);
    }
    t.same(answersIn(client.text), expected, 'one after the other');
    await client.writeAll(requests.map(([request]) => request));
    await client.until((text) => answersIn(text).length >= 2 * expected.length);
    t.same(answersIn(client.text), [...expected, ...expected], 'and sent ahead');
    t.notMatch(client.text, /HTTP\/1\.1 (?!200)|moved/);
  },
);
