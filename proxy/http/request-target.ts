// The target of a request before routing: authority and path are brought into the one form that routes and endpoints
// see, so that nobody downstream can read a request differently from the rule that let it pass.

import { httpStats } from '../telemetry/http-stats.ts';
import { isValidAuthority } from './authority.ts';
import type { ConnectionManager } from './connection-manager.ts';
import { headerName } from './header-name.ts';
import { LocalReplies, type LocalReply } from './local-reply.ts';
import type { RequestHead } from './message.ts';

const hostName = headerName('host');
const slash = 0x2f;

/** Why a request is answered here instead of routed. `location` is set for a redirect to the unescaped path. */
export interface TargetRefusal {
  readonly reply: LocalReply;
  readonly reason: string;
  readonly location: string;
}

const badAuthority: TargetRefusal = {
  reply: LocalReplies.invalidAuthority,
  reason: 'the Host header or request target does not name one valid host',
  location: '',
};
const notRelative: TargetRefusal = {
  reply: { status: 404, body: '', details: 'absolute_path_rejected', flags: 0 },
  reason: 'the path does not begin with a slash: the target * is not routed',
  location: '',
};
const badPath: TargetRefusal = {
  reply: LocalReplies.pathNormalizationFailed,
  reason: 'the path cannot be normalised safely',
  location: '',
};

/** Validates and normalises `head.authority` and `head.path` in place; the Host row follows. */
export function prepareRequestTarget(
  head: RequestHead,
  manager: ConnectionManager,
  listenerPort: number,
): TargetRefusal | null {
  // Empty is what a client says whose target has no authority (RFC 9112 §3.2); one that is missing the codec refuses.
  if (head.authority === '') return null;
  if (!isValidAuthority(head.authority)) return badAuthority;
  const authority = manager.normalizeAuthority(head.authority, listenerPort);
  if (authority !== head.authority) {
    head.authority = authority;
    head.headers.set(hostName, authority);
  }
  if (head.method === 'CONNECT') return null;
  if (head.path.charCodeAt(0) !== slash) {
    manager.stats.inc(httpStats.downstreamRqNonRelativePath);
    return notRelative;
  }
  const result = manager.normalizePath(head.path);
  if (typeof result === 'string') {
    head.path = result;
    return null;
  }
  if (result.kind === 'reject') {
    manager.stats.inc(httpStats.downstreamRqFailedPathNormalization);
    return badPath;
  }
  manager.stats.inc(httpStats.downstreamRqRedirectedWithNormalizedPath);
  return {
    reply: { status: 307, body: '', details: 'path_normalization_failed', flags: 0 },
    reason: '',
    location: result.path,
  };
}
