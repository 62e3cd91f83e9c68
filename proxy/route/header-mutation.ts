// Header additions and removals of the levels of a route configuration, flattened for one route. At each level Envoy removes
// first, then evaluates every value against the headers as they are, then overwrites, then adds; the levels follow each
// other, and a later one sees what an earlier one did.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/headers#custom-request-response-headers

import type { HeaderAddition } from '../../config/route.ts';
import { withoutControls } from '../format/byte-string.ts';
import { compileFormat, type Format } from '../format/format.ts';
import type { FormatContext } from '../format/format-context.ts';
import { type HeaderName, headerName } from '../http/header-name.ts';
import { type EncodedLine, encodeLine, type HeaderTable } from '../http/header-table.ts';

/** One level's changes to one kind of message. */
export interface HeaderLevel {
  readonly add: readonly HeaderAddition[];
  readonly remove: readonly string[];
}

export class CompiledHeaderMutation {
  readonly #levels: readonly CompiledLevel[];

  constructor(levels: readonly CompiledLevel[]) {
    this.#levels = levels;
  }

  /** `context` holds the message that owns `headers`. */
  apply(headers: HeaderTable, context: FormatContext): void {
    const levels = this.#levels;
    for (let index = 0; index < levels.length; index++) levels[index]!.apply(headers, context);
  }
}

/** Compiles the levels in the order they are to be applied; null when none changes anything. */
export function compileHeaderMutation(levels: readonly HeaderLevel[]): CompiledHeaderMutation | null {
  const compiled = levels
    .filter((level) => level.add.length > 0 || level.remove.length > 0)
    .map((level) => new CompiledLevel(level));
  return compiled.length === 0 ? null : new CompiledHeaderMutation(compiled);
}

interface CompiledAddition {
  readonly config: HeaderAddition;
  readonly name: HeaderName;
  readonly format: Format;
  /** The value when it is the same for every message. */
  readonly constant: string | null;
  /** The whole line of a constant value. */
  readonly line: EncodedLine | null;
  /** The value of the message in hand; null when the field is left out. Kept here to spare a list per message. */
  value: string | null;
}

class CompiledLevel {
  readonly #removed: readonly HeaderName[];
  readonly #additions: readonly CompiledAddition[];

  constructor(level: HeaderLevel) {
    this.#removed = level.remove.map((name) => headerName(name));
    const additions = level.add.map(compileAddition);
    // Overwriting comes before adding, whatever the order of the configuration.
    this.#additions = [...additions.filter(overwrites), ...additions.filter((addition) => !overwrites(addition))];
  }

  apply(headers: HeaderTable, context: FormatContext): void {
    const removed = this.#removed;
    for (let index = 0; index < removed.length; index++) headers.remove(removed[index]!);
    const additions = this.#additions;
    for (let index = 0; index < additions.length; index++) evaluate(additions[index]!, headers, context);
    for (let index = 0; index < additions.length; index++) {
      const addition = additions[index]!;
      if (addition.value === null) continue;
      if (overwrites(addition)) headers.set(addition.name, addition.value);
      else if (addition.line !== null) headers.appendLine(addition.line);
      else headers.append(addition.config.name, addition.value);
    }
  }
}

function compileAddition(config: HeaderAddition): CompiledAddition {
  const format = compileFormat(config.value, { omitEmptyValues: true });
  const constant = format.constant === null ? null : withoutControls(format.constant);
  const line = constant === null ? null : encodeLine(config.name, constant);
  return { config, name: headerName(config.name), format, constant, line, value: null };
}

function overwrites(addition: CompiledAddition): boolean {
  return addition.config.action === 'overwrite' || addition.config.action === 'overwrite-if-exists';
}

function evaluate(addition: CompiledAddition, headers: HeaderTable, context: FormatContext): void {
  const { config, format, name, constant } = addition;
  addition.value = null;
  if (config.action === 'add-if-absent' && headers.has(name)) return;
  if (config.action === 'overwrite-if-exists' && !headers.has(name)) return;
  // A line end in the configured text must not become the end of a field.
  const value = constant ?? withoutControls(format.write(context));
  if (value !== '' || config.keepEmptyValue) addition.value = value;
}
