// Which rule of the settings gives a key its rate. The first that matches wins. Rules about headers are decided by each
// request: those that a route could meet are found once, and a request that one of them chose has a key of its own
// (`SamplingKey.headerRule`), so that its rate and its share of the budget are its own too.

import type { SamplingKey } from './key-table.ts';
import { Pattern } from './pattern.ts';
import type { SamplingRule } from './settings.ts';

/** A rule about headers that requests of a service, route and method may match. */
export interface HeaderRule {
  /** In `SamplingSettings.rules`. */
  readonly index: number;
  readonly headers: readonly { readonly name: string; readonly pattern: Pattern }[];
}

export interface RuleShare {
  /** The highest probability, 0 to 1. */
  readonly rate: number;
  readonly weight: number;
}

/** Compiled once a change of settings, on the main thread and in workers alike. */
export class RuleTable {
  readonly #rules: readonly CompiledRule[];

  constructor(rules: readonly SamplingRule[]) {
    this.#rules = rules.map(compileRule);
  }

  /** What to ask for each request of a service, route and method, in this order; empty for most. */
  headerRulesFor(service: string, route: string, method: string): readonly HeaderRule[] {
    const found: HeaderRule[] = [];
    for (const rule of this.#rules) {
      if (!meets(rule, { service, route, method })) continue;
      if (rule.headers.length === 0) break;
      found.push({ index: rule.index, headers: rule.headers });
    }
    return found;
  }

  /** The rate and weight of a key; `baseRate` and 1 when no rule matches it. */
  shareOf(key: SamplingKey, baseRate: number): RuleShare {
    // Of settings before these, perhaps: then the index says nothing.
    const chosen = this.#rules[key.headerRule];
    if (chosen !== undefined && chosen.headers.length > 0) return chosen.share;
    for (const rule of this.#rules) if (rule.headers.length === 0 && meets(rule, key)) return rule.share;
    return { rate: baseRate, weight: 1 };
  }
}

/** The index of the first rule whose headers a request has, or -1. `headerValue` is given names in lower case. */
export function headerRuleOf(rules: readonly HeaderRule[], headerValue: (name: string) => string | undefined): number {
  for (let index = 0; index < rules.length; index++)
    if (hasHeaders(rules[index]!, headerValue)) return rules[index]!.index;
  return -1;
}

interface CompiledRule extends HeaderRule {
  readonly service: Pattern | null;
  readonly route: Pattern | null;
  readonly method: Pattern | null;
  readonly share: RuleShare;
}

function compileRule(rule: SamplingRule, index: number): CompiledRule {
  const compilePattern = (text: string | undefined) => (text === undefined ? null : new Pattern(text));
  return {
    index,
    service: compilePattern(rule.service),
    route: compilePattern(rule.route),
    method: compilePattern(rule.method),
    headers: rule.headers.map(([name, text]) => ({ name: name.toLowerCase(), pattern: new Pattern(text) })),
    share: { rate: rule.rate, weight: rule.weight },
  };
}

function meets(rule: CompiledRule, key: Pick<SamplingKey, 'service' | 'route' | 'method'>): boolean {
  return (
    (rule.service === null || rule.service.matches(key.service)) &&
    (rule.route === null || rule.route.matches(key.route)) &&
    (rule.method === null || rule.method.matches(key.method))
  );
}

function hasHeaders(rule: HeaderRule, headerValue: (name: string) => string | undefined): boolean {
  for (let index = 0; index < rule.headers.length; index++) {
    const { name, pattern } = rule.headers[index]!;
    const value = headerValue(name);
    if (value === undefined || !pattern.matches(value)) return false;
  }
  return true;
}
