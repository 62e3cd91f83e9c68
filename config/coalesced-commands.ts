// The argument of COALESCE: an object of JSON whose `operators` are commands, of which the first that has something to say
// is written. A command is its name, or an object with its `command`, `param` and `max_length`.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage#command-operators

import type { FormatCommand } from './format-commands.ts';

/** The commands in order, not looked at further; or a sentence about what is wrong. */
export function readCoalesced(argument: string): readonly FormatCommand[] | string {
  const operators = ownField(parsed(argument), 'operators');
  if (!Array.isArray(operators)) return '%COALESCE()% must be an object of JSON with a list "operators"';
  if (operators.length === 0) return '%COALESCE()% must have an operator at least';
  const commands = operators.map(readOperator);
  const malformed = commands.find((command) => typeof command === 'string');
  return malformed ?? (commands as readonly FormatCommand[]);
}

/** Undefined when it is no JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function readOperator(operator: unknown): FormatCommand | string {
  if (typeof operator === 'string') return { name: operator, argument: null, maxLength: null };
  const command = ownField(operator, 'command');
  if (typeof command !== 'string') return 'an operator of %COALESCE()% must be a name or have a "command"';
  const argument = ownField(operator, 'param') ?? null;
  if (argument !== null && typeof argument !== 'string') return `"param" of ${command} in %COALESCE()% must be text`;
  const maxLength = ownField(operator, 'max_length') ?? null;
  if (maxLength !== null && !isPositive(maxLength)) {
    return `"max_length" of ${command} in %COALESCE()% must be a whole number above 0`;
  }
  return { name: command, argument, maxLength };
}

function isPositive(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) > 0;
}

function ownField(value: unknown, name: string): unknown {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject && Object.hasOwn(value, name) ? (value as { readonly [name: string]: unknown })[name] : undefined;
}
