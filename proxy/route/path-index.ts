// Finds the first route whose literal path matches without trying each: a radix tree over the paths, where every node knows
// the lowest route number below it. One walk along the request's path meets every prefix of it; branches that hold only
// later routes than the one already found are not entered.

export type LiteralPathKind = 'prefix' | 'path' | 'path-separated-prefix';

/** Greater than every route number: nothing matches. */
export const noRoute = 0x7fff_ffff;

interface Node {
  /** The text between the parent and this node. */
  label: string;
  /** Lowest route of each kind that ends here; `noRoute` when there is none. */
  prefix: number;
  exact: number;
  separated: number;
  /** Lowest route here or below. */
  lowest: number;
  /** First characters of the children's labels, in the order of `children`. */
  readonly firsts: number[];
  readonly children: Node[];
}

export class PathIndex {
  readonly #root = createNode('');

  /** Adds a literal path. Of two equal ones, the lower route wins. */
  add(kind: LiteralPathKind, value: string, route: number): void {
    let node = this.#root;
    let at = 0;
    for (;;) {
      node.lowest = Math.min(node.lowest, route);
      if (at === value.length) break;
      const slot = node.firsts.indexOf(value.charCodeAt(at));
      if (slot < 0) {
        const leaf = createNode(value.slice(at));
        node.firsts.push(value.charCodeAt(at));
        node.children.push(leaf);
        node = leaf;
        at = value.length;
        continue;
      }
      const child = node.children[slot]!;
      const shared = sharedLength(child.label, value, at);
      if (shared < child.label.length) node.children[slot] = splitNode(child, shared);
      node = node.children[slot]!;
      at += shared;
    }
    if (kind === 'prefix') node.prefix = Math.min(node.prefix, route);
    else if (kind === 'path') node.exact = Math.min(node.exact, route);
    else node.separated = Math.min(node.separated, route);
  }

  /** The lowest route that matches `path` up to `end`; `noRoute` when none does. */
  find(path: string, end: number): number {
    let node = this.#root;
    let at = 0;
    let best = noRoute;
    for (;;) {
      if (node.prefix < best) best = node.prefix;
      if (at === end) {
        if (node.exact < best) best = node.exact;
        return Math.min(node.separated, best);
      }
      const next = path.charCodeAt(at);
      if (next === 0x2f && node.separated < best) best = node.separated;
      const child = childAt(node, next);
      if (child === null || child.lowest >= best) return best;
      node = child;
      at = labelEnd(node.label, path, at, end);
      if (at < 0) return best;
    }
  }
}

// Loops over a few characters, where `indexOf` and `startsWith` would each cost a call out of compiled code.

function childAt(node: Node, first: number): Node | null {
  const { firsts } = node;
  for (let slot = 0; slot < firsts.length; slot++) if (firsts[slot] === first) return node.children[slot]!;
  return null;
}

/** Where the label ends in the path; -1 when the path goes another way before `end`. */
function labelEnd(label: string, path: string, from: number, end: number): number {
  const stop = from + label.length;
  if (stop > end) return -1;
  for (let at = from + 1; at < stop; at++) if (path.charCodeAt(at) !== label.charCodeAt(at - from)) return -1;
  return stop;
}

function createNode(label: string): Node {
  return {
    label,
    prefix: noRoute,
    exact: noRoute,
    separated: noRoute,
    lowest: noRoute,
    firsts: [],
    children: [],
  };
}

function sharedLength(label: string, value: string, from: number): number {
  let length = 0;
  while (length < label.length && from + length < value.length) {
    if (label.charCodeAt(length) !== value.charCodeAt(from + length)) break;
    length++;
  }
  return length;
}

/** Puts a node between `child` and its parent, at `length` characters of its label. */
function splitNode(child: Node, length: number): Node {
  const upper = createNode(child.label.slice(0, length));
  upper.lowest = child.lowest;
  upper.firsts.push(child.label.charCodeAt(length));
  upper.children.push(child);
  child.label = child.label.slice(length);
  return upper;
}
