import t from 'tap';
import { SamplingReason } from '../../../proxy/tracing/sampling-reason.ts';
import { tableOf } from '../../support/header-lines.ts';
import { recordsIn, tracedScene } from '../../support/trace-fixtures.ts';

/** Reason and status of what is kept of a call for each status there is, said in trailers. */
function keptOf(contentType: string, passesTrailers: boolean): readonly unknown[] {
  const scene = tracedScene();
  const upstreamHttp = scene.cluster.config.upstreamHttp as { enableTrailers: boolean };
  upstreamHttp.enableTrailers = passesTrailers;
  for (let status = 0; status <= 16; status++) {
    scene.request((head) => {
      head.method = 'POST';
      head.path = '/shop.Cart/Add';
      head.headers.append('content-type', contentType);
    });
    const connection = scene.connect();
    scene.respond(connection, 200, false);
    connection.isOpen = false;
    connection.receiver!.onResponseEnd(tableOf(`grpc-status: ${status}`));
  }
  return recordsIn(scene).map(({ reason, spans: [span] }) => [reason, span!.attributes['rpc.grpc.status_code']]);
}

t.test('of all statuses in trailers those that are a fault of the server are kept as errors', async (t) => {
  // UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS.
  const faults = [2, 4, 12, 13, 14, 15].map((status) => [SamplingReason.error, status]);
  t.same(keptOf('application/grpc', true), faults);
  t.same(keptOf('application/json', true), [], 'of what is not gRPC the field says nothing');
  t.same(keptOf('application/grpc', false), [], 'trailers that are not passed on are not read');
});
