// Metrics of an `ExportMetricsServiceRequest`, decoded with the official messages, as tests compare them.

import { attributesOf, decodeOtlp, type KeyValue } from './otlp-messages.ts';

export interface CollectedMetric {
  readonly name: string;
  readonly unit: string;
  readonly kind: 'sum' | 'gauge' | 'histogram';
  /** Of a sum. */
  readonly isMonotonic?: boolean;
  /** Such as `AGGREGATION_TEMPORALITY_DELTA`; not of a gauge. */
  readonly temporality?: string;
  readonly points: readonly CollectedPoint[];
  readonly resource: Readonly<Record<string, unknown>>;
}

export interface CollectedPoint {
  readonly attributes: Readonly<Record<string, unknown>>;
  /** Milliseconds since 1970. */
  readonly startMs: number;
  readonly timeMs: number;
  /** Of a histogram its sum. */
  readonly value: number;
  readonly count?: number;
  readonly bounds?: readonly number[];
  readonly counts?: readonly number[];
  readonly exemplars?: readonly unknown[];
}

/** Of the bytes of a request, or of one that is decoded already. */
export function metricsOf(request: Uint8Array | Record<string, unknown>): readonly CollectedMetric[] {
  const message = request instanceof Uint8Array ? decodeOtlp('ExportMetricsServiceRequest', request) : request;
  return (message as unknown as RawRequest).resourceMetrics.flatMap(({ resource, scopeMetrics }) =>
    scopeMetrics.flatMap(({ metrics }) =>
      metrics.map((metric) => ({ ...plainMetric(metric), resource: attributesOf(resource?.attributes ?? []) })),
    ),
  );
}

interface RawRequest {
  readonly resourceMetrics: readonly {
    readonly resource: { readonly attributes: readonly KeyValue[] } | null;
    readonly scopeMetrics: readonly { readonly metrics: readonly RawMetric[] }[];
  }[];
}

interface RawMetric {
  readonly name: string;
  readonly unit: string;
  readonly gauge?: { readonly dataPoints: readonly RawNumber[] } | null;
  readonly sum?: RawData<RawNumber> & { readonly isMonotonic: boolean };
  readonly histogram?: RawData<RawHistogram>;
}

interface RawData<Point> {
  readonly dataPoints: readonly Point[];
  readonly aggregationTemporality: string;
}

interface RawPoint {
  readonly attributes: readonly KeyValue[];
  readonly startTimeUnixNano: string;
  readonly timeUnixNano: string;
}

interface RawNumber extends RawPoint {
  readonly asInt?: string;
  readonly asDouble?: number;
}

interface RawHistogram extends RawPoint {
  readonly count: string;
  readonly sum: number;
  readonly bucketCounts: readonly string[];
  readonly explicitBounds: readonly number[];
  readonly exemplars: readonly RawExemplar[];
}

interface RawExemplar {
  readonly traceId: Buffer;
  readonly spanId: Buffer;
  readonly asDouble: number;
  readonly timeUnixNano: string;
}

function plainMetric({ name, unit, gauge, sum, histogram }: RawMetric): Omit<CollectedMetric, 'resource'> {
  if (sum) {
    const { isMonotonic, aggregationTemporality: temporality } = sum;
    return { name, unit, kind: 'sum', isMonotonic, temporality, points: sum.dataPoints.map(plainNumber) };
  }
  if (histogram) {
    const temporality = histogram.aggregationTemporality;
    return { name, unit, kind: 'histogram', temporality, points: histogram.dataPoints.map(plainHistogram) };
  }
  return { name, unit, kind: 'gauge', points: gauge!.dataPoints.map(plainNumber) };
}

function plainNumber(point: RawNumber): CollectedPoint {
  return { ...plainPoint(point), value: Number(point.asInt ?? point.asDouble) };
}

function plainHistogram(point: RawHistogram): CollectedPoint {
  return {
    ...plainPoint(point),
    count: Number(point.count),
    value: point.sum,
    bounds: point.explicitBounds,
    counts: point.bucketCounts.map(Number),
    exemplars: point.exemplars.map(({ traceId, spanId, asDouble, timeUnixNano }) => ({
      traceId: traceId.toString('hex'),
      spanId: spanId.toString('hex'),
      value: asDouble,
      timeMs: millisecondsOf(timeUnixNano),
    })),
  };
}

function plainPoint({ attributes, startTimeUnixNano, timeUnixNano }: RawPoint) {
  const [startMs, timeMs] = [millisecondsOf(startTimeUnixNano), millisecondsOf(timeUnixNano)];
  return { attributes: attributesOf(attributes), startMs, timeMs };
}

function millisecondsOf(nanoseconds: string): number {
  return Number(BigInt(nanoseconds) / 1_000_000n);
}
