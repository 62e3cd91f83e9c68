import t from 'tap';
import { decodeIstioStats } from '../../../xds/decode/istio-stats.ts';
import type { PluginConfig } from '../../../xds/generated/messages.ts';
import { decodedAs } from '../../support/config-fixtures.ts';

const decoded = (fields: string) =>
  decodedAs('stats.PluginConfig', `{${fields}}`, (message: PluginConfig, problems) =>
    decodeIstioStats(message, problems),
  );

t.test('without anything said the metrics are those of Istio', async (t) => {
  t.same(decoded('').value, { usesHostHeader: true, tcpReportingIntervalMs: 5_000, overrides: {} });
  t.match(decoded('disable_host_header_fallback: true, tcp_reporting_duration: 1s').value, {
    usesHostHeader: false,
    tcpReportingIntervalMs: 1_000,
  });
});

t.test('metrics are dropped, and tags set and removed, by metric or for all, the last word winning', async (t) => {
  const { value, problems } = decoded(`metrics: [
    {dimensions: {mesh: "'a'", zone: "node.metadata['LABELS'].zone"}, tags_to_remove: [source_app]},
    {name: requests_total, dimensions: {mesh: request.host, verb: request.method}, tags_to_remove: [source_version]},
    {name: tcp_sent_bytes_total, drop: true}]`);
  t.same(problems, []);
  const zone = { kind: 'node-metadata', path: ['LABELS', 'zone'] };
  const all = { isDropped: false, removedTags: ['source_app'], tags: { mesh: { kind: 'literal', text: 'a' }, zone } };
  t.same(value.overrides.request_bytes, all);
  t.same(value.overrides.tcp_sent_bytes_total, { ...all, isDropped: true });
  t.same(value.overrides.requests_total, {
    isDropped: false,
    removedTags: ['source_app', 'source_version'],
    tags: { mesh: { kind: 'request', part: 'host' }, verb: { kind: 'request', part: 'method' }, zone },
  });
});

t.test('messages of gRPC streams may be named', async (t) => {
  t.same(decoded('metrics: [{name: request_messages_total, drop: true}]'), {
    value: decoded('').value,
    problems: [],
  });
});

t.test('what would make a tag lie is refused', async (t) => {
  const tag = (name: string, expression: string) =>
    decoded(`metrics: [{dimensions: {${name}: ${JSON.stringify(expression)}}}]`).problems;
  for (const expression of ['request.url_path', "'a' + 'b'", "'a\\'b'", 'node.id', 'node.metadata', '']) {
    t.matchOnly(tag('a', expression), [/is not supported; write 'text', node\.metadata/], expression);
  }
  t.matchOnly(tag('"a b"', "'x'"), [/a tag has letters/]);
  t.matchOnly(decoded('metrics: [{name: nothing}]').problems, [/^metrics\[0\]\.name: "nothing" is no metric of Istio/]);
  t.matchOnly(decoded('definitions: [{name: a, value: "1"}]').problems, [/definitions is not supported/]);
  t.matchOnly(decoded('reporter: SERVER_GATEWAY').problems, [/reporter/]);
});
