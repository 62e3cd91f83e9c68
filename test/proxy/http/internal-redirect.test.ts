// Redirects that are followed in place of the client. Beside Envoy: test/differential/cases/redirects.ts.

import fc from 'fast-check';
import t from 'tap';
import type { InternalRedirectPolicy } from '../../../config/route.ts';
import { HeaderTable } from '../../../proxy/http/header-table.ts';
import { parseRedirectTarget } from '../../../proxy/http/internal-redirect.ts';
import { BodyFraming, type RequestHead } from '../../../proxy/http/message.ts';
import { ResponseFlag, type StreamInfo } from '../../../proxy/http/stream-info.ts';
import { clusterStats } from '../../../proxy/telemetry/cluster-stats.ts';
import { httpStats } from '../../../proxy/telemetry/http-stats.ts';
import { managerOf, routeOf } from '../../support/data-plane.ts';
import { bufferOf, Scene, type SceneOptions } from '../../support/http-fixtures.ts';
import { forwardAction, retryPolicy } from '../../support/route-fixtures.ts';
import { recordsIn, sentField, tracedScene, tracingOf } from '../../support/trace-fixtures.ts';

const policy: InternalRedirectPolicy = {
  maxRedirects: 2,
  statuses: [302, 303, 307],
  predicates: [],
  allowCrossScheme: false,
  headersToCopy: [],
};

function following(changes: Partial<InternalRedirectPolicy> = {}, options: SceneOptions = {}): Scene {
  const action = forwardAction({ internalRedirect: { ...policy, ...changes } });
  return new Scene({ routes: [routeOf('/a', action), routeOf('/b', forwardAction())], ...options });
}

const at = (path: string) => (head: RequestHead) => {
  head.path = path;
};
const location = (url: string): [string, string][] => [['Location', url]];
const counted = ({ stats }: Scene) => {
  const value = (stat: number) => stats.get(clusterStats, 'service')?.value(stat) ?? 0;
  return {
    followed: value(clusterStats.upstreamInternalRedirectSucceededTotal),
    passed: value(clusterStats.upstreamInternalRedirectFailedTotal),
  };
};
const http = ({ stats }: Scene, stat: number) => stats.get(httpStats, 'test')!.value(stat);

t.test('the client gets the response of where the redirect leads', async (t) => {
  const logged: string[] = [];
  const log = {
    log: ({ info }: { info: { responseCode: number; responseCodeDetails: string } }) =>
      logged.push(`${info.responseCode} ${info.responseCodeDetails}`),
  };
  const scene = following({}, { accessLoggers: [log as never] });
  const { client, stream } = scene.request(at('/a'));
  scene.respond(scene.connect(), 302, true, location('http://other.example/b?x=1#top'));
  t.equal(client.status, 0);
  const second = scene.connect();
  t.match(second.requestHead, /^GET \/b\?x=1\nHost: other\.example\n/);
  t.match(second.requestHead, /^x-envoy-original-url: http:\/\/shop\.example\/a$/m);
  scene.respond(second, 200);
  t.match(client, { status: 200, ending: 'ended' });
  t.same(logged, ['302 internal_redirect', '200 via_upstream'], 'a line for each pass');
  t.equal(stream.info.attemptCount, 1);
  t.same(counted(scene), { followed: 1, passed: 0 });
  t.equal(http(scene, httpStats.downstreamRq3xx), 0, 'of what the client does not get no status is counted');
  t.equal(http(scene, httpStats.downstreamRqTotal), 2, 'as in Envoy each pass is a request');
  t.equal(http(scene, httpStats.downstreamRqActive), 0);
  t.equal(scene.cluster.breakers.default.isIdle, true);
});

t.test('a response with a body is given up, and its connection with it', async (t) => {
  const scene = following();
  const { client } = scene.request(at('/a'));
  const first = scene.connect();
  scene.respond(first, 302, false, location('http://shop.example/b'));
  t.equal(first.wasAborted, true);
  scene.respond(scene.connect(), 200);
  t.equal(client.status, 200);
});

t.test('redirects of one request are no more than the route allows', async (t) => {
  const scene = following();
  const { client } = scene.request(at('/a'));
  for (let pass = 0; pass < 3; pass++) scene.respond(scene.connect(), 302, true, location('http://shop.example/a'));
  t.match(client, { status: 302, ending: 'ended' });
  t.equal(scene.waiting.length, 0);
  t.same(counted(scene), { followed: 2, passed: 1 });
  t.equal(http(scene, httpStats.passthroughInternalRedirectTooManyRedirects), 1);
});

t.test('a redirect that is not followed leaves the request as it was', async (t) => {
  const { passthroughInternalRedirectBadLocation: bad, passthroughInternalRedirectNoRoute: noRoute } = httpStats;
  const { passthroughInternalRedirectUnsafeScheme: unsafe, passthroughInternalRedirectPredicate: refused } = httpStats;
  for (const [url, stat] of [
    ['/b', bad],
    ['http://shop.example/b c', bad],
    ['http://sh/op@x/', noRoute],
    ['http://user@shop.example/b', bad],
    ['http://shop.example/c', noRoute],
    ['http://shop.example?b', noRoute],
    ['https://shop.example/b', unsafe],
    ['ftp://shop.example/b', unsafe],
    ['http://shop.example/b', refused],
  ] as const) {
    const predicates = [{ kind: 'allow-listed-routes', names: ['nobody'] }] as const;
    const scene = following({ predicates, headersToCopy: ['x-kept'] });
    const { client, stream } = scene.request((head) => {
      head.path = '/a?q';
      head.headers.append('X-Kept', '1');
    });
    const before = scene.connect();
    scene.respond(before, 302, true, [...location(url), ['X-Kept', 'no']]);
    t.match(client, { status: 302, ending: 'ended' }, url);
    t.equal(http(scene, stat), 1, url);
    t.match({ ...stream.head }, { path: '/a?q', authority: 'shop.example', scheme: 'http', method: 'GET' }, url);
    t.same(lineOf(stream.head, 'x-kept'), ['1'], url);
    t.same(counted(scene), { followed: 0, passed: 1 }, url);
  }
  const silent = following();
  silent.request(at('/a'));
  silent.respond(silent.connect(), 302);
  t.same(counted(silent), { followed: 0, passed: 1 }, 'without a location');
});

function lineOf({ headers }: RequestHead, name: string): string[] {
  const values: string[] = [];
  for (let row = 0; row < headers.rowCount; row++) {
    if (!headers.isRemoved(row) && headers.name(row).toLowerCase() === name) values.push(headers.value(row));
  }
  return values;
}

t.test('headers of the response are copied, and cleared where it has none', async (t) => {
  const scene = following({ headersToCopy: ['x-new', 'x-old'] });
  scene.request((head) => {
    head.path = '/a';
    head.headers.append('X-Old', '1');
    head.headers.append('X-New', '0');
  });
  scene.respond(scene.connect(), 302, true, [...location('http://shop.example/b'), ['X-New', '1'], ['X-New', '2']]);
  const { requestHead } = scene.connect();
  t.match(requestHead, /^x-new: 1\nx-new: 2$/m);
  t.notMatch(requestHead, /x-old/i);
});

t.test('a body is sent again, but where the method becomes GET', async (t) => {
  for (const [status, method, expected] of [
    [307, 'POST', 'POST with body'],
    [302, 'POST', 'POST with body'],
    [303, 'POST', 'GET with '],
    [303, 'HEAD', 'HEAD with '],
  ] as const) {
    const scene = following();
    const { stream, client } = scene.request((head) => {
      head.path = '/a';
      head.method = method;
      if (method === 'HEAD') return;
      head.framing = BodyFraming.length;
      head.contentLength = 4;
      head.headers.append('Content-Length', '4');
    });
    const first = scene.connect();
    if (method !== 'HEAD') {
      stream.onRequestData(bufferOf('body'), 0, 4);
      stream.onRequestEnd(null);
    }
    scene.respond(first, status, true, location('http://shop.example/b'));
    const second = scene.connect();
    t.equal(`${second.requestHead.split(' ')[0]} with ${second.requestBody}`, expected, `${status} of ${method}`);
    t.equal(/content-length/i.test(second.requestHead), expected.endsWith('body'), `${status} of ${method}`);
    t.equal(second.requestEnded, expected.endsWith('body'));
    scene.respond(second, 200);
    t.equal(client.status, 200);
  }
});

t.test('a request that is not complete, or too large to be kept, is not redirected', async (t) => {
  for (const [length, isComplete] of [
    [4, false],
    [100, true],
  ] as const) {
    const scene = following({}, { facts: { bufferLimitBytes: 50 } });
    const { stream, client } = scene.request((head) => {
      head.path = '/a';
      head.method = 'POST';
      head.framing = BodyFraming.chunked;
    });
    const first = scene.connect();
    stream.onRequestData(bufferOf('x'.repeat(length)), 0, length);
    if (isComplete) stream.onRequestEnd(null);
    scene.respond(first, 307, true, location('http://shop.example/b'));
    t.equal(client.status, 307);
    t.same(counted(scene), { followed: 0, passed: 1 });
  }
});

t.test('a client that leaves between two passes leaves nothing behind', async (t) => {
  const scene = following();
  const { stream } = scene.request(at('/a'));
  scene.respond(scene.connect(), 302, true, location('http://shop.example/b'));
  t.equal(scene.waiting.length, 1);
  stream.onDownstreamReset(ResponseFlag.downstreamConnectionTermination, 'downstream_remote_disconnect');
  t.equal(scene.waiting.length, 0);
  t.equal(scene.cluster.breakers.default.isIdle, true);
  t.equal(http(scene, httpStats.downstreamRqActive), 0);
});

t.test('each pass has the whole timeout of its route', async (t) => {
  const internalRedirect = { ...policy, maxRedirects: 1 };
  const scene = new Scene({
    routes: [
      routeOf('/a', forwardAction({ internalRedirect, timeoutMs: 50 })),
      routeOf('/b', forwardAction({ timeoutMs: 200 })),
    ],
  });
  const { client } = scene.request(at('/a'));
  const first = scene.connect();
  scene.reactor.advance(40);
  scene.respond(first, 302, true, location('http://shop.example/b'));
  scene.connect();
  scene.reactor.advance(190);
  t.equal(client.status, 0);
  scene.reactor.advance(11);
  t.equal(client.status, 504);
});

t.test('a hundred redirects to long addresses take the memory of one', async (t) => {
  const scene = following({ maxRedirects: 100 });
  const { stream, client } = scene.request(at('/a'));
  const long = 'x'.repeat(50_000);
  for (let pass = 0; pass < 100; pass++) {
    scene.respond(scene.connect(), 302, true, location(`http://shop.example/a${long}`));
  }
  t.ok(stream.head.headers.bytes.length < 1_000_000, `${stream.head.headers.bytes.length} bytes`);
  scene.respond(scene.connect(), 200);
  t.equal(client.status, 200);
  t.same(counted(scene), { followed: 100, passed: 0 });
});

t.test('each pass has a span, and the second is in the trace of the first', async (t) => {
  const scene = tracedScene(
    { randomPerTenThousand: 10_000 },
    { routes: following().manager.routes.config.virtualHosts[0]!.routes },
  );
  scene.request(at('/a'));
  const first = scene.connect();
  scene.respond(first, 302, true, location('http://shop.example/b'));
  const second = scene.connect();
  scene.respond(second, 200);
  const ids = (head: string) =>
    /^00-([0-9a-f]{32})-([0-9a-f]{16})/.exec(sentField(head, 'traceparent') ?? '')?.slice(1);
  const [trace, span] = ids(first.requestHead)!;
  t.equal(ids(second.requestHead)![0], trace);
  t.same(
    recordsIn(scene).map(({ spans }) => [spans[0]!.traceId, spans[0]!.parentSpanId]),
    [
      [trace, ''],
      [trace, span],
    ],
  );
});

t.test('at the edge the second pass goes on with the trace and the choice of the first', async (t) => {
  const { routes } = following().manager.routes.config.virtualHosts[0]!;
  for (const options of [{}, { tracing: { ...tracingOf(), provider: undefined } as never }]) {
    const scene = tracedScene(
      { randomPerTenThousand: 10_000 },
      { routes, manager: { useRemoteAddress: true, generateRequestId: true, tracing: tracingOf(), ...options } },
    );
    const { stream } = scene.request(at('/a'));
    const first = scene.connect();
    scene.respond(first, 302, true, location('http://shop.example/b'));
    const second = scene.connect();
    const id = sentField(first.requestHead, 'x-request-id');
    t.match(id, /^.{14}9/);
    t.equal(sentField(second.requestHead, 'x-request-id'), id);
    t.equal(stream.info.requestId, id);
    const traceOf = (head: string) => sentField(head, 'traceparent')?.replace(/-[0-9a-f]{16}-/, ' ');
    t.equal(traceOf(second.requestHead), traceOf(first.requestHead));
  }
});

t.test('trailers go to the clusters that take them, whoever had the request before', async (t) => {
  for (const [before, after] of [
    [true, false],
    [false, true],
  ] as const) {
    const scene = following({}, { manager: { http1: { ...managerOf([]).http1, enableTrailers: true } } });
    const upstreamHttp = scene.cluster.config.upstreamHttp as { enableTrailers: boolean };
    upstreamHttp.enableTrailers = before;
    const { stream } = scene.request((head) => {
      head.path = '/a';
      head.method = 'POST';
      head.framing = BodyFraming.chunked;
    });
    const trailers = new HeaderTable();
    trailers.append('x-sum', '1');
    const first = scene.connect();
    stream.onRequestEnd(trailers);
    upstreamHttp.enableTrailers = after;
    scene.respond(first, 307, true, location('http://shop.example/b'));
    const second = scene.connect();
    t.same([first.requestTrailers.length, second.requestTrailers.length], [before ? 1 : 0, after ? 1 : 0]);
  }
});

t.test('the last line of the log has the time of all passes, and each pass is measured by itself', async (t) => {
  const lines: number[][] = [];
  const log = {
    log: ({ info }: { info: StreamInfo }) =>
      lines.push([info.startedAtMs, info.requestEndAtMs, info.endedAtMs].map((atMs) => atMs - begunAtMs)),
  };
  const scene = following({}, { accessLoggers: [log as never] });
  const recorded: [number, number][] = [];
  scene.manager.stats.record = (stat, value) => recorded.push([stat, value]);
  const begunAtMs = scene.reactor.nowMs;
  const { client } = scene.request(at('/a'));
  const first = scene.connect();
  scene.reactor.advance(40);
  scene.respond(first, 302, true, location('http://shop.example/b'));
  const second = scene.connect();
  scene.reactor.advance(30);
  scene.respond(second, 200);
  t.same(lines, [
    [0, 0, 40],
    [0, 0, 70],
  ]);
  t.ok(client.headers.includes('x-envoy-upstream-service-time: 30'), client.headers.join());
  t.same(recorded, [
    [httpStats.downstreamRqTime, 40],
    [httpStats.downstreamRqTime, 30],
  ]);
});

const events = fc.array(
  fc.constantFrom('connect', 'refuse', '302', '302 with body', '503', '200', 'lose', 'time', 'body', 'end'),
  { maxLength: 40 },
);

t.test('after any sequence of redirects, retries and failures nothing is held, and every pass was logged', async () => {
  fc.assert(
    fc.property(events, fc.nat(3), fc.boolean(), (sequence, maxRedirects, hasBody) => {
      let logged = 0;
      const action = forwardAction({
        internalRedirect: { ...policy, maxRedirects },
        retryPolicy: retryPolicy({ retryOn: ['5xx'], numRetries: 2 }),
        timeoutMs: 1000,
      });
      const scene = new Scene({ routes: [routeOf('/', action)], accessLoggers: [{ log: () => logged++ }] });
      const { stream, client } = scene.request((head) => {
        if (!hasBody) return;
        head.method = 'POST';
        head.framing = BodyFraming.chunked;
      });
      for (const event of sequence) {
        const open = scene.connections.find(({ isOpen }) => isOpen);
        const isUnanswered = open !== undefined && client.status === 0;
        if (event === 'connect' && scene.waiting.length > 0) scene.connect();
        else if (event === 'refuse' && scene.waiting.length > 0) scene.refuse();
        else if (event.startsWith('302') && isUnanswered) {
          scene.respond(open, 302, event === '302', location('http://shop.example/again'));
        } else if (/^[25]/.test(event) && isUnanswered) scene.respond(open, Number(event));
        else if (event === 'lose' && open !== undefined) scene.lose(open);
        else if (event === 'time') scene.reactor.advance(100);
        else if (event === 'body' && hasBody && !stream.isDone && stream.info.requestEndAtMs < 0) {
          if (stream.acceptsRequestBody) stream.onRequestData(bufferOf('piece'), 0, 5);
        } else if (event === 'end' && hasBody && !stream.isDone && stream.info.requestEndAtMs < 0)
          stream.onRequestEnd(null);
      }
      stream.onDownstreamReset(ResponseFlag.downstreamConnectionTermination, 'downstream_remote_disconnect');
      const { followed } = counted(scene);
      return (
        logged === followed + 1 &&
        followed <= maxRedirects &&
        scene.cluster.breakers.default.isIdle &&
        scene.waiting.length === 0 &&
        scene.connections.every(({ isOpen }) => !isOpen) &&
        http(scene, httpStats.downstreamRqActive) === 0
      );
    }),
    { numRuns: 1000, seed: 20_261_122 },
  );
});

t.test('parts of a URL', async (t) => {
  for (const [url, expected] of [
    ['http://a.example', { scheme: 'http', authority: 'a.example', path: '/' }],
    ['HTTPS://a.example:81/x?y#z', { scheme: 'https', authority: 'a.example:81', path: '/x?y' }],
    ['http://[::1]:8/', { scheme: 'http', authority: '[::1]:8', path: '/' }],
    ['http://a?b', { scheme: 'http', authority: 'a', path: '?b' }],
    ['http://a#b/c', { scheme: 'http', authority: 'a', path: '/' }],
    ['', null],
    ['/a', null],
    ['//a/b', null],
    ['://a', null],
    ['http://', null],
    ['http:///a', null],
    ['http://a,b/', null],
    ['http://a/\u0000', null],
    ['http://a/ b', null],
    ['http://a:99999/', null],
  ] as const) {
    t.same(parseRedirectTarget(url), expected, url);
  }
});

t.test('whatever a location says, what is sent is one sound request target', async () => {
  const piece = fc.oneof(
    fc.constantFrom('http://', 'https://', '://', '/', '?', '#', '@', ':', 'a', '..', '%00', '[::1]'),
    fc.string({ maxLength: 4 }),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const target = parseRedirectTarget(pieces.join(''));
      return (
        target === null || (/^[/?][!-~\u0080-\uffff]*$/.test(target.path) && /^[^\s/?#@]+$/.test(target.authority))
      );
    }),
    { numRuns: 3000, seed: 20_261_122 },
  );
});

t.test('a location of 60 KB is looked through once', async (t) => {
  const long = 'x'.repeat(60_000);
  t.equal(parseRedirectTarget(`http://a/${long}`)?.path.length, 60_001);
  t.equal(parseRedirectTarget(`http://${long}`)?.authority.length, 60_000);
  t.equal(parseRedirectTarget(long), null);
  t.equal(parseRedirectTarget(`http://a/${long} `), null);
});
