// Rewriting of the authority, and the two headers that remember what it was.
// https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/route/v3/route_components.proto#config-route-v3-routeaction

import type { ForwardAction } from '../../config/route.ts';
import { toByteString, withoutControls } from '../format/byte-string.ts';
import { compileFormat } from '../format/format.ts';
import { sharedContext } from '../format/shared-context.ts';
import { HeaderId, headerName } from '../http/header-name.ts';
import type { RequestHead } from '../http/message.ts';
import type { StreamInfo } from '../http/stream-info.ts';
import { pathEnd } from './path-match.ts';
import { compileSubstitution, Regex } from './regex.ts';

/** The new authority; empty leaves the old one. */
export type HostRewrite = (head: RequestHead, info: StreamInfo) => string;

/** Compiles what is known before an endpoint is; null for none and for `auto`. */
export function compileHostRewrite(config: ForwardAction['hostRewrite']): HostRewrite | null {
  switch (config?.kind) {
    case 'literal': {
      const value = toByteString(config.value);
      return () => value;
    }
    case 'header': {
      const name = headerName(config.name);
      return ({ headers }) => {
        const row = headers.find(name);
        return row < 0 ? '' : headers.value(row);
      };
    }
    case 'path-regex': {
      const regex = new Regex(config.regex);
      const substitution = compileSubstitution(config.substitution, regex);
      return ({ path }) => regex.replaceAll(path.slice(0, pathEnd(path)), substitution);
    }
    case 'format': {
      const format = compileFormat(config.format);
      return (head, info) => withoutControls(format.write(sharedContext(info, head, null)));
    }
    default:
      return null;
  }
}

export interface AuthorityChange {
  /** Append the old authority to `x-forwarded-host`. */
  readonly appendForwardedHost: boolean;
  /** Keep the old authority in `x-envoy-original-host`. */
  readonly keepOriginal: boolean;
}

/** Gives the request another authority. An empty one changes nothing. */
export function changeAuthority(head: RequestHead, authority: string, change: AuthorityChange): void {
  if (authority === '' || authority === head.authority) return;
  const { headers, authority: original } = head;
  if (change.appendForwardedHost && original !== '') {
    const forwarded = headers.get(forwardedHost);
    if (forwarded === undefined || forwarded === '') headers.set(forwardedHost, original);
    else if (lastItem(forwarded) !== original) headers.set(forwardedHost, `${forwarded},${original}`);
  }
  if (change.keepOriginal) headers.set(originalHost, original);
  head.authority = authority;
  const row = headers.findId(HeaderId.host);
  if (row >= 0) headers.replaceValue(row, authority);
  else headers.append('host', authority);
}

const forwardedHost = headerName('x-forwarded-host');
const originalHost = headerName('x-envoy-original-host');

function lastItem(list: string): string {
  return list.slice(list.lastIndexOf(',') + 1).trim();
}
