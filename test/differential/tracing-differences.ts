// Where traces are otherwise than Envoy's, on purpose, and where docs/differences-from-envoy.md says it. An entry that explains
// nothing any more fails the test.

import { absent, type Difference } from './observation.ts';

export interface AcceptedTraceDifference extends Explanation {
  /** Heading in docs/differences-from-envoy.md. */
  readonly section: string;
}

interface Explanation {
  readonly reason: string;
  readonly explains: (difference: Difference) => boolean;
}

/** By the names of cases and of fields. */
function inCases(cases: RegExp, fields: RegExp): Explanation['explains'] {
  return ({ place, field }) => cases.test(place) && fields.test(field);
}

const toldIds = /^origin\.\d+\.(traceparent|tracestate|b3|x-b3-\w+)$/;
const tracedIds =
  /^(origin\.\d+\.(traceparent|tracestate|b3|x-b3-\w+)|spans|span\.\d+\.(trace|id|parent|flags|shared|tracestate))$/;
const isW3c =
  /: (traceparent|tracestate|tracestate, .*|two lines .*|an empty tracestate|a malformed tracestate|a threshold|both .*|traceparent, .*|a route never traced, parent|a retry with a parent|not sampled and forced)$/;
const isB3 = /: (x-b3|b3|both|a retry with a parent)/;

const propagation: readonly Explanation[] = [
  {
    reason: 'new traces have the random flag, and a received one is told on',
    explains: ({ field, envoy, outrigger }) => {
      return /\.(traceparent|flags)$/.test(field) && outrigger.endsWith('3') && `${outrigger.slice(0, -1)}1` === envoy;
    },
  },
  {
    reason: 'new traces have the random flag, also those that are not sampled',
    explains: ({ field, envoy, outrigger }) => {
      return field.endsWith('.traceparent') && outrigger.endsWith('2') && `${outrigger.slice(0, -1)}0` === envoy;
    },
  },
  {
    reason: 'tracestate says the threshold of a choice',
    explains: ({ field, envoy, outrigger }) =>
      field.endsWith('.tracestate') && outrigger.replace(/^ot=th:0,?/, '') === envoy.replace(absent, ''),
  },
  {
    reason: 'an empty tracestate is not sent',
    explains: ({ field, envoy, outrigger }) => field.endsWith('.tracestate') && envoy === '' && outrigger === absent,
  },
  {
    reason: 'lines of one list are not joined',
    explains: ({ field, envoy, outrigger }) =>
      field.endsWith('.tracestate') && outrigger.split(' | ').join(',') === envoy,
  },
  {
    reason: 'a tracestate that is malformed, or without a traceparent, is dropped',
    explains: inCases(/: (a malformed tracestate|tracestate alone)$/, /\.tracestate$/),
  },
  {
    reason: 'the mark in the request id is of the decision that was made',
    explains: ({ field, envoy, outrigger }) =>
      /x-request-id$/.test(field) && envoy !== outrigger && withoutMark(envoy) === withoutMark(outrigger),
  },
  {
    reason: "OpenTelemetry's tracer follows a caller whom the percentages do not choose",
    explains: inCases(
      /^parents, otlp-none: |: a (route never traced, parent|retry with a parent)$/,
      /^(spans|origin\.\d+\.traceparent)$/,
    ),
  },
  {
    reason: "OpenTelemetry's tracer reads and answers B3",
    explains: (difference) => isB3.test(difference.place) && isOtlp(difference) && tracedIds.test(difference.field),
  },
  {
    reason: "Zipkin's tracer reads and answers W3C in any case",
    explains: (difference) => isW3c.test(difference.place) && isZipkin(difference) && tracedIds.test(difference.field),
  },
  {
    reason: "Zipkin's tracer answers b3 in x-b3-… too",
    explains: (difference) =>
      isZipkin(difference) &&
      / b3|retry with/.test(difference.place) &&
      isAdded(difference) &&
      toldIds.test(difference.field),
  },
  {
    reason: 'a traceparent that is malformed is replaced',
    explains: inCases(
      /: (version ff|trace id in capitals|trace id of zeros|short traceparent|two traceparents)$/,
      tracedIds,
    ),
  },
  {
    reason: 'a traceparent of a later version is read as far as 00 goes',
    explains: inCases(/: version 01$/, tracedIds),
  },
  {
    reason: 'of B3 with an id that is malformed nothing counts',
    explains: inCases(/: (malformed (x-)?b3|x-b3 without a span)$/, tracedIds),
  },
  {
    reason: 'debug is told on as d, or as x-b3-flags without x-b3-sampled, and heeded in x-b3-flags',
    explains: inCases(/b3, debug$/, /^(spans|origin\.0\.(b3|x-b3-\w+))$/),
  },
  {
    reason: "a span that shares the caller's id does not name the caller's parent",
    explains: (difference) =>
      isZipkin(difference) &&
      /b3, with a parent$/.test(difference.place) &&
      /\.(b3|x-b3-parentspanid|parent)$/.test(difference.field),
  },
  {
    reason: 'a trace id of 64 bits is not the id of its first span too',
    explains: ({ place, field, envoy }) =>
      place.includes('zipkin-64') && /\.(id|b3|x-b3-spanid)$/.test(field) && /^<id 1>(-<id 1>-[01])?$/.test(envoy),
  },
];

const decisions: readonly Explanation[] = [
  {
    reason: 'a sampler of the provider decides alone; in Envoy percentages have to choose the request too',
    explains: inCases(/otlp-always: /, /^(spans|origin\.0\.(traceparent|tracestate|b3|x-b3-\w+))$/),
  },
  {
    reason: "a 9 in a request id is a caller's decision: no percentage is a ceiling for it",
    explains: inCases(/otlp-nothing: an id marked 9$/, /^(spans|origin\.0\.traceparent)$/),
  },
  {
    reason: 'a request id that is no UUID is no reason to leave a request out',
    explains: inCases(/: an id that is none$/, /^(spans|origin\.0\.traceparent)$/),
  },
  {
    reason: 'errors and retries are recorded though nothing has chosen them',
    explains: inCases(/otlp-none: (a retry that helps|retries that do not)$/, /^spans$/),
  },
];

/** Attributes of ours that Envoy has not, anywhere or in spans of attempts. */
const added =
  /\.tag\.(http\.(route|method|url)|sampling\.reason|trust\.transport|rpc\.\w+|error\.(type|message)|http\.method_original|http\.request\.method_original|node_id|zone|error)$/;

const spans: readonly Explanation[] = [
  {
    reason: 'spans are named by method and path of the route, in Envoy by the direction, the host or the cluster',
    explains: ({ field, envoy }) =>
      /^span\.\d\.name$/.test(field) &&
      /^("a\.example"|ingress|egress a\.example|"?router app_stats egress"?)$/.test(envoy),
  },
  {
    reason: 'there are more attributes: the semantic conventions, why a span was kept, trust',
    explains: (difference) => isAdded(difference) && added.test(difference.field),
  },
  {
    reason: "errors are told by the span's status and error.type, not by error, canceled and error.reason",
    explains: ({ field, outrigger }) => /\.tag\.(error|canceled|error\.reason)$/.test(field) && outrigger === absent,
  },
  {
    reason: 'what is not there has no attribute; in Envoy it is - or 0',
    explains: ({ field, envoy, outrigger }) =>
      /\.tag\.(user_agent|http\.status_code)$/.test(field) && /^[-0]$/.test(envoy) && outrigger === absent,
  },
  {
    reason: 'gRPC is told as rpc.…, and its message not at all',
    explains: ({ field, outrigger }) => /\.tag\.grpc\.\w+$/.test(field) && outrigger === absent,
  },
  {
    reason: 'response flags are of the request, and in its span only',
    explains: ({ field, outrigger }) => /^span\.[1-9]\.tag\.response_flags$/.test(field) && outrigger === absent,
  },
  {
    reason:
      'a span without an answer, or of a client that got 4xx or a status of gRPC, is an error; the message says which',
    explains: ({ field, envoy }) =>
      (/\.status$/.test(field) && envoy === 'STATUS_CODE_UNSET') || (field.endsWith('.status message') && envoy === ''),
  },
  {
    reason: 'a local reply has a sentence behind the text of Envoy',
    explains: inCases(/: (no route|no endpoint|timeout|reset by the endpoint)$/, /\.tag\.response_size$/),
  },
  {
    reason: 'the resource names the instance and the host, and who sends it',
    explains: ({ field }) => /\.resource\.(host\.name|service\.instance\.id|telemetry\.sdk\.\w+)$/.test(field),
  },
  {
    reason: 'attempts without spans of their own are events',
    explains: ({ field, outrigger }) => field.endsWith('.events') && outrigger.includes('upstream_attempt'),
  },
  {
    reason: "Zipkin's annotations ss and cr are left to the kind of a span",
    explains: ({ field, envoy, outrigger }) =>
      field.endsWith('.events') && envoy.replace(/(, )?\b(ss|cr)$/, '') === outrigger,
  },
  {
    reason: 'shared is said of spans that share an id only; in Envoy of all that may',
    explains: ({ field, outrigger }) => field.endsWith('.shared') && outrigger === absent,
  },
  {
    reason: 'Zipkin is told the address of the peer, and no port that is 0',
    explains: ({ field, envoy, outrigger }) =>
      (field.endsWith('.remoteEndpoint') && envoy === absent) ||
      (field.endsWith('.localEndpoint') && envoy.replace('"port":0,', '') === outrigger),
  },
];

export const acceptedTraceDifferences: readonly AcceptedTraceDifference[] = [
  ...propagation.map((each) => ({ section: 'Headers of traces', ...each })),
  ...decisions.map((each) => ({ section: 'Which traces are kept', ...each })),
  ...spans.map((each) => ({ section: 'Telemetry to collectors', ...each })),
];

function isAdded({ envoy }: Difference): boolean {
  return envoy === absent;
}

function isOtlp({ place }: Difference): boolean {
  return place.includes('otlp');
}

function isZipkin({ place }: Difference): boolean {
  return place.includes('zipkin');
}

function withoutMark(id: string): string {
  return id.replace(/mark \w/, '');
}
