// The request target in its forms (RFC 9112 §3.2), reduced to what the rest of the proxy speaks: a path in origin form,
// an authority and a scheme. Targets hold visible ASCII only; the request line's scan saw to that.

import { isValidAuthority, portStart } from '../authority.ts';
import type { RequestHead } from '../message.ts';
import { type CodecError, requestErrors } from './codec-error.ts';

export interface RequestTargetOptions {
  readonly allowAbsoluteUrl: boolean;
  /** Envoy's `http_reject_path_with_fragment`; false cuts the fragment off, as Istio has it. */
  readonly rejectPathWithFragment: boolean;
}

const slash = 0x2f;

/**
 * Fills path, scheme and, where the target names one, authority (which is empty otherwise). Returns why the target is
 * refused, null when it is fine.
 */
export function readTarget(target: string, head: RequestHead, options: RequestTargetOptions): CodecError | null {
  head.authority = '';
  head.scheme = 'http';
  if (head.method === 'CONNECT') return readAuthorityForm(target, head);
  const fragment = target.indexOf('#');
  if (fragment >= 0 && options.rejectPathWithFragment) return requestErrors.fragment;
  const withoutFragment = fragment < 0 ? target : target.slice(0, fragment);
  if (target.charCodeAt(0) === slash) {
    head.path = withoutFragment;
    return null;
  }
  if (target === '*') {
    head.path = target;
    return head.method === 'OPTIONS' ? null : requestErrors.invalidTarget;
  }
  return readAbsoluteForm(withoutFragment, head, options);
}

function readAuthorityForm(target: string, head: RequestHead): CodecError | null {
  head.path = '';
  head.authority = target;
  // Without a port there is nothing to connect to (RFC 9110 §9.3.6).
  const port = portStart(target);
  return port > 0 && port < target.length - 1 && isValidAuthority(target) ? null : requestErrors.invalidTarget;
}

function readAbsoluteForm(target: string, head: RequestHead, options: RequestTargetOptions): CodecError | null {
  const scheme = schemeOf(target);
  if (scheme === null) return requestErrors.invalidTarget;
  if (!options.allowAbsoluteUrl) return requestErrors.absoluteTarget;
  const authorityStart = scheme.length + '://'.length;
  let authorityEnd = authorityStart;
  while (authorityEnd < target.length && !endsAuthority(target.charCodeAt(authorityEnd))) authorityEnd++;
  const authority = target.slice(authorityStart, authorityEnd);
  if (!isValidAuthority(authority)) return requestErrors.invalidTarget;
  head.scheme = scheme;
  head.authority = authority;
  const path = target.slice(authorityEnd);
  // `http://a` and `http://a?b` leave the root path out (RFC 9110 §4.2.3).
  head.path = path.charCodeAt(0) === slash ? path : `/${path}`;
  if (path === '' && head.method === 'OPTIONS') head.path = '*';
  return null;
}

function schemeOf(target: string): 'http' | 'https' | null {
  const start = target.slice(0, 'https://'.length).toLowerCase();
  if (start.startsWith('http://')) return 'http';
  return start === 'https://' ? 'https' : null;
}

function endsAuthority(code: number): boolean {
  return code === slash || code === 0x3f;
}
