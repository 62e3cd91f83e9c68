// Where outrigger answers otherwise than Envoy, on purpose. Every entry says why and in which section of
// docs/differences-from-envoy.md operators read about it. One that explains nothing any more fails the test.

import { acceptedStatistics } from './accepted-statistics.ts';
import { absent, type Difference, type Observation } from './observation.ts';

export interface AcceptedDifference {
  /** Heading in docs/differences-from-envoy.md. */
  readonly section: string;
  readonly reason: string;
  readonly explains: (difference: Difference) => boolean;
}

export const acceptedDifferences: readonly AcceptedDifference[] = [
  {
    section: 'Stricter parsing',
    reason: 'what is ambiguous or malformed is refused where Envoy lets it pass, repairs it or waits for more',
    explains: ({ of }) => isRefused(of.outrigger) && statusOf(of.envoy) !== statusOf(of.outrigger),
  },
  {
    section: 'Stricter parsing',
    reason: 'both refuse: the detail names the fault, and of a head that is not valid nothing is logged',
    explains: ({ field, of }) => isRefused(of.outrigger) && /^log\.0\.(REQ|RESPONSE_(CODE_DETAILS|FLAGS))/.test(field),
  },
  {
    section: 'Stricter parsing',
    reason: 'a later minor version is HTTP/1.1 (RFC 9112 section 2.3); Envoy answers 426',
    explains: ({ place }) => place === 'refused: version HTTP/1.2',
  },
  {
    section: 'Stricter parsing',
    reason: 'a length is written in its canonical form',
    explains: ({ field, envoy, outrigger }) =>
      field.endsWith('.header.content-length') && /^0\d/.test(envoy) && Number(envoy) === Number(outrigger),
  },
  {
    section: 'Access log',
    reason:
      'of a request that is redirected here each line names the route, cluster and scheme of its own pass, and its bytes',
    explains: ({ place, field }) =>
      /^redirects: /.test(place) &&
      /^log\.\d\.(ROUTE_NAME|UPSTREAM_CLUSTER|REQ\(:SCHEME\)|BYTES_RECEIVED)$/.test(field),
  },
  {
    section: 'Order of headers',
    reason: 'transfer-encoding, connection and overwritten fields stay where they were; Envoy moves them to the end',
    explains: ({ place, field, envoy, outrigger }) =>
      field.endsWith('.order') &&
      (without(envoy, movedNames) === without(outrigger, movedNames) ||
        (/edits on|forwarded$/.test(place) && sorted(envoy) === sorted(outrigger))),
  },
  {
    section: 'Spelling of headers',
    reason: 'names keep the case in which they came, in trailers too and without any configuration',
    explains: ({ field, envoy, outrigger }) =>
      field.includes('.spelling.') || (field.endsWith('.trailers') && envoy.toLowerCase() === outrigger.toLowerCase()),
  },
  {
    section: 'Lines that repeat a header',
    reason: 'several lines of one list header are forwarded as they are, not joined',
    explains: ({ place, field, envoy, outrigger }) =>
      outrigger.split(' | ').join(',') === envoy ||
      (/: two (accepts|origins)/.test(place) && field === 'origin.0.order'),
  },
  {
    section: 'Local replies say what happened',
    reason: 'the body of a local reply has a sentence behind the text of Envoy, or is JSON for who accepts it',
    explains: (difference) => isLocalReply(difference) && isOfLocalReplyBody(difference),
  },
  {
    section: 'Status lines',
    reason: "the origin's reason phrase is kept; Envoy writes the standard one",
    explains: ({ field, envoy, outrigger }) =>
      /^response\.\d+\.start-line$/.test(field) && statusCode(envoy) === statusCode(outrigger) && isHttp11(envoy),
  },
  {
    section: 'Status lines',
    reason: 'a response is HTTP/1.1, also to HTTP/1.0 (RFC 9110 section 2.5)',
    explains: ({ field, envoy, outrigger }) =>
      /^response\.\d+\.start-line$/.test(field) && envoy.replace('HTTP/1.0', 'HTTP/1.1') === outrigger,
  },
  {
    section: 'Interim responses',
    reason: '103 is forwarded; Envoy drops it',
    explains: ({ place, field }) => place === 'messages: a 103 before the response' && field.startsWith('response.'),
  },
  {
    section: 'Requests without a body',
    reason: 'a request without a length is forwarded without one; Envoy adds content-length: 0 for most methods',
    explains: ({ field, envoy, outrigger }) =>
      (/^origin\.\d+\.header\.content-length$/.test(field) && envoy === '0' && outrigger === absent) ||
      (/^origin\.\d+\.framing$/.test(field) && envoy === 'length' && outrigger === 'none') ||
      (/^origin\.\d+\.order$/.test(field) && envoy === `${outrigger}, content-length`),
  },
  {
    section: 'Half-closed clients',
    reason:
      'a client that ends its writing side still gets its response (RFC 9112 section 9.6); Envoy resets the request',
    explains: ({ place }) => /half closes$|that is cut$|refused: nothing$/.test(place),
  },
  {
    section: 'Ends of connections',
    reason: 'a connection is half-closed at once behind its last response; Envoy waits for the client to close first',
    explains: ({ field, envoy, of }) =>
      /downstream_cx_(destroy_(local|remote)|delayed_close_timeout)$/.test(field) ||
      (field === 'ending' && envoy === 'reset by proxy' && of.outrigger.get('ending') === 'closed by proxy'),
  },
  {
    section: 'Ends of connections',
    reason:
      'a response that is cut, or a TCP connection without an endpoint, ends with a reset, so that nobody takes it for whole; Envoy closes',
    // A refused one is closed, unless the client's bytes come behind that: the kernel then resets it.
    explains: ({ place, field, outrigger }) =>
      field === 'ending' && outrigger === 'reset by proxy' && /within the|^tcp: (no |a refused )/.test(place),
  },
  {
    section: 'Failures of endpoints',
    reason:
      'an endpoint that closes within a response terminated the connection (UC, 503); for Envoy it broke the protocol',
    explains: ({ place, field }) =>
      /: closed within the/.test(place) && /start-line|\.body|RESPONSE_|upstream_|downstream_rq_/.test(field),
  },
  {
    section: 'Upgrades',
    reason: 'a response that refuses an upgrade is forwarded as it is; a tunnel that the client ends is no error',
    explains: ({ place }) => /: a websocket/.test(place),
  },
  {
    section: 'Hedging and other headers',
    reason: 'traces are not forced, requests are not hedged, and counters are not doubled under another name',
    explains: ({ place }) => /: (a forced trace|a stat name|hedging) on /.test(place),
  },
  {
    section: 'Access log',
    reason: 'the path is logged as it came when the answer is made of a changed one; Envoy logs the changed',
    explains: ({ field, place }) =>
      /\.REQ\((:PATH|X-ENVOY-ORIGINAL-PATH)\)$/.test(field) && /: (slashes of|redirect) /.test(place),
  },
  {
    section: 'Access log',
    reason: 'a request for which no cluster was chosen has none; a body that nobody took was not received',
    explains: ({ field, outrigger, place }) =>
      (field.endsWith('.UPSTREAM_CLUSTER') && outrigger === '-' && /upgrade|websocket|endpoint|^cors: /.test(place)) ||
      (field.endsWith('.BYTES_RECEIVED') && outrigger === '0'),
  },
  {
    section: 'Access log',
    reason: 'response flags stand in a fixed order; in Envoy in the order they were raised',
    explains: ({ field, envoy, outrigger }) =>
      /RESPONSE_FLAGS(_LONG)?$/.test(field) && sortedFlags(envoy) === sortedFlags(outrigger),
  },
  {
    section: 'Access log',
    reason: 'the scheme of a request is known from its connection, also when it is refused before it is routed',
    explains: ({ field, envoy }) => field.endsWith('.REQ(:SCHEME)') && envoy === '-',
  },
  {
    section: 'Access log',
    reason: 'an endpoint that was chosen is logged with its protocol, also when no connection to it came about',
    explains: ({ field, place }) =>
      /\.UPSTREAM_(PROTOCOL|HOST)$/.test(field) && /a refused connection|request allowed|chunks /.test(place),
  },
  {
    section: 'Access log',
    reason: 'an empty host is logged as none',
    explains: ({ field, place }) => field.endsWith('.REQ(:AUTHORITY)') && place === 'paths: an empty host',
  },
  {
    section: 'Stricter parsing',
    reason: 'a target in absolute form that is not allowed is a fault of the message: the connection ends',
    explains: ({ place }) => place === 'messages: absolute form where it is not allowed',
  },
  {
    section: 'Stricter parsing',
    reason: 'the head of a request is forwarded before a fault of its body is seen; the request is reset then',
    explains: ({ place, field }) =>
      place.startsWith('refused: chunks') && /^(origin|stat\.cluster)\.|UPSTREAM_|ROUTE_|\.BYTES_/.test(field),
  },
  {
    section: 'Fields between hops',
    reason: 'a field that Connection names is removed from responses too (RFC 9110 section 7.6.1)',
    explains: ({ place, field }) => place === 'headers: hop-by-hop fields of a response' && /order|x-hop/.test(field),
  },
  {
    section: 'Fields between hops',
    reason: 'Proxy-Connection is removed and asks for nothing; for Envoy it can end the connection',
    explains: ({ place, field }) => place === 'headers: Proxy-Connection: close' && field.includes('connection'),
  },
  {
    section: 'Fields between hops',
    reason: 'the coding of the body is forwarded as it was spelled',
    explains: ({ field, envoy, outrigger }) =>
      field.endsWith('.header.transfer-encoding') && envoy === outrigger.toLowerCase(),
  },
  {
    section: 'Order of headers',
    reason: 'what pages of other origins are told comes behind what the endpoint says, in another order',
    explains: ({ place, field, envoy, outrigger }) =>
      /^cors: /.test(place) && field === 'response.0.order' && sorted(envoy) === sorted(outrigger),
  },
  {
    section: 'Timeouts',
    reason: 'x-envoy-upstream-rq-timeout-alt-response is not obeyed: a timeout is answered by 504',
    explains: ({ place }) => place === 'faults: a 204 asked for',
  },
  {
    section: 'TCP proxy',
    reason: 'an end that the endpoint began counts as destroy_remote, and flags are of the connection',
    explains: ({ place, field }) =>
      /^(tcp|inspectors): /.test(place) &&
      /\.upstream_cx_destroy_|RESPONSE_FLAGS|UPSTREAM_(CLUSTER|TRANSPORT)/.test(field),
  },
  {
    section: 'Listener filters',
    reason: 'what is not TLS is known from the first byte that is wrong, where Envoy waits for five',
    explains: ({ place, field }) =>
      place === 'inspectors: a little of nothing known' && field === 'stat.tls_inspector.tls_not_found',
  },
  ...acceptedStatistics,
];

const movedNames = ['transfer-encoding', 'connection', 'content-length', 'content-type'];

function without(order: string, names: readonly string[]): string {
  return order
    .split(', ')
    .filter((name) => !names.includes(name))
    .join(', ');
}

function sorted(order: string): string {
  return order.split(', ').sort().join(', ');
}

function sortedFlags(flags: string): string {
  return flags.split(',').sort().join(',');
}

function statusCode(startLine: string): string {
  return startLine.split(' ')[1] ?? '';
}

function isHttp11(startLine: string): boolean {
  return startLine.startsWith('HTTP/1.1 ');
}

function statusOf(observation: Observation): string {
  return statusCode(observation.get('response.0.start-line') ?? '');
}

/** Answered as a fault of the client's message. */
function isRefused(observation: Observation): boolean {
  return observation.get('log.0.RESPONSE_FLAGS') === 'DPE' && /^[45]\d\d$/.test(statusOf(observation));
}

/** The request was answered by the proxy itself: Envoy's access log says so for the first request of the case. */
function isLocalReply({ of }: Difference): boolean {
  const details = of.envoy.get('log.0.RESPONSE_CODE_DETAILS') ?? '';
  return !['via_upstream', 'direct_response', '-'].includes(details);
}

/** The body and everything that its length and type show in. */
function isOfLocalReplyBody({ field, envoy, outrigger, of }: Difference): boolean {
  if (/^response\.\d+\.(body|header\.grpc-message)$/.test(field)) {
    const isJson = of.outrigger.get('response.0.header.content-type') === 'application/json';
    return envoy === '' || outrigger.startsWith(`${envoy}; `) || isJson;
  }
  return /^response\.\d+\.header\.content-(length|type)$|^log\.\d+\.(BYTES_SENT|RESP\(CONTENT-TYPE\))$/.test(field);
}
