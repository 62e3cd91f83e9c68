// Rewriting of the path: the matched prefix, or the whole path by an expression. The query is kept.

import type { ForwardAction } from '../../config/route.ts';
import { toByteString } from '../format/byte-string.ts';
import { compileFormat } from '../format/format.ts';
import { sharedContext } from '../format/shared-context.ts';
import type { RequestHead } from '../http/message.ts';
import type { StreamInfo } from '../http/stream-info.ts';
import { type PathMatch, pathEnd } from './path-match.ts';
import { compileSubstitution, Regex } from './regex.ts';

/** The new path with the query it had; the same path when an expression would leave none, and none when a format does. */
export type PathRewrite = (path: string, head: RequestHead, info: StreamInfo) => string;

export function compilePathRewrite(config: NonNullable<ForwardAction['pathRewrite']>, match: PathMatch): PathRewrite {
  if (config.kind === 'prefix') {
    const replacement = toByteString(config.replacement);
    return (path) => replacement + path.slice(match.matchedLength(pathEnd(path)));
  }
  if (config.kind === 'format') {
    const format = compileFormat(config.format, { omitEmptyValues: true });
    return (path, head, info) => {
      const written = format.write(sharedContext(info, head, null));
      return written === '' ? '' : written.replace(notOfPaths, encode) + path.slice(pathEnd(path));
    };
  }
  const regex = new Regex(config.regex);
  const substitution = compileSubstitution(config.substitution, regex);
  return (path) => {
    const end = pathEnd(path);
    const rewritten = regex.replaceAll(path.slice(0, end), substitution);
    return rewritten === '' ? path : rewritten + path.slice(end);
  };
}

// A header of the client may be part of what is written. A space in a path would end it: what is behind it would be
// another protocol (RFC 9112 section 3.2).
const notOfPaths = /[^!-~\x80-\xff]/g;

function encode(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
}
