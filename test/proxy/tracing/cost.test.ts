// Acceptance test 9 of the sampler: what a decision costs, and what a kept trace costs before anything of it is written. A
// disturbance only adds, so that of many short rounds the least is asked for, and no more are run than it takes.

import t from 'tap';
import { raiseInliningLimits } from '../../../proxy/command/inlining.ts';
import { encodeLine } from '../../../proxy/http/header-table.ts';
import { RequestHead } from '../../../proxy/http/message.ts';
import type { Stream } from '../../../proxy/http/stream.ts';
import { StreamInfo } from '../../../proxy/http/stream-info.ts';
import { routeOf } from '../../support/data-plane.ts';
import { Scene } from '../../support/http-fixtures.ts';
import { forwardAction } from '../../support/route-fixtures.ts';
import { tracingOf } from '../../support/trace-fixtures.ts';

/** Short enough to fit between two disturbances, long enough for a draw of random bytes. */
const requestsARound = 700;
const mostRounds = 5_000;

const lines = [encodeLine('host', 'shop.example'), encodeLine('user-agent', 'curl/8'), encodeLine('accept', '*/*')];

/** Least microseconds of a round's requests; rounds end when they take no more than `enough`. */
function leastMicros(rounds: number, enough: number, run: () => void): number {
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds && least > enough; round++) {
    const startedAt = process.hrtime.bigint();
    for (let index = 0; index < requestsARound; index++) run();
    least = Math.min(least, Number(process.hrtime.bigint() - startedAt) / 1000 / requestsARound);
  }
  return least;
}

/** Microseconds that a trace adds to the making of headers until it is decided about and told to the next hop. */
function addedMicros(randomPerTenThousand: number, goal: number): number {
  const tracing = tracingOf({}, { randomPerTenThousand });
  const scene = new Scene({ manager: { tracing }, routes: [routeOf('/', forwardAction())] });
  const { manager, cluster } = scene;
  const tracer = manager.tracer!;
  const head = new RequestHead();
  head.method = 'GET';
  head.path = '/';
  const info = new StreamInfo();
  const stream = { head, info, manager, random: () => 0.5, trace: null } as unknown as Stream;
  const route = manager.routes.match(head, manager.context.matchContext)!;
  const fill = () => {
    head.headers.clear();
    for (let index = 0; index < lines.length; index++) head.headers.appendLine(lines[index]!);
  };
  const bare = leastMicros(300, 0, fill);
  const traced = () => {
    fill();
    tracer.begin(stream, route, cluster);
    tracer.inject(stream);
    tracer.release(stream);
  };
  return leastMicros(mostRounds, bare + goal, traced) - bare;
}

raiseInliningLimits();

t.test('9: deciding about a request that is not kept, and telling its ids, takes 0.3 us at most', async (t) => {
  const micros = addedMicros(0, 0.3);
  t.ok(micros <= 0.3, `${micros.toFixed(3)} us`);
});

t.test('9: a trace that is kept takes 3 us at most before it is written', async (t) => {
  const micros = addedMicros(10_000, 3);
  t.ok(micros <= 3, `${micros.toFixed(3)} us`);
});
