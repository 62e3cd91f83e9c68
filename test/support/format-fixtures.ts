// A finished request for tests of formats.

import type { FormatContext } from '../../proxy/format/format-context.ts';
import { StreamInfo } from '../../proxy/http/stream-info.ts';
import { request, response } from './route-fixtures.ts';

/** A request that was answered, with every fact that a plain connection has. */
export function finishedRequest(): FormatContext {
  const info = new StreamInfo();
  Object.assign(info, {
    startWallMs: Date.UTC(2026, 10, 21, 12, 43, 25, 7),
    startedAtMs: 1000,
    requestEndAtMs: 1002.9,
    upstreamRequestEndAtMs: 1003,
    responseHeadAtMs: 1010,
    endedAtMs: 1015.5,
    protocol: 'HTTP/1.1',
    responseCode: 200,
    responseCodeDetails: 'via_upstream',
    requestBodyBytes: 12,
    responseBodyBytes: 345,
    requestHeaderBytes: 67,
    responseHeaderBytes: 89,
    upstreamBytesSent: 79,
    upstreamBytesReceived: 434,
    upstreamConnectionNumber: 3,
    connectionId: 42,
    requestId: 'id-1',
    attemptCount: 2,
    downstreamRemoteAddress: '10.0.0.3:51234',
    downstreamDirectRemoteAddress: '[fd00::3]:51235',
    downstreamLocalAddress: '10.0.0.2:80',
    upstreamRemoteAddress: '10.0.0.7:8080',
    upstreamLocalAddress: '10.0.0.2:40000',
    upstreamHostname: 'pod-7',
    upstreamCluster: 'service',
    upstreamClusterStatName: 'service;team=a',
    routeName: 'all',
    virtualHostName: 'shop',
    filterChainName: 'plain',
  });
  return {
    info,
    request: request({
      method: 'POST',
      path: '/new?q',
      headers: [
        ['User-Agent', 'curl "8"'],
        ['X-A', '1'],
        ['x-a', '2'],
      ],
    }),
    response: response(200, [['Server', 'origin']]),
    responseTrailers: null,
    localReplyBody: '',
  };
}
