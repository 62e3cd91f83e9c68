// What operators write to name services, routes and header values: `*` stands for any characters, all others for
// themselves, case-insensitive.
//
// Not a regular expression: values come from peers, and a pattern with several stars takes a backtracking engine a time that
// grows with a power of the value's length. Here the text between two stars is searched once.

export class Pattern {
  /** The texts between stars. */
  readonly #parts: readonly string[];

  constructor(text: string) {
    this.#parts = text.toLowerCase().split('*');
  }

  matches(value: string): boolean {
    const text = value.toLowerCase();
    const first = this.#parts[0]!;
    const lastIndex = this.#parts.length - 1;
    if (lastIndex === 0) return text === first;
    if (!text.startsWith(first)) return false;
    let at = first.length;
    // The leftmost place of each is as good as any other for those that follow.
    for (let index = 1; index < lastIndex; index++) {
      const part = this.#parts[index]!;
      const found = text.indexOf(part, at);
      if (found === -1) return false;
      at = found + part.length;
    }
    const last = this.#parts[lastIndex]!;
    return text.length - last.length >= at && text.endsWith(last);
  }
}
