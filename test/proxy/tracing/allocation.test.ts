// A request that is not kept must leave nothing behind for the collector of garbage: at 50,000 requests a second an object
// each would be most of what a worker allocates.

import t from 'tap';
import { encodeLine } from '../../../proxy/http/header-table.ts';
import { RequestHead, ResponseHead } from '../../../proxy/http/message.ts';
import type { Stream } from '../../../proxy/http/stream.ts';
import { StreamInfo } from '../../../proxy/http/stream-info.ts';
import { routeOf } from '../../support/data-plane.ts';
import { Scene } from '../../support/http-fixtures.ts';
import { forwardAction } from '../../support/route-fixtures.ts';
import { recordsOf, tracingOf } from '../../support/trace-fixtures.ts';

const requests = 100_000;
const blockLength = 500;

/** Bytes that `run` allocates each time. A collection within a block makes it negative, and such a block is left out. */
function allocatedBytes(run: () => void): number {
  for (let warm = 0; warm < 20_000; warm++) run();
  const blocks: number[] = [];
  for (let block = 0; block < requests / blockLength; block++) {
    const before = process.memoryUsage().heapUsed;
    for (let index = 0; index < blockLength; index++) run();
    blocks.push(process.memoryUsage().heapUsed - before);
  }
  const grown = blocks.filter((bytes) => bytes >= 0).sort((left, right) => left - right);
  // The median: now and then a compiler puts something on the heap.
  return grown[Math.floor(grown.length / 2)]! / blockLength;
}

const lines = [encodeLine('host', 'shop.example'), encodeLine('user-agent', 'curl/8'), encodeLine('accept', '*/*')];
const parent = encodeLine('traceparent', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00');

for (const [name, spawnUpstreamSpan, extra] of [
  ['that brings no trace', false, []],
  ['that brings no trace, with a span of its attempt,', true, []],
  ['whose caller decided against it', false, [parent]],
  ['whose caller decided against it, with a span of its attempt,', true, [parent]],
] as const) {
  t.test(`a request ${name} and is not kept allocates nothing`, async (t) => {
    const tracing = tracingOf({ spawnUpstreamSpan }, { randomPerTenThousand: 0 });
    const scene = new Scene({ manager: { tracing }, routes: [routeOf('/', forwardAction())] });
    const { manager, cluster } = scene;
    const tracer = manager.tracer!;
    const head = new RequestHead();
    head.method = 'GET';
    head.path = '/';
    const info = new StreamInfo();
    info.requestId = '01234567-89ab-4def-8123-456789abcdef';
    info.responseCode = 200;
    info.responseCodeDetails = 'via_upstream';
    info.endedAtMs = 12;
    const stream = { head, info, manager, random: () => 0.5, trace: null } as unknown as Stream;
    const route = manager.routes.match(head, manager.context.matchContext)!;
    const endpoint = [...cluster.eachEndpoint()][0]!;
    const response = new ResponseHead();
    response.status = 200;
    const context = { info, request: head, response, responseTrailers: null, localReplyBody: '' };
    const bytes = allocatedBytes(() => {
      head.headers.clear();
      for (let index = 0; index < lines.length; index++) head.headers.appendLine(lines[index]!);
      for (let index = 0; index < extra.length; index++) head.headers.appendLine(extra[index]!);
      tracer.begin(stream, route, cluster);
      tracer.inject(stream);
      const { trace } = stream;
      trace?.beginAttempt(endpoint, head.headers, 1);
      trace?.attemptConnected(null, head.headers);
      trace?.attemptAnswered(200);
      tracer.onResponseHead(stream, route, response);
      trace?.endAttempt(2);
      if (tracer.keeps(stream, context)) tracer.record(stream, context);
      tracer.release(stream);
    });
    // What is asked of the process costs some hundred bytes a block.
    t.ok(bytes < 8, `${bytes} bytes a request`);
    scene.tracing.flush();
    t.same(recordsOf(scene.tracingMessages), []);
  });
}

t.test('an object of each request would be seen', async (t) => {
  let last = { number: 0 };
  const bytes = allocatedBytes(() => {
    last = { number: last.number + 1 };
  });
  t.ok(bytes >= 16, `${bytes} bytes a request`);
});
