// Requests of a real system, as JSON lines: one object a line, of which these fields are read.
//
//   {"at": 1763750000123, "service": "payment", "route": "/pay", "method": "POST", "status": 200, "durationMs": 12.5,
//    "traceId": "4bf92f3577b34da6a3ce929d0e0e4736"}
//
// `at` is when the request came, in milliseconds since 1970 or as a time of ISO 8601.

import { type SimulatedRequest, type SimulatedTrace, simulatedTrace } from './simulated-request.ts';

/** A file that cannot be simulated; the message names its line and field. */
export class TraceFileError extends Error {}

/** The requests in order of arrival, the first at 0. Lines may stand in any order. Throws TraceFileError. */
export function readTraceFile(text: string): readonly SimulatedRequest[] {
  const traces = new Map<string, SimulatedTrace>();
  const requests: SimulatedRequest[] = [];
  text.split('\n').forEach((line, index) => {
    if (line.trim() !== '') requests.push(readRequest(new Line(line, index + 1), traces));
  });
  if (requests.length === 0) throw new TraceFileError('there is no request in it');
  requests.sort((left, right) => left.atMs - right.atMs);
  const firstMs = requests[0]!.atMs;
  return requests.map((request) => ({ ...request, atMs: request.atMs - firstMs }));
}

function readRequest(line: Line, traces: Map<string, SimulatedTrace>): SimulatedRequest {
  const id = line.text('traceId').toLowerCase();
  if (!/^[0-9a-f]{32}$/.test(id)) throw line.error('traceId', 'must be 32 hexadecimal digits');
  let trace = traces.get(id);
  if (trace === undefined) {
    trace = simulatedTrace(id);
    traces.set(id, trace);
  }
  return {
    atMs: line.time('at'),
    service: line.text('service'),
    route: line.text('route'),
    method: line.text('method'),
    status: line.number('status', 100, 599),
    durationMs: line.number('durationMs', 0, Number.MAX_SAFE_INTEGER),
    trace,
  };
}

class Line {
  readonly #number: number;
  readonly #fields: Readonly<Record<string, unknown>>;

  constructor(line: string, number: number) {
    this.#number = number;
    this.#fields = this.#parse(line);
  }

  text(field: string): string {
    const value = this.#fields[field];
    if (typeof value !== 'string' || value === '') throw this.error(field, 'must be a text that is not empty');
    return value;
  }

  number(field: string, least: number, most: number): number {
    const value = this.#fields[field];
    if (typeof value === 'number' && value >= least && value <= most) return value;
    throw this.error(field, `must be a number from ${least} to ${most}`);
  }

  time(field: string): number {
    const value = this.#fields[field];
    const timeMs = typeof value === 'string' ? Date.parse(value) : value;
    if (typeof timeMs === 'number' && Number.isFinite(timeMs)) return timeMs;
    throw this.error(field, 'must be milliseconds since 1970 or a time of ISO 8601');
  }

  error(field: string, message: string): TraceFileError {
    return new TraceFileError(`line ${this.#number}: ${field} ${message}`);
  }

  #parse(line: string): Readonly<Record<string, unknown>> {
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch (error) {
      throw new TraceFileError(`line ${this.#number}: ${(error as Error).message}`);
    }
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
    throw new TraceFileError(`line ${this.#number}: is not an object`);
  }
}
