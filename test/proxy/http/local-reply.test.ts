import t from 'tap';
import { clusterNotFoundReply, grpcStatusOf, LocalReplies } from '../../../proxy/http/local-reply.ts';
import { ResponseFlag } from '../../../proxy/http/stream-info.ts';

t.test('every reply has an error status, a detail word and cannot be changed', async (t) => {
  for (const [name, reply] of Object.entries(LocalReplies)) {
    t.ok(reply.status >= 400 && reply.status < 600, `${name}: ${reply.status}`);
    t.match(reply.details, /^[a-z0-9._]+(\{[a-z_]+\})?$/, name);
    t.ok(Object.isFrozen(reply), name);
  }
});

t.test('a missing cluster is answered with the status of the route', async (t) => {
  for (const status of [404, 500, 503] as const) {
    t.match(clusterNotFoundReply(status), { status, flags: ResponseFlag.noClusterFound, details: 'cluster_not_found' });
  }
});

t.test('HTTP statuses become gRPC statuses by the mapping of gRPC', async (t) => {
  const mapping = { 400: 13, 401: 16, 403: 7, 404: 12, 429: 14, 502: 14, 503: 14, 504: 14, 500: 2, 408: 2, 418: 2 };
  for (const [status, expected] of Object.entries(mapping)) t.equal(grpcStatusOf(Number(status)), expected, status);
});
