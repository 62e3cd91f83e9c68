// Names that may be given once.

import type { Problems } from '../../config/problems.ts';

export class UniqueNames {
  readonly #what: string;
  readonly #seen = new Map<string, string>();

  /** `what` is said of a name that is given again, such as `cluster`. */
  constructor(what: string) {
    this.#what = what;
  }

  /** Records a name that was given before. `problems` is the place of the thing that has it. */
  add(name: string | undefined, problems: Problems): void {
    if (name === undefined) return;
    const first = this.#seen.get(name);
    if (first === undefined) this.#seen.set(name, problems.path);
    else problems.at('name').add(`${this.#what} ${JSON.stringify(name)} exists already: ${first}`);
  }
}
