// A statistic that is declared is a promise that somebody counts it: an operator builds an alert on it, and it stays 0. What
// nothing increments is named here with the reason; one that is counted by now fails, so that the list cannot rot.

import t from 'tap';
import ts from 'typescript';
import { nodesOf, parse, pathsOf, textOf } from './source-tree.ts';

const noHttp2 = 'there is no HTTP/2 yet';
const noOverload = 'there is no overload manager';
const noBuffering = 'no filter gathers bodies';
const notKept = 'docs/differences-from-envoy.md says so';

/** What Envoy has and nothing here can bring about, or what documentation says is not kept. */
const ALWAYS_ZERO: ReadonlyMap<string, string> = new Map([
  ['assignmentStale', 'endpoint_stale_after is refused'],
  ['assignmentTimeoutReceived', 'endpoint_stale_after is refused'],
  ['assignmentUseCached', 'endpoint_stale_after is refused'],
  ['bindErrors', notKept],
  ['clusterUpdatedViaMerge', 'updates are not merged'],
  ['cxPoolOpen', 'max_connection_pools is refused'],
  ['debugAssertionFailures', 'an assertion that fails ends the process'],
  ['deprecatedFeatureSeenSinceProcessStart', notKept],
  ['deprecatedFeatureUse', notKept],
  ['downstreamCxHttp1SoftDrain', 'http1_safe_max_connection_duration is refused'],
  ['downstreamCxHttp2Active', noHttp2],
  ['downstreamCxHttp2Total', noHttp2],
  ['downstreamCxOverloadClose', noOverload],
  ['downstreamCxOverloadDisableKeepalive', noOverload],
  ['downstreamCxOverloadReject', noOverload],
  ['downstreamCxRxBytesBuffered', notKept],
  ['downstreamCxTxBytesBuffered', notKept],
  ['downstreamRqHttp2Total', noHttp2],
  ['downstreamRqOverloadClose', noOverload],
  ['downstreamRqRejectedViaIpDetection', 'original_ip_detection_extensions is refused'],
  ['downstreamRqTooLarge', noBuffering],
  ['downstreamRqTooManyPrematureResets', 'a connection of HTTP/1.1 has one at most'],
  ['dynamicUnknownFields', notKept],
  ['extensionConfigMissing', 'listener filters are not discovered'],
  ['initializationTimeMs', notKept],
  ['listenerStopped', notKept],
  ['loadError', 'there are no runtime directories'],
  ['membershipExcluded', 'there are no health checks'],
  ['metadataNotSupportedError', noHttp2],
  ['overrideDirExists', 'there are no runtime directories'],
  ['responseFlood', 'a client that does not read its responses is not read either'],
  ['rqOverloadLocalReply', noOverload],
  ['rqResetAfterDownstreamResponseStarted', notKept],
  ['rsTooLarge', noBuffering],
  ['secondsUntilFirstOcspResponseExpiring', notKept],
  ['staticUnknownFields', notKept],
  ['tracingClientEnabled', notKept],
  ['tracingHealthCheck', notKept],
  ['tracingNotTraceable', notKept],
  ['tracingRandomSampling', notKept],
  ['tracingServiceForced', notKept],
  ['updateMergeCancelled', 'updates are not merged'],
  ['updateOutOfMergeWindow', 'updates are not merged'],
  ['upstreamCxHttp2Total', noHttp2],
  ['upstreamCxPoolOverflow', 'max_connection_pools is refused'],
  ['upstreamCxRxBytesBuffered', notKept],
  ['upstreamCxTxBytesBuffered', notKept],
  ['upstreamRqMaintenanceMode', notKept],
  ['upstreamRqMaxDurationReached', 'max_stream_duration of a cluster is refused'],
  ['upstreamRqRxResetNoError', noHttp2],
  ['warmingState', notKept],
]);

/** Counted by their place behind a neighbour. */
const BY_PLACE = /(Rq|^downstreamRq)[2-5]xx$/;

t.test('every statistic is counted somewhere, or stays 0 for a reason', async (t) => {
  const declared = new Set(pathsOf('proxy/telemetry/*.ts').flatMap((path) => [...statisticsOf(path)]));
  const used = new Set(pathsOf(['proxy/**/*.ts', 'bpf/**/*.ts']).flatMap((path) => [...namesOf(path)]));
  t.ok(declared.size > 200, `${declared.size} statistics`);
  const silent = [...declared].filter((name) => !used.has(name) && !BY_PLACE.test(name)).sort();
  t.same(silent, [...ALWAYS_ZERO.keys()].sort());
});

/** Keys of what is declared by `counter(…)` and its like. */
function* statisticsOf(path: string): Generator<string> {
  if (!/defineStats|(counter|gauge|histogram)\(/.test(textOf(path))) return;
  for (const node of nodesOf(parse(path))) {
    if (!ts.isPropertyAssignment(node) || !ts.isCallExpression(node.initializer)) continue;
    if (/^(counter|gauge|histogram|statusCodes)$/.test(node.initializer.expression.getText()))
      yield node.name.getText();
  }
}

/** Names that are read from something: `stats.name`, `{ name } = stats`, `'name'`. */
function* namesOf(path: string): Generator<string> {
  for (const node of nodesOf(parse(path))) {
    if (ts.isPropertyAccessExpression(node)) yield node.name.text;
    else if (ts.isBindingElement(node)) yield (node.propertyName ?? node.name).getText();
    else if (ts.isStringLiteral(node)) yield node.text;
  }
}
