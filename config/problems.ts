// What is wrong with a configuration, collected rather than thrown one at a time: an operator repairs a file once.
//
// A path keeps the spelling of the wire (`static_resources.clusters[2].lb_policy`), because that is what the
// operator wrote. Decoders build it with `at()` and `item()` and never concatenate strings themselves.

/** One thing that is wrong, where it is, and what would be right. */
export interface Problem {
  /** Path in the spelling of the file, such as `static_resources.listeners[0].address`. Empty for the whole document. */
  readonly path: string;
  /** A sentence that says what is wrong and what would be right. */
  readonly message: string;
}

/** Collects problems under one path. Children made by `at` and `item` report into the same list. */
export class Problems {
  readonly path: string;
  readonly #found: Problem[];

  constructor(path = '', found: Problem[] = []) {
    this.path = path;
    this.#found = found;
  }

  /** The same list, one field deeper: `problems.at('address')`. */
  at(field: string): Problems {
    return new Problems(this.path === '' ? field : `${this.path}.${field}`, this.#found);
  }

  /** The same list, one element deeper: `problems.item(0)` gives `…[0]`; a string key gives `…["key"]`. */
  item(key: number | string): Problems {
    return new Problems(`${this.path}[${typeof key === 'number' ? key : JSON.stringify(key)}]`, this.#found);
  }

  /** Records a problem at this path. */
  add(message: string): void {
    this.#found.push({ path: this.path, message });
  }

  /** Records that something valid in Envoy is not supported here. Never skipped: a refusal names the path. */
  unsupported(what: string, instead?: string): void {
    this.add(instead === undefined ? `${what} is not supported` : `${what} is not supported; ${instead}`);
  }

  /** Drops what was found below this path: it does not matter in what is refused as a whole. */
  forgetBelow(): void {
    const isBelow = ({ path }: Problem) => path.startsWith(`${this.path}.`) || path.startsWith(`${this.path}[`);
    for (let index = this.#found.length - 1; index >= 0; index--) {
      if (isBelow(this.#found[index]!)) this.#found.splice(index, 1);
    }
  }

  get isEmpty(): boolean {
    return this.#found.length === 0;
  }

  get list(): readonly Problem[] {
    return this.#found;
  }
}

/** Thrown by the control plane's outermost functions when a configuration has problems; `problems` has every one. */
export class ConfigError extends Error {
  readonly problems: readonly Problem[];

  constructor(subject: string, problems: readonly Problem[]) {
    super([`${subject}: ${counted(problems.length, 'problem')}`, ...linesOf(problems)].join('\n'));
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

/** A file that is wrong in one way is wrong in it many times; a screen of problems is as good as ten thousand. */
const maxLines = 100;

function linesOf(problems: readonly Problem[]): readonly string[] {
  const lines = problems
    .slice(0, maxLines)
    .map(({ path, message }) => `  ${path === '' ? '(document)' : path}: ${message}`);
  const rest = problems.length - lines.length;
  return rest === 0 ? lines : [...lines, `  and ${counted(rest, 'more problem')}`];
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}
