// Rewriting of the path: the matched prefix, or the whole path by an expression. The query is kept.

import type { ForwardAction, RedirectAction } from '../../config/route.ts';
import { toByteString } from '../format/byte-string.ts';
import { type PathMatch, pathEnd } from './path-match.ts';
import { compileSubstitution, Regex } from './regex.ts';

/** The new path with the query it had; the same path when the rewrite would leave none. */
export type PathRewrite = (path: string) => string;

export function compilePathRewrite(
  config: NonNullable<ForwardAction['pathRewrite']> | Exclude<RedirectAction['path'], { kind: 'replace' } | undefined>,
  match: PathMatch,
): PathRewrite {
  if (config.kind === 'prefix') {
    const replacement = toByteString(config.replacement);
    return (path) => replacement + path.slice(match.matchedLength(pathEnd(path)));
  }
  const regex = new Regex(config.regex);
  const substitution = compileSubstitution(config.substitution, regex);
  return (path) => {
    const end = pathEnd(path);
    const rewritten = regex.replaceAll(path.slice(0, end), substitution);
    return rewritten === '' ? path : rewritten + path.slice(end);
  };
}
