// Brings paths to one form before routes and policies look at them, so that no rule is passed by spelling a path in
// another way. Envoy's options in Envoy's order: unescape slashes, normalise, merge slashes; the query is never touched.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/http_conn_man
//
// Normalising means here what it means to Envoy, which uses Chromium's URL library: dot segments are resolved (RFC 3986
// §5.2.4), `\` is a slash, percent-encoded unreserved characters are decoded (§6.2.2.2), characters that a path may not
// hold are encoded. The case of other percent-encodings stays as it is (`%2f` and `%2F` remain different), unlike
// §6.2.2.1. A dot segment with parameters (`..;x=y`) is a dot segment (CVE-2026-73551).

import type { HttpConnectionManager } from '../../config/http-connection-manager.ts';
import { hexDigit } from './hex-digit.ts';

export type PathOptions = Pick<HttpConnectionManager, 'normalizePath' | 'mergeSlashes' | 'escapedSlashes'>;

/** What is done with a path that does not go on. */
export type PathRefusal =
  /** Answer 400 with `reason`. */
  | { readonly kind: 'reject'; readonly reason: string }
  /** Answer 307 with this path and query as the location. */
  | { readonly kind: 'redirect'; readonly path: string };

/** Maps path and query; a path that needs nothing comes back as the same string. */
export type PathNormalizer = (path: string) => string | PathRefusal;

const encodedNul: PathRefusal = { kind: 'reject', reason: 'the path has an encoded NUL (%00)' };
const escapedSlash: PathRefusal = { kind: 'reject', reason: 'the path has an escaped slash (%2F or %5C)' };

const Char = { percent: 0x25, dot: 0x2e, slash: 0x2f, question: 0x3f, backslash: 0x5c } as const;

/** What a character of a path asks for: 0 nothing, 1 a look at its surroundings. */
const special = new Uint8Array(256);
const isUnreserved = new Uint8Array(256);
for (const letter of 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~') {
  isUnreserved[letter.charCodeAt(0)] = 1;
}
/** Visible characters that a path may not hold raw; the backslash is a slash by then. */
const isEncoded = new Uint8Array(256);
for (const letter of '"<>^`{|}') isEncoded[letter.charCodeAt(0)] = 1;
for (let code = 0; code < 256; code++) special[code] = isEncoded[code]!;
special[Char.percent] = 1;
special[Char.slash] = 1;
special[Char.backslash] = 1;

/** Compiles the options. The asterisk of `OPTIONS *` and the empty path of CONNECT come back as they are. */
export function compilePathNormalizer(options: PathOptions): PathNormalizer {
  const { normalizePath, mergeSlashes, escapedSlashes } = options;
  if (!normalizePath && !mergeSlashes && escapedSlashes === 'keep') return (path) => path;
  return (path) => {
    if (path.charCodeAt(0) !== Char.slash || isPlain(path)) return path;
    const queryStart = path.indexOf('?');
    const query = queryStart < 0 ? '' : path.slice(queryStart);
    let result = queryStart < 0 ? path : path.slice(0, queryStart);
    let isRedirect = false;
    if (escapedSlashes !== 'keep') {
      const unescaped = unescapeSlashes(result);
      if (unescaped !== result) {
        if (escapedSlashes === 'reject') return escapedSlash;
        isRedirect = escapedSlashes === 'unescape-and-redirect';
        result = unescaped;
      }
    }
    if (normalizePath) {
      const canonical = canonicalPath(result);
      if (canonical === null) return encodedNul;
      result = canonical;
    }
    if (mergeSlashes) result = withoutDoubleSlashes(result);
    return isRedirect ? { kind: 'redirect', path: result + query } : result + query;
  };
}

/** Whether no option could change this path: so it is with nearly all, and then nothing is allocated. */
function isPlain(path: string): boolean {
  for (let at = 0; at < path.length; at++) {
    const code = path.charCodeAt(at);
    if (special[code] === 0) {
      if (code === Char.question) return true;
      continue;
    }
    if (code === Char.slash) {
      const next = path.charCodeAt(at + 1);
      if (next === Char.slash || next === Char.dot) return false;
    } else if (code !== Char.percent || !staysEncoded(decodedAt(path, at))) return false;
  }
  return true;
}

/** Whether this decoded byte stays percent-encoded under every option. */
function staysEncoded(byte: number): boolean {
  return byte > 0 && isUnreserved[byte] === 0 && byte !== Char.slash && byte !== Char.backslash;
}

/** The byte that `%XX` at `at` stands for; -1 when it stands for none. */
function decodedAt(text: string, at: number): number {
  const high = hexDigit(text.charCodeAt(at + 1));
  const low = hexDigit(text.charCodeAt(at + 2));
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

function unescapeSlashes(path: string): string {
  let result = '';
  let copied = 0;
  for (let at = path.indexOf('%'); at >= 0; at = path.indexOf('%', at + 1)) {
    const byte = decodedAt(path, at);
    if (byte !== Char.slash && byte !== Char.backslash) continue;
    result += path.slice(copied, at) + String.fromCharCode(byte);
    copied = at + 3;
  }
  return copied === 0 ? path : result + path.slice(copied);
}

/** Resolves dot segments and normalises encodings; null when there is an encoded NUL. */
function canonicalPath(path: string): string | null {
  let result = '';
  let segmentStart = 1;
  while (segmentStart <= path.length) {
    const segmentEnd = slashAfter(path, segmentStart);
    const segment = canonicalSegment(path.slice(segmentStart, segmentEnd));
    if (segment === null) return null;
    const isLast = segmentEnd === path.length;
    const name = withoutParameters(segment);
    if (name === '..') result = result.slice(0, Math.max(0, result.lastIndexOf('/')));
    else if (name !== '.') result += `/${segment}`;
    if (isLast && (name === '.' || name === '..')) result += '/';
    segmentStart = segmentEnd + 1;
  }
  return result;
}

function slashAfter(path: string, start: number): number {
  let at = start;
  while (at < path.length && path.charCodeAt(at) !== Char.slash && path.charCodeAt(at) !== Char.backslash) at++;
  return at;
}

function withoutParameters(segment: string): string {
  const semicolon = segment.indexOf(';');
  return semicolon < 0 ? segment : segment.slice(0, semicolon);
}

function canonicalSegment(segment: string): string | null {
  let result = '';
  let copied = 0;
  for (let at = 0; at < segment.length; at++) {
    const code = segment.charCodeAt(at);
    if (code === Char.percent) {
      const byte = decodedAt(segment, at);
      if (byte === 0) return null;
      if (byte < 0 || isUnreserved[byte] === 0) continue;
      result += segment.slice(copied, at) + String.fromCharCode(byte);
      at += 2;
    } else if (isEncoded[code] === 1) {
      result += `${segment.slice(copied, at)}%${code.toString(16).toUpperCase()}`;
    } else continue;
    copied = at + 1;
  }
  return copied === 0 ? segment : result + segment.slice(copied);
}

function withoutDoubleSlashes(path: string): string {
  let result = '';
  let copied = 0;
  for (let at = path.indexOf('//'); at >= 0; at = path.indexOf('//', at)) {
    result += path.slice(copied, at);
    while (path.charCodeAt(at + 1) === Char.slash) at++;
    copied = at;
  }
  return copied === 0 ? path : result + path.slice(copied);
}
