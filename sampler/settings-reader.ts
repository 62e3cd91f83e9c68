// The sampling file of an operator (docs/examples/sampling.yaml shows all of it), given as a tree of plain values. What it
// does not say is as shipped; what it says and we do not know is refused.

import { readGrpcStatus, readStatuses } from './outcome-codes.ts';
import { defaultSettings, type SamplingRule, type SamplingSettings } from './settings.ts';
import { nameOf, type SettingsProblem, TreeReader } from './tree-reader.ts';

export type ReadSettings =
  | { readonly kind: 'settings'; readonly settings: SamplingSettings }
  | { readonly kind: 'problems'; readonly problems: readonly SettingsProblem[] };

/** Settings, or everything that is wrong. */
export function readSamplingSettings(tree: unknown): ReadSettings {
  const problems: SettingsProblem[] = [];
  const root = new TreeReader(tree, '', problems);
  root.need('sampling', 'all settings are below it');
  const settings = readSettings(root.mapping('sampling'));
  root.end();
  return problems.length === 0 ? { kind: 'settings', settings } : { kind: 'problems', problems };
}

const shipped = defaultSettings;
const aRate = { least: 0, most: 1 };
const aWeight = { least: 0, most: 1_000_000 };
const aBudget = { least: 0, most: 1_000_000 };
/** A stratum's cap is also how many records of it wait in memory. */
const aCap = { least: 0, most: 10_000, isWhole: true };
const mostRules = 1_000;
const mostHeaders = 16;

function readSettings(reader: TreeReader): SamplingSettings {
  const baseRate = reader.number('base_rate', aRate, shipped.baseRate);
  const share = reader.mapping('share');
  const slow = readSlow(reader.mapping('slow'));
  const settings = {
    baseRate,
    budget: readBudget(reader.mapping('budget')),
    cap: reader.choice('cap', ['bottom-k', 'legacy-token-bucket'], shipped.cap),
    share: share.choice('law', ['proportional', 'sqrt', 'equal'], shipped.share),
    rules: [...readRules(reader, baseRate), ...readWeights(share.mapping('weights'), baseRate)],
    floorPerMinute: readFloor(reader.mapping('floor')),
    errors: readErrors(reader.mapping('errors')),
    ...(slow !== undefined && { slow }),
    retries: { maxPerSecond: readCap(reader.mapping('retries'), shipped.retries.maxPerSecond) },
    debug: { maxPerSecond: readCap(reader.mapping('debug'), shipped.debug.maxPerSecond) },
    upgrade: readUpgrade(reader.mapping('upgrade')),
  };
  share.end();
  reader.end();
  return settings;
}

function readBudget(reader: TreeReader): SamplingSettings['budget'] {
  const tracesPerSecond = reader.number('traces_per_second', aBudget, shipped.budget.tracesPerSecond);
  const scope = reader.choice('scope', ['instance', 'service'], shipped.budget.scope);
  reader.end();
  return { tracesPerSecond, scope };
}

function readFloor(reader: TreeReader): number {
  const floor = reader.number('per_route_per_minute', { least: 0, most: 60_000 }, shipped.floorPerMinute);
  reader.end();
  return floor;
}

function readCap(reader: TreeReader, otherwise: number): number {
  const cap = reader.number('max_per_second', aCap, otherwise);
  reader.end();
  return cap;
}

function readErrors(reader: TreeReader): SamplingSettings['errors'] {
  const errors = {
    keep: reader.choice('keep', ['always', 'never'], shipped.errors.keep ? 'always' : 'never') === 'always',
    maxPerSecond: reader.number('max_per_second', aCap, shipped.errors.maxPerSecond),
    http: readCodes(reader, {
      field: 'http',
      read: readStatuses,
      form: 'a status (503), a range (500-504) or a class (5xx)',
    }),
    grpc: readCodes(reader, { field: 'grpc', read: readGrpcStatus, form: 'a gRPC status (UNAVAILABLE or 14)' }),
    localReplies: reader.flag('local_replies', shipped.errors.localReplies),
  };
  reader.end();
  return { ...errors, http: errors.http ?? shipped.errors.http, grpc: errors.grpc ?? shipped.errors.grpc };
}

interface CodeForm<Code> {
  readonly field: string;
  readonly read: (value: unknown) => Code | undefined;
  readonly form: string;
}

function readCodes<Code>(reader: TreeReader, { field, read, form }: CodeForm<Code>): readonly Code[] | undefined {
  const items = reader.list(field, 100);
  return items?.flatMap((item, index) => {
    const code = read(item);
    if (code === undefined) reader.refuse(`${field}[${index}]`, `must be ${form}, not ${nameOf(item)}`);
    return code === undefined ? [] : [code];
  });
}

function readSlow(reader: TreeReader): SamplingSettings['slow'] {
  const usual = shipped.slow ?? { overMs: 1000, maxPerSecond: 2 };
  const keep = reader.choice('keep', ['always', 'never'], shipped.slow === undefined ? 'never' : 'always');
  const overMs = reader.number('over_ms', { least: 1, most: 3_600_000 }, usual.overMs);
  const maxPerSecond = reader.number('max_per_second', aCap, usual.maxPerSecond);
  reader.end();
  return keep === 'always' ? { overMs, maxPerSecond } : undefined;
}

function readUpgrade(reader: TreeReader): SamplingSettings['upgrade'] {
  reader.choice('via', ['server-timing'], 'server-timing');
  const accept = reader.choice('trust', ['mesh', 'internal', 'none'], shipped.upgrade.accept);
  const maxPerSecond = reader.number('max_per_second', aCap, shipped.upgrade.maxPerSecond);
  reader.end();
  return { accept, maxPerSecond };
}

function readRules(reader: TreeReader, baseRate: number): readonly SamplingRule[] {
  const items = reader.list('rules', mostRules);
  return items?.map((item, index) => readRule(reader.item('rules', index, item), baseRate)) ?? shipped.rules;
}

function readRule(reader: TreeReader, baseRate: number): SamplingRule {
  reader.need('rate', 'a rule says which share of its requests is kept, 0 to 1');
  const match = reader.mapping('match');
  const [service, route, method] = [match.text('service'), match.text('route'), match.text('method')];
  const headers = readHeaders(match.mapping('headers'));
  match.end();
  const rate = reader.number('rate', aRate, 0);
  const weight = reader.number('weight', aWeight, baseRate > 0 ? Math.min(rate / baseRate, aWeight.most) : 1);
  reader.end();
  return {
    ...(service !== undefined && { service }),
    ...(route !== undefined && { route }),
    ...(method !== undefined && { method }),
    headers,
    rate,
    weight,
  };
}

function readHeaders(reader: TreeReader): SamplingRule['headers'] {
  const names = reader.entries();
  if (names.length > mostHeaders) reader.refuse('', `names more than ${mostHeaders} headers`);
  return names.slice(0, mostHeaders).flatMap(([name]) => {
    if (!/^[!#$%&'*+.^_`|~\w-]+$/.test(name)) reader.refuse(name, 'is no name of a header');
    const pattern = reader.text(name);
    return pattern === undefined ? [] : [[name.toLowerCase(), pattern] as const];
  });
}

/** `service: weight` and `service:route: weight`, as rules: those that name a route first, as they say more. */
function readWeights(reader: TreeReader, baseRate: number): readonly SamplingRule[] {
  const names = reader.entries();
  if (names.length > mostRules) reader.refuse('', `has more than ${mostRules} weights`);
  const rules = names.slice(0, mostRules).map(([name]) => {
    const [, service, route] = /^([^:]*):?(.*)$/s.exec(name)!;
    const weight = reader.number(name, aWeight, 1);
    const where = { ...(service !== '' && { service: service! }), ...(route !== '' && { route: route! }) };
    return { ...where, headers: [], rate: Math.min(1, weight * baseRate), weight };
  });
  return rules.sort((a, b) => Number('route' in b) - Number('route' in a));
}
