import t from 'tap';
import { routeOf } from '../../support/data-plane.ts';
import { Scene, type SceneOptions } from '../../support/http-fixtures.ts';
import { forwardAction } from '../../support/route-fixtures.ts';
import { allOfRoute, recordsIn, sentField, tracingOf } from '../../support/trace-fixtures.ts';

t.test("a route's decorator names the span, and is told to the other side of the hop where it is to be", async (t) => {
  const decorated = (propagate: boolean) => [
    routeOf('/', forwardAction(), { decorator: { operation: 'cart.add', propagate } }),
  ];
  const operation = 'x-envoy-decorator-operation';
  const run = (options: SceneOptions, given: { readonly request?: string; readonly response?: string } = {}) => {
    const scene = new Scene({ manager: { tracing: tracingOf() }, ...options });
    const { client } = scene.request(({ headers }) => {
      if (given.request !== undefined) headers.append(operation, given.request);
    });
    const connection = scene.connect();
    scene.respond(connection, 200, true, given.response === undefined ? [] : [[operation, given.response]]);
    const [record] = recordsIn(scene);
    const inResponse = client.headers.find((line) => line.startsWith(operation));
    return [record!.spans[0]!.name, sentField(connection.requestHead, operation), inResponse];
  };
  const told = `${operation}: cart.add`;
  t.same(run({ routes: decorated(true) }), ['cart.add', undefined, told]);
  t.same(run({ routes: decorated(false) }), ['cart.add', undefined, undefined]);
  t.same(run({ routes: decorated(true) }, { request: 'theirs' }), ['theirs', undefined, undefined]);
  t.same(run({ routes: decorated(true), isOutbound: true }), ['cart.add', 'cart.add', undefined]);
  t.same(run({ routes: decorated(true), isOutbound: true }, { response: 'theirs' }), ['theirs', 'cart.add', undefined]);
  t.same(run({ isOutbound: true }, { request: 'passing' }), ['GET /', 'passing', undefined]);
  // With a name that is configured neither side tells or takes anything.
  const tracing = { ...allOfRoute, operation: 'named' };
  const named = [routeOf('/', forwardAction(), { decorator: { operation: 'cart.add', propagate: true }, tracing })];
  t.same(run({ routes: named }), ['named', undefined, undefined]);
  t.same(run({ routes: named }, { request: 'theirs' }), ['named', 'theirs', undefined]);
  t.same(run({ routes: named, isOutbound: true }, { response: 'theirs' }), [
    'named',
    undefined,
    `${operation}: theirs`,
  ]);
  const manager = { tracing: tracingOf({ operation: 'all' }) };
  t.same(run({ routes: decorated(true), manager }), ['all', undefined, undefined]);
});

t.test('a name is cut after 1 KiB at a whole character, whether a peer gave it or a format', async (t) => {
  const euro = '\u20ac';
  const bytes = Buffer.from(euro.repeat(30_000)).latin1Slice();
  const namesOf = (header: string, operation: string) => {
    const manager = { tracing: tracingOf({ operation, upstreamOperation: operation, spawnUpstreamSpan: true }) };
    const scene = new Scene({ manager });
    scene.request(({ headers }) => headers.append(header, bytes));
    scene.respond(scene.connect(), 200, true, []);
    return recordsIn(scene)[0]!.spans.map((span) => span.name);
  };
  const cut = euro.repeat(341);
  t.same(namesOf('x-envoy-decorator-operation', ''), [cut, 'GET /']);
  t.same(namesOf('x-name', '%REQ(x-name)%'), [cut, cut]);
});
