// A route of the short form, as `envoy.config.route.v3.Route`.

import type { Problems } from '../config/problems.ts';
import { decodeRegex } from '../xds/decode/regex.ts';
import { checkKeys, isMapping, type Mapping, readDuration, readNumber, readText } from './service-fields.ts';

const maxRetries = 100;
const maxWeight = 1_000_000;

/**
 * Faults that repeating may mend without doing a thing twice, but for what the service itself called its failure: 502,
 * 503, 504.
 */
const retriedFaults = 'connect-failure,refused-stream,reset-before-request,gateway-error';

export function serviceRoute(item: unknown, problems: Problems): Mapping {
  if (!isMapping(item)) {
    problems.add('expected a mapping with `to`');
    return {};
  }
  checkKeys(item, ['match', 'to', 'timeout', 'retries', 'rewrite'], problems);
  const { timeout, retries, rewrite } = item;
  const action: { [key: string]: unknown } = destination(item['to'], problems.at('to'));
  if (timeout !== undefined) action['timeout'] = readDuration(timeout, problems.at('timeout'));
  if (retries !== undefined) {
    const count = readNumber(retries, { least: 0, most: maxRetries }, problems.at('retries'));
    if (count !== 0) action['retry_policy'] = { retry_on: retriedFaults, num_retries: count };
  }
  if (rewrite !== undefined) action['prefix_rewrite'] = readPath(rewrite, problems.at('rewrite'));
  const match = routeMatch(item['match'], problems.at('match'));
  if (rewrite !== undefined && match['safe_regex'] !== undefined) {
    problems.at('rewrite').add('replaces what prefix or path matched; there is nothing to replace for a regex');
  }
  return { match, route: action };
}

function destination(to: unknown, problems: Problems): { [key: string]: unknown } {
  if (!isMapping(to)) return { cluster: readText(to, problems) };
  const clusters = Object.entries(to).map(([name, share]) => ({
    name,
    weight: readNumber(share, { least: 0, most: maxWeight }, problems.item(name)),
  }));
  if (!clusters.some(({ weight }) => weight !== 0)) problems.add('needs a service with a weight above 0');
  return { weighted_clusters: { clusters } };
}

function routeMatch(value: unknown, problems: Problems): Mapping {
  if (value === undefined) return { prefix: '/' };
  if (!isMapping(value)) {
    problems.add('expected a mapping with prefix, path or regex, and headers');
    return {};
  }
  checkKeys(value, ['prefix', 'path', 'regex', 'method', 'headers'], problems);
  const headers = readHeaders(value['headers'], problems.at('headers'));
  const { method } = value;
  if (method !== undefined) headers.push(exactMatch(':method', readText(method, problems.at('method'))));
  return { ...pathMatch(value, problems), ...(headers.length > 0 && { headers }) };
}

function pathMatch(value: Mapping, problems: Problems): Mapping {
  const given = ['prefix', 'path', 'regex'].filter((key) => value[key] !== undefined);
  if (given.length > 1) problems.at(given[1]!).add(`only one of ${given.join(' and ')} may be set`);
  const [key = 'prefix'] = given;
  const place = problems.at(key);
  if (key !== 'regex') return { [key]: readPath(value[key] ?? '/', place) };
  const regex = readText(value[key], place);
  if (regex !== undefined) decodeRegex({ regex }, problems);
  return { safe_regex: { regex } };
}

function readPath(value: unknown, problems: Problems): string | undefined {
  const path = readText(value, problems);
  if (path?.startsWith('/') === false) problems.add(`expected a path that begins with /, got ${JSON.stringify(path)}`);
  return path;
}

function readHeaders(value: unknown, problems: Problems): Mapping[] {
  if (value === undefined) return [];
  if (!isMapping(value)) {
    problems.add('expected a mapping from names of headers to their values');
    return [];
  }
  return Object.entries(value).map(([name, text]) => exactMatch(name, readText(text, problems.item(name))));
}

function exactMatch(name: string, exact: string | undefined): Mapping {
  return { name, string_match: { exact } };
}
