import t from 'tap';
import { decodeTracing } from '../../../xds/decode/tracing.ts';
import type { HttpConnectionManager } from '../../../xds/generated/messages.ts';
import { decodedAs } from '../../support/config-fixtures.ts';

const typeName = 'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager';
const decoded = (fields: string) =>
  decodedAs(
    typeName,
    `{stat_prefix: s, route_config: {}, ${fields}}`,
    (message: HttpConnectionManager, problems) => decodeTracing(message, false, problems)?.sampling ?? null,
  );
const uuid = (fields: string) =>
  `request_id_extension: {typed_config: {"@type": a/envoy.extensions.request_id.uuid.v3.UuidRequestIdConfig, ${fields}}}`;

t.test('without tracing nothing is chosen', async (t) => {
  t.same(decoded(''), { value: null, problems: [] });
  t.same(decoded(uuid('')), { value: null, problems: [] });
});

t.test('shares have their defaults, and are rounded down', async (t) => {
  const all = {
    clientPercent: 100,
    randomPerTenThousand: 10_000,
    overallPerTenThousand: 10_000,
    usesRequestId: true,
    marksIds: true,
  };
  t.same(decoded('tracing: {}'), { value: all, problems: [] });
  t.same(
    decoded(
      'tracing: {client_sampling: {value: 2.9}, random_sampling: {value: 1.239}, overall_sampling: {}, verbose: true}',
    ),
    { value: { ...all, clientPercent: 2, randomPerTenThousand: 123, overallPerTenThousand: 0 }, problems: [] },
  );
});

t.test('the extension says what is done with ids', async (t) => {
  t.match(decoded(`tracing: {}, ${uuid('pack_trace_reason: false')}`), { value: { marksIds: false }, problems: [] });
  const independent = decoded(`tracing: {}, ${uuid('use_request_id_for_trace_sampling: false')}`);
  t.match(independent, { value: { usesRequestId: false }, problems: [] });
});

t.test('another kind of request id is refused', async (t) => {
  t.match(decoded('request_id_extension: {typed_config: {"@type": a/b.C}}').problems, [
    /^request_id_extension\.typed_config: request id extension a\/b\.C is not supported/,
  ]);
});
