// Format strings with `%COMMAND%` operators, as access logs, local replies and header values use them. A format is
// compiled once into literals and operators; writing it is a walk over two arrays.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage#format-rules

import { readCoalesced } from '../../config/coalesced-commands.ts';
import { type FormatCommand, parseFormat } from '../../config/format-commands.ts';
import { toByteString } from './byte-string.ts';
import { durationOperators } from './duration-operators.ts';
import { filterStateOperators } from './filter-state-operators.ts';
import { type FormatContext, JsonText, type Operator } from './format-context.ts';
import { headerOperators } from './header-operators.ts';
import { metadataOperators } from './metadata-operators.ts';
import { pathOperators } from './path-operators.ts';
import { streamOperators } from './stream-operators.ts';
import { tlsOperators } from './tls-operators.ts';

export interface Format {
  /** The text as a byte string: each character is one byte, to be written with latin1. */
  write(context: FormatContext): string;
  /** The whole text of a format without commands; null when it has any. */
  readonly constant: string | null;
  /** The only command of a format that has no other text, for typed JSON; null otherwise. */
  readonly single: Operator | null;
}

export interface FormatOptions {
  /** A command that has nothing to say writes nothing; without it, `-`. */
  readonly omitEmptyValues?: boolean;
}

/**
 * Compiles a format string that `validateFormat` found right.
 * @throws Error when it is not: decoding refuses such a format, so that none arrives here.
 */
export function compileFormat(text: string, options: FormatOptions = {}): Format {
  const { pieces, errors } = parseFormat(text);
  if (errors.length > 0) throw new Error(`format ${JSON.stringify(text)}: ${errors.join('; ')}`);
  const operators: Operator[] = [];
  const literals = [''];
  for (const piece of pieces) {
    if (typeof piece === 'string') {
      literals[literals.length - 1] += toByteString(piece);
      continue;
    }
    operators.push(compileCommand(piece));
    literals.push('');
  }
  return new CompiledFormat(operators, literals, options.omitEmptyValues === true ? '' : '-');
}

class CompiledFormat implements Format {
  readonly constant: string | null;
  readonly single: Operator | null;
  readonly #operators: readonly Operator[];
  /** One more than operators: the text before each, and the text behind the last. */
  readonly #literals: readonly string[];
  readonly #missing: string;

  constructor(operators: readonly Operator[], literals: readonly string[], missing: string) {
    this.#operators = operators;
    this.#literals = literals;
    this.#missing = missing;
    this.constant = operators.length === 0 ? literals[0]! : null;
    this.single = operators.length === 1 && literals[0] === '' && literals[1] === '' ? operators[0]! : null;
  }

  write(context: FormatContext): string {
    const operators = this.#operators;
    const literals = this.#literals;
    let line = literals[0]!;
    for (let index = 0; index < operators.length; index++) {
      line += operators[index]!(context) ?? this.#missing;
      line += literals[index + 1]!;
    }
    return line;
  }
}

const compilers = new Map([
  ...Object.entries(streamOperators),
  ...Object.entries(durationOperators),
  ...Object.entries(pathOperators),
  ...Object.entries(headerOperators),
  ...Object.entries(metadataOperators),
  ...Object.entries(filterStateOperators),
  ...Object.entries(tlsOperators),
]);

function compileCommand(command: FormatCommand): Operator {
  const operator = command.name === 'COALESCE' ? firstOf(command) : compilers.get(command.name)!(command);
  const { maxLength } = command;
  if (maxLength === null) return operator;
  return (context) => {
    const value = operator(context);
    if (value instanceof JsonText) return value.upTo(maxLength);
    return typeof value === 'string' && value.length > maxLength ? value.slice(0, maxLength) : value;
  };
}

/** What the first of several commands says that has something to say. */
function firstOf({ argument }: FormatCommand): Operator {
  // A sentence instead of commands is an error of the format, which `compileFormat` has found.
  const commands = readCoalesced(argument!);
  const operators: Operator[] = [];
  if (typeof commands !== 'string') for (const command of commands) operators.push(compileCommand(command));
  return (context) => {
    for (const operator of operators) {
      const value = operator(context);
      if (value !== null) return value;
    }
    return null;
  };
}
