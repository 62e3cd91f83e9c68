// How a route matches the path. Every kind looks at the path without its query and fragment, as Envoy does.

import type { RouteMatch } from '../../config/route.ts';
import { toByteString } from '../format/byte-string.ts';
import { asciiLowerCase } from './ascii-case.ts';
import type { LiteralPathKind } from './path-index.ts';
import { Regex } from './regex.ts';

/** Where the path ends and the query or fragment begins. */
export function pathEnd(path: string): number {
  for (let index = 0; index < path.length; index++) {
    const code = path.charCodeAt(index);
    if (code === 0x3f || code === 0x23) return index;
  }
  return path.length;
}

export class PathMatch {
  readonly config: RouteMatch['path'];
  readonly #matches: (path: string) => boolean;
  /** -1 where the whole path matches. */
  readonly #literalLength: number;

  constructor(config: RouteMatch['path'], caseSensitive: boolean) {
    this.config = config;
    this.#matches = compile(config, caseSensitive);
    this.#literalLength = 'value' in config ? Buffer.byteLength(config.value) : -1;
  }

  /** `path` is without query and fragment. */
  matches(path: string): boolean {
    return this.#matches(path);
  }

  /** How much of the path a prefix rewrite replaces, given where it ends. */
  matchedLength(end: number): number {
    return this.#literalLength < 0 ? end : this.#literalLength;
  }
}

function compile(config: RouteMatch['path'], caseSensitive: boolean): (path: string) => boolean {
  switch (config.kind) {
    case 'connect':
      return () => true;
    case 'regex': {
      // `case_sensitive` says nothing about expressions; they have their own `(?i)`.
      const regex = new Regex(config.regex);
      return (path) => regex.matches(path);
    }
    default: {
      const value = toByteString(config.value);
      if (caseSensitive) return compileLiteral(config.kind, value);
      const matches = compileLiteral(config.kind, asciiLowerCase(value));
      return (path) => matches(asciiLowerCase(path));
    }
  }
}

function compileLiteral(kind: LiteralPathKind, value: string): (path: string) => boolean {
  switch (kind) {
    case 'prefix':
      return (path) => path.startsWith(value);
    case 'path':
      return (path) => path === value;
    case 'path-separated-prefix':
      return (path) =>
        path.startsWith(value) && (path.length === value.length || path.charCodeAt(value.length) === 0x2f);
  }
}
