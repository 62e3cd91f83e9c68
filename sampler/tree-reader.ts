// Reads a tree of plain values (from YAML or JSON) field by field and collects everything that is wrong with it, by path
// and in plain words: what is misspelt is not what the operator meant, so that nothing unknown is passed over.

export interface SettingsProblem {
  /** In the spelling of the file: `sampling.rules[2].rate`. Empty for the whole document. */
  readonly path: string;
  readonly message: string;
}

export interface NumberRange {
  readonly least: number;
  readonly most: number;
  readonly isWhole?: boolean;
}

/** The fields of one mapping. Each is taken once; `end` refuses those that nobody took. */
export class TreeReader {
  readonly path: string;
  readonly #isMapping: boolean;
  readonly #fields: Readonly<Record<string, unknown>>;
  readonly #problems: SettingsProblem[];
  readonly #known: string[] = [];

  /** What is no mapping is recorded, and read as an empty one. */
  constructor(tree: unknown, path: string, problems: SettingsProblem[]) {
    this.path = path;
    this.#problems = problems;
    this.#isMapping = isMapping(tree);
    this.#fields = isMapping(tree) ? tree : {};
    if (!this.#isMapping) this.refuse('', `must be a mapping of fields, not ${nameOf(tree)}`);
  }

  /** Refuses a mapping without the field; `why` is what the field says. */
  need(field: string, why: string): void {
    if (this.#isMapping && this.#take(field) === undefined) this.refuse(field, `is missing; ${why}`);
  }

  /** The field's value, or `otherwise` when it is absent or wrong. */
  number(field: string, range: NumberRange, otherwise: number): number {
    const value = this.#take(field);
    if (value === undefined) return otherwise;
    if (typeof value === 'number' && isWithin(value, range)) return value;
    const whole = range.isWhole ? 'a whole number' : 'a number';
    this.refuse(field, `must be ${whole} from ${range.least} to ${range.most}, not ${nameOf(value)}`);
    return otherwise;
  }

  flag(field: string, otherwise: boolean): boolean {
    const value = this.#take(field);
    if (value === undefined || typeof value === 'boolean') return value ?? otherwise;
    this.refuse(field, `must be true or false, not ${nameOf(value)}`);
    return otherwise;
  }

  choice<Choice extends string>(field: string, choices: readonly Choice[], otherwise: Choice): Choice {
    const value = this.#take(field);
    if (value === undefined) return otherwise;
    const found = choices.find((choice) => choice === value);
    if (found === undefined) this.refuse(field, `must be ${alternatives(choices)}, not ${nameOf(value)}`);
    return found ?? otherwise;
  }

  /** Undefined when absent or wrong. */
  text(field: string): string | undefined {
    const value = this.#take(field);
    if (value === undefined) return undefined;
    if (typeof value === 'string' && value !== '' && value.length <= longestText) return value;
    this.refuse(field, `must be a text of 1 to ${longestText} characters, not ${nameOf(value)}`);
    return undefined;
  }

  /** A reader of the mapping in a field; an empty one when it is absent. */
  mapping(field: string): TreeReader {
    const value = this.#take(field);
    return new TreeReader(value === undefined ? {} : value, this.#at(field), this.#problems);
  }

  /** The items of a list with their paths; undefined when it is absent or wrong. */
  list(field: string, longest: number): readonly unknown[] | undefined {
    const value = this.#take(field);
    if (value === undefined) return undefined;
    if (Array.isArray(value) && value.length <= longest) return value;
    this.refuse(
      field,
      Array.isArray(value) ? `has more than ${longest} items` : `must be a list, not ${nameOf(value)}`,
    );
    return undefined;
  }

  /** A reader of a mapping in a list. */
  item(field: string, index: number, value: unknown): TreeReader {
    return new TreeReader(value, `${this.#at(field)}[${index}]`, this.#problems);
  }

  /** Names and values of a mapping whose names the operator chose; all of them are taken. */
  entries(): readonly (readonly [name: string, value: unknown])[] {
    const entries = Object.entries(this.#fields);
    for (const [name] of entries) this.#known.push(name);
    return entries;
  }

  refuse(field: string, message: string): void {
    this.#problems.push({ path: field === '' ? this.path : this.#at(field), message });
  }

  /** To be called when every field was taken. */
  end(): void {
    for (const field of Object.keys(this.#fields)) {
      if (!this.#known.includes(field)) this.refuse(field, `is not a field; here may be ${alternatives(this.#known)}`);
    }
  }

  #take(field: string): unknown {
    if (!this.#known.includes(field)) this.#known.push(field);
    return Object.hasOwn(this.#fields, field) ? this.#fields[field] : undefined;
  }

  #at(field: string): string {
    const name = /^[\w-]+(\[\d+\])?$/.test(field) ? field : JSON.stringify(field);
    if (this.path === '') return name;
    return name === field ? `${this.path}.${field}` : `${this.path}[${name}]`;
  }
}

/** As it is told to the operator, cut where it is long. */
export function nameOf(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a mapping';
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return text.length <= 40 ? text : `${text.slice(0, 37)}...`;
}

const longestText = 256;

function isMapping(tree: unknown): tree is Readonly<Record<string, unknown>> {
  return typeof tree === 'object' && tree !== null && !Array.isArray(tree);
}

function isWithin(value: number, { least, most, isWhole = false }: NumberRange): boolean {
  return value >= least && value <= most && (!isWhole || Number.isInteger(value));
}

function alternatives(names: readonly string[]): string {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`;
}
