// All that one case showed of one proxy, as named values, and how two of them differ.

import type { Exchange } from './exchange.ts';
import { type HttpMessage, headerValue } from './http-message.ts';
import type { Stats } from './proxy-process.ts';

/** By field: `response.0.status`, `origin.0.header.host`, `log.0.RESPONSE_FLAGS`, `stat.http.main.no_route` … */
export type Observation = ReadonlyMap<string, string>;

export interface Difference {
  /** `suite: case`. */
  readonly place: string;
  readonly field: string;
  readonly envoy: string;
  readonly outrigger: string;
  /** The two observations whole, for explanations that look at more than one field. */
  readonly of: { readonly envoy: Observation; readonly outrigger: Observation };
}

export const absent = '(absent)';

export interface Facts {
  readonly listener: string;
  readonly exchange: Exchange;
  readonly received: readonly HttpMessage[];
  readonly logLines: readonly string[];
  readonly logFields: readonly string[];
  readonly before: Stats;
  readonly after: Stats;
  /** Ports of this proxy's listeners, by name. */
  readonly ports: ReadonlyMap<string, number>;
}

export function observe(facts: Facts): Observation {
  const observation = new Map<string, string>();
  const normalise = normaliser(facts);
  const set = (field: string, value: string): void => void observation.set(field, normalise(field, value));
  set('ending', facts.exchange.ending);
  if (facts.exchange.rest !== '') set('rest', facts.exchange.rest);
  for (const [index, message] of facts.exchange.responses.entries()) setMessage(set, `response.${index}`, message);
  for (const [index, message] of facts.received.entries()) setMessage(set, `origin.${index}`, message);
  for (const [index, line] of facts.logLines.entries()) setLogLine(set, `log.${index}`, line, facts.logFields);
  const digits = serviceTimeDigits(facts.exchange);
  for (const [name, value] of facts.after) {
    const extra = name === `http.${facts.listener}.downstream_cx_tx_bytes_total` ? digits : 0;
    const change = value - (facts.before.get(name) ?? 0) - extra;
    if (change !== 0) set(`stat.${name}`, String(change));
  }
  return observation;
}

export function compare(place: string, envoy: Observation, outrigger: Observation): Difference[] {
  const differences: Difference[] = [];
  for (const field of new Set([...envoy.keys(), ...outrigger.keys()])) {
    const values = { envoy: envoy.get(field) ?? absent, outrigger: outrigger.get(field) ?? absent };
    if (values.envoy !== values.outrigger) differences.push({ place, field, ...values, of: { envoy, outrigger } });
  }
  return differences;
}

// How many bytes a duration takes is chance, and so is what is sent with it.
function serviceTimeDigits({ responses }: Exchange): number {
  return responses.reduce((sum, response) => sum + headerValue(response, 'x-envoy-upstream-service-time').length, 0);
}

type Set = (field: string, value: string) => void;

function setMessage(set: Set, place: string, message: HttpMessage): void {
  set(`${place}.start-line`, message.startLine);
  set(`${place}.order`, message.headers.map(([name]) => name.toLowerCase()).join(', '));
  set(`${place}.framing`, message.framing);
  set(`${place}.body`, message.body);
  set(`${place}.complete`, String(message.isComplete));
  if (message.trailers.length > 0)
    set(`${place}.trailers`, message.trailers.map((field) => field.join(': ')).join('\n'));
  const values = new Map<string, string[]>();
  for (const [name, value] of message.headers) {
    const key = name.toLowerCase();
    values.set(key, [...(values.get(key) ?? []), value]);
    if (name !== key) set(`${place}.spelling.${key}`, name);
  }
  for (const [name, all] of values) set(`${place}.header.${name}`, all.join(' | '));
}

function setLogLine(set: Set, place: string, line: string, fields: readonly string[]): void {
  const values = line.split('\t');
  for (const [index, field] of fields.entries()) {
    if (field !== 'START_TIME') set(`${place}.${field}`, values[index] ?? absent);
  }
}

const uuid = /\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g;
const httpDate = /\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT\b/g;

function portPattern(port: number): RegExp {
  return new RegExp(`(?<!\\d)${port}(?!\\d)`, 'g');
}

// What must differ between two runs is named here and nowhere else: ports, dates, request ids, durations, numbers of
// connections.
function normaliser({ exchange, ports }: Facts): (field: string, value: string) => string {
  const known = [...ports].map(([name, port]) => [portPattern(port), `<port of ${name}>`] as const);
  const client = portPattern(exchange.clientPort);
  return (field, value) => {
    if (field.endsWith('.header.x-envoy-upstream-service-time') && /^\d+$/.test(value)) return '<ms>';
    // What is left of the timeout when a later attempt begins.
    if (/^origin\.[1-9]\d*\.header\.x-envoy-expected-rq-timeout-ms$/.test(field)) return '<ms>';
    if (/DURATION|_CONNECTION_ID/.test(field) && /^\d+$/.test(value)) return '<number>';
    if (/^log\.\d+\.(START|EMIT)_TIME/.test(field)) return value.replaceAll(/\d/g, '0');
    let text = value.replace(client, '<client port>').replace(uuid, '<uuid>').replace(httpDate, '<date>');
    for (const [pattern, name] of known) text = text.replace(pattern, name);
    return text;
  };
}
