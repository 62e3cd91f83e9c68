// Redirects: the URL that a client is sent to.
// https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/route/v3/route_components.proto#config-route-v3-redirectaction

import type { RedirectAction } from '../../config/route.ts';
import { toByteString, withoutControls } from '../format/byte-string.ts';
import { compileFormat } from '../format/format.ts';
import { sharedContext } from '../format/shared-context.ts';
import { portStart } from '../http/authority.ts';
import { HeaderId } from '../http/header-name.ts';
import type { RequestHead } from '../http/message.ts';
import type { StreamInfo } from '../http/stream-info.ts';
import type { PathMatch } from './path-match.ts';
import { compilePathRewrite, type PathRewrite } from './path-rewrite.ts';

export class CompiledRedirect {
  readonly kind = 'redirect';
  readonly config: RedirectAction;
  readonly status: number;
  readonly #path: PathRewrite;

  constructor(config: RedirectAction, match: PathMatch) {
    this.config = config;
    this.status = config.status;
    this.#path = compilePath(config, match);
  }

  /** The value of `location`. */
  location(head: RequestHead, info: StreamInfo): string {
    const { config } = this;
    const scheme = config.scheme ?? (config.https ? 'https' : head.scheme);
    const host = config.host ?? authorityFor(head, scheme, config.port !== undefined);
    const port = config.port === undefined ? '' : `:${config.port}`;
    return `${scheme}://${host}${port}${this.#path(head.path, head, info)}`;
  }
}

/** What the client spoke, as the peer in front of us or our own listener knows it. */
export function forwardedScheme(head: RequestHead): string {
  const row = head.headers.findId(HeaderId.xForwardedProto);
  return row < 0 ? head.scheme : head.headers.value(row);
}

// The port goes when another one is given, or when it was the default of the scheme that is left.
function authorityFor(head: RequestHead, scheme: string, hasPort: boolean): string {
  const { authority } = head;
  const at = portStart(authority);
  if (at < 0) return authority;
  const client = forwardedScheme(head);
  const port = authority.slice(at);
  const wasDefault = (client === 'https' && port === ':443') || (client === 'http' && port === ':80');
  return hasPort || (scheme !== client && wasDefault) ? authority.slice(0, at) : authority;
}

function compilePath(config: RedirectAction, match: PathMatch): PathRewrite {
  if (config.path?.kind === 'replace') return compileReplacement(toByteString(config.path.value), config.stripQuery);
  if (config.path?.kind === 'format') return compileFormattedPath(config.path.format, config.stripQuery);
  const rewrite: PathRewrite = config.path === undefined ? (path) => path : compilePathRewrite(config.path, match);
  return config.stripQuery ? (path, head, info) => withoutQuery(rewrite(path, head, info)) : rewrite;
}

// Nothing written leaves the path; what has no slash in front gets one, and a query as a replacement has.
function compileFormattedPath(text: string, stripQuery: boolean): PathRewrite {
  const format = compileFormat(text, { omitEmptyValues: true });
  return (path, head, info) => {
    const written = withoutControls(format.write(sharedContext(info, head, null)));
    if (written === '') return stripQuery ? withoutQuery(path) : path;
    const rewritten = written[0] === '/' ? written : `/${written}`;
    return stripQuery || rewritten.includes('?') ? rewritten : rewritten + path.slice(withoutQuery(path).length);
  };
}

// A query in the replacement takes the place of the request's, and is never stripped.
function compileReplacement(value: string, stripQuery: boolean): PathRewrite {
  if (stripQuery || value.includes('?')) return () => value;
  return (path) => {
    const query = path.indexOf('?');
    return query < 0 ? value : value + path.slice(query);
  };
}

function withoutQuery(path: string): string {
  const query = path.indexOf('?');
  return query < 0 ? path : path.slice(0, query);
}
