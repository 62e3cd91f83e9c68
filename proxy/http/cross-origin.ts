// Requests of pages of other origins: a preflight is answered here, without the endpoint; of others it is remembered that
// their response may be read.
// https://fetch.spec.whatwg.org/#http-cors-protocol

import type { CompiledRoute } from '../route/compiled-route.ts';
import type { CompiledCors } from '../route/cors.ts';
import { httpStats } from '../telemetry/http-stats.ts';
import { headerName } from './header-name.ts';
import { BodyFraming, ResponseHead } from './message.ts';
import type { Stream } from './stream.ts';
import { noteCluster } from './stream-notes.ts';

const originName = headerName('origin');
const requestMethodName = headerName('access-control-request-method');
const privateNetworkName = headerName('access-control-request-private-network');
const noBody = new Uint8Array(0);

/** Judges where a request comes from. True when it was a preflight, and is answered. */
export function answersPreflight(stream: Stream, route: CompiledRoute, cors: CompiledCors): boolean {
  const { manager, head } = stream;
  const origin = head.headers.get(originName) ?? '';
  if (origin === '' || !cors.isEnabled(manager.context.matchContext)) return false;
  const isAllowed = cors.allows(origin);
  manager.stats.inc(isAllowed ? httpStats.corsOriginValid : httpStats.corsOriginInvalid);
  if (isAllowed) stream.allowedOrigin = origin;
  const isPreflight = head.method === 'OPTIONS' && (head.headers.get(requestMethodName) ?? '') !== '';
  if (!isPreflight || (!isAllowed && cors.forwardsOtherPreflights)) return false;
  const answer = new ResponseHead();
  answer.status = 200;
  cors.addToPreflight(answer.headers);
  if (isAllowed && cors.allowsPrivateNetwork && head.headers.get(privateNetworkName) === 'true')
    answer.headers.append('access-control-allow-private-network', 'true');
  answer.headers.append('content-length', '0');
  answer.framing = BodyFraming.none;
  answer.contentLength = 0;
  stream.info.responseCodeDetails = 'cors_response';
  noteRoutedCluster(stream, route);
  stream.answer(answer, noBody);
  return true;
}

/** As in Envoy, which has chosen it before its filters: it is logged and labels metrics, but counts nothing. */
function noteRoutedCluster({ manager, head, info }: Stream, route: CompiledRoute): void {
  if (route.action.kind !== 'forward') return;
  const name = route.action.selectCluster(head);
  const cluster = name === null ? null : manager.context.clusters.get(name);
  if (cluster !== null) noteCluster(info, cluster);
}
