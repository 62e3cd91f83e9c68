// The requests whose traces are compared.
//
// `{trace}`, `{short}` (its last 16 digits) and `{span}` stand for ids that no other case has, `{TRACE}` for capitals.

import type { OriginStep } from './recording-origin.ts';
import { answer, post, requestOf } from './suite.ts';

export interface TraceCase {
  /** Unique in its chapter. */
  readonly name: string;
  readonly listener: string;
  readonly send: string;
  readonly origin?: readonly OriginStep[];
  /** The client resets its connection when the origin has the request. */
  readonly clientResets?: true;
}

export interface Chapter {
  readonly name: string;
  /** Has outcomes that outrigger exports few of in a second. */
  readonly hasOwnSecond?: true;
  readonly cases: readonly TraceCase[];
}

type Headers = readonly string[];

function marked(mark: string): string {
  return `x-request-id: 8a1c2f3e-0b5d-${mark}c6e-9f70-123456789abc`;
}

function app(listener: string, name: string, headers: Headers, path = '/app'): TraceCase {
  return { name, listener, send: requestOf('GET', path, headers) };
}

const parents: readonly (readonly [name: string, headers: Headers])[] = [
  ['no parent', []],
  ['traceparent, sampled', ['traceparent: 00-{trace}-{span}-01']],
  ['traceparent, not sampled', ['traceparent: 00-{trace}-{span}-00']],
  ['traceparent, random flag', ['traceparent: 00-{trace}-{span}-03']],
  ['tracestate', ['traceparent: 00-{trace}-{span}-01', 'tracestate: a=b,vendor@x=1:2']],
  ['two lines of tracestate', ['traceparent: 00-{trace}-{span}-01', 'tracestate: a=b', 'tracestate: c=d']],
  ['tracestate, not sampled', ['traceparent: 00-{trace}-{span}-00', 'tracestate: a=b']],
  ['an empty tracestate', ['traceparent: 00-{trace}-{span}-01', 'tracestate:']],
  ['a malformed tracestate', ['traceparent: 00-{trace}-{span}-01', 'tracestate: A B']],
  ['a threshold', ['traceparent: 00-{trace}-{span}-01', 'tracestate: ot=th:0']],
  ['tracestate alone', ['tracestate: a=b']],
  ['version 01', ['traceparent: 01-{trace}-{span}-01-more']],
  ['version ff', ['traceparent: ff-{trace}-{span}-01']],
  ['trace id in capitals', ['traceparent: 00-{TRACE}-{span}-01']],
  ['trace id of zeros', ['traceparent: 00-00000000000000000000000000000000-{span}-01']],
  ['short traceparent', ['traceparent: 00-{short}-{span}-01']],
  ['two traceparents', ['traceparent: 00-{trace}-{span}-01', 'traceparent: 00-{trace}-{span}-01']],
  ['b3, sampled', ['b3: {trace}-{span}-1']],
  ['b3, not sampled', ['b3: {trace}-{span}-0']],
  ['b3, no decision', ['b3: {trace}-{span}']],
  ['b3, debug', ['b3: {trace}-{span}-d']],
  ['b3, 64 bits', ['b3: {short}-{span}-1']],
  ['b3, with a parent', ['b3: {trace}-{span}-1-00f067aa0ba902b7']],
  ['b3: 0', ['b3: 0']],
  ['b3: 1', ['b3: 1']],
  ['malformed b3', ['b3: {trace}-xyz-1']],
  ['x-b3, sampled', ['x-b3-traceid: {trace}', 'x-b3-spanid: {span}', 'x-b3-sampled: 1']],
  ['x-b3, not sampled', ['x-b3-traceid: {trace}', 'x-b3-spanid: {span}', 'x-b3-sampled: 0']],
  ['x-b3, no decision', ['x-b3-traceid: {trace}', 'x-b3-spanid: {span}']],
  ['x-b3, 64 bits', ['x-b3-traceid: {short}', 'x-b3-spanid: {span}', 'x-b3-sampled: 1']],
  [
    'x-b3, with a parent',
    ['x-b3-traceid: {trace}', 'x-b3-spanid: {span}', 'x-b3-parentspanid: 00f067aa0ba902b7', 'x-b3-sampled: 1'],
  ],
  ['x-b3, debug', ['x-b3-traceid: {trace}', 'x-b3-spanid: {span}', 'x-b3-flags: 1']],
  ['x-b3-sampled alone: 1', ['x-b3-sampled: 1']],
  ['x-b3-sampled alone: 0', ['x-b3-sampled: 0']],
  ['malformed x-b3', ['x-b3-traceid: xyz', 'x-b3-spanid: {span}', 'x-b3-sampled: 1']],
  ['x-b3 without a span', ['x-b3-traceid: {trace}', 'x-b3-sampled: 1']],
  [
    'both of one trace',
    ['traceparent: 00-{trace}-{span}-01', 'x-b3-traceid: {trace}', 'x-b3-spanid: {span}', 'x-b3-sampled: 1'],
  ],
];

function parentsOf(listener: string): Chapter {
  return { name: `parents, ${listener}`, cases: parents.map(([name, headers]) => app(listener, name, headers)) };
}

/** What chooses a request where percentages do not, and what its id says then. */
const asked: readonly (readonly [name: string, headers: Headers])[] = [
  ['nothing', []],
  ['an id', [marked('4')]],
  ['an id marked 9', [marked('9')]],
  ['an id marked a', [marked('a')]],
  ['an id marked b', [marked('b')]],
  ['an id that is none', ['x-request-id: mine']],
  ['forced', ['x-envoy-force-trace: true']],
  ['of the client', ['x-client-trace-id: mine']],
];

function askedOf(listener: string): Chapter {
  const both = app(listener, 'not sampled and forced', [
    'traceparent: 00-{trace}-{span}-00',
    'x-envoy-force-trace: true',
  ]);
  return { name: `asked, ${listener}`, cases: [...asked.map(([name, headers]) => app(listener, name, headers)), both] };
}

const failing = answer('503 Service Unavailable');
const hello: OriginStep = { onEnd: answer('200 OK', 'hello') };
const agent: Headers = ['user-agent: agent', 'x-envoy-downstream-service-cluster: caller'];
const decorator = 'x-envoy-decorator-operation';

/** What becomes of requests, by each tracer. */
function outcomesOf(listener: string): Chapter {
  const at = (name: string, path: string, headers: Headers = []): TraceCase => app(listener, name, headers, path);
  const answered = (name: string, head: string, ...fields: Headers): TraceCase => {
    return { ...at(name, '/app'), origin: [{ onEnd: answer(head, '', ...fields) }] };
  };
  return {
    name: `outcomes, ${listener}`,
    cases: [
      at('GET', '/app/orders?id=1&x=%20y', agent),
      { name: 'POST', listener, send: post('/app', 'posted', ...agent) },
      { name: 'an unknown method', listener, send: requestOf('FETCH', '/app', []) },
      answered('201', '201 Created'),
      answered('304', '304 Not Modified'),
      answered('404', '404 Not Found'),
      answered('500', '500 Internal Server Error'),
      at('direct response', '/direct'),
      at('direct 503', '/failed'),
      at('redirect', '/redirect'),
      at('no route', '/none'),
      at('no endpoint', '/empty'),
      { ...at('timeout', '/slow'), origin: [{}] },
      { ...at('reset by the endpoint', '/app'), origin: [{ ending: 'reset' }] },
      { ...at('reset by the client', '/app'), origin: [{}], clientResets: true },
    ],
  };
}

function attemptsOf(listener: string): Chapter {
  const at = (name: string, path: string, headers: Headers = []): TraceCase => app(listener, name, headers, path);
  return {
    name: `attempts and names, ${listener}`,
    cases: [
      { ...at('a retry that helps', '/retried'), origin: [{ onEnd: failing }, hello] },
      { ...at('retries that do not', '/retried'), origin: [{ onEnd: failing }] },
      {
        ...at('a retry with a parent', '/retried', ['traceparent: 00-{trace}-{span}-01', 'b3: {trace}-{span}-1']),
        origin: [{ onEnd: failing }, hello],
      },
      at('decorated', '/decorated'),
      at('decorated quietly', '/quietly'),
      at('decorated by the caller', '/decorated', [`${decorator}: theirs`]),
      at('decorated by the caller only', '/app', [`${decorator}: theirs`]),
      {
        ...at('decorated by the callee', '/decorated'),
        origin: [{ onEnd: answer('200 OK', '', `${decorator}: theirs`) }],
      },
      at('an operation', '/operation', ['x-op: mine']),
      at('an operation without its header', '/operation'),
      at('an operation, decorated by the caller', '/operation', [`${decorator}: theirs`]),
      at('an operation of the manager', '/app', ['x-op: mine']),
      at('tags', '/tagged', ['x-tag: mine']),
      at('tags without their header', '/tagged'),
      at('a route never traced', '/never'),
      at('a route never traced, parent', '/never', ['traceparent: 00-{trace}-{span}-01']),
      at('a route silenced', '/silenced'),
      at('a route always traced', '/always'),
      {
        ...at('gRPC that fails', '/app/package.Service/Method', ['content-type: application/grpc', 'te: trailers']),
        origin: [
          { onEnd: answer('200 OK', '', 'content-type: application/grpc', 'grpc-status: 5', 'grpc-message: gone') },
        ],
      },
    ],
  };
}

export const chapters: readonly Chapter[] = [
  ...['otlp', 'otlp-none', 'otlp-always', 'zipkin', 'zipkin-64', 'zipkin-w3c', 'zipkin-none'].map(parentsOf),
  ...['otlp', 'otlp-none', 'otlp-no-client', 'otlp-nothing', 'otlp-edge', 'otlp-edge-kept-ids'].map(askedOf),
  ...['otlp-no-marks', 'otlp-no-ids', 'otlp-silent', 'zipkin-none'].map(askedOf),
  // Before all chapters with errors and retries that are chosen: they would count for the same second.
  { ...attemptsOf('otlp-none'), hasOwnSecond: true },
  ...['otlp', 'otlp-attempts', 'otlp-inbound', 'otlp-outbound', 'zipkin', 'zipkin-outbound'].map(outcomesOf),
  ...['zipkin-attempts', 'zipkin-inbound'].map(outcomesOf),
  ...['otlp', 'otlp-attempts', 'otlp-outbound', 'otlp-outbound-attempts'].map(attemptsOf),
  ...['zipkin', 'zipkin-attempts', 'zipkin-outbound'].map(attemptsOf),
];
