// Host and port of a request: what is valid, and what is cut off before virtual hosts are looked up.
//
// A subset of RFC 3986 §3.2 without user information. The comma, a sub-delimiter by the grammar, is refused: it is
// what two Host headers look like after somebody joined them, and then everybody picks another one.

export interface AuthorityOptions {
  /** Envoy's `strip_matching_host_port` and `strip_any_host_port`. */
  readonly stripPort: 'none' | 'matching' | 'any';
  readonly stripTrailingHostDot: boolean;
}

const hostClass = new Uint8Array(128);
for (const letter of "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~%!$&'()*+;=") {
  hostClass[letter.charCodeAt(0)] = 1;
}
const ipv6Class = new Uint8Array(128);
for (const letter of 'abcdefABCDEF0123456789:.') ipv6Class[letter.charCodeAt(0)] = 1;

const colon = 0x3a;
const dot = 0x2e;
const highestPort = 65535;

/** Whether this is `host`, `host:port`, `[IPv6]` or `[IPv6]:port`. The empty authority is not. */
export function isValidAuthority(authority: string): boolean {
  const hostEnd = authority.charCodeAt(0) === 0x5b ? literalEnd(authority) : nameEnd(authority);
  if (hostEnd <= 0) return false;
  return hostEnd === authority.length || isPort(authority, hostEnd);
}

function nameEnd(authority: string): number {
  let at = 0;
  while (at < authority.length && hostClass[authority.charCodeAt(at)] === 1) at++;
  return at;
}

/** The offset behind `]`; -1 when there is no sound literal. */
function literalEnd(authority: string): number {
  let at = 1;
  while (at < authority.length && ipv6Class[authority.charCodeAt(at)] === 1) at++;
  // The shortest is `[::]`.
  return at >= 3 && authority.charCodeAt(at) === 0x5d ? at + 1 : -1;
}

/** Whether what is left is `:` and a port; the port may be left out (RFC 3986 §3.2.3). */
function isPort(authority: string, start: number): boolean {
  if (authority.charCodeAt(start) !== colon) return false;
  let port = 0;
  for (let at = start + 1; at < authority.length; at++) {
    const digit = authority.charCodeAt(at) - 0x30;
    if (digit < 0 || digit > 9) return false;
    port = port * 10 + digit;
    if (port > highestPort) return false;
  }
  return true;
}

/** Offset of the colon before the port; -1 when there is none. */
export function portStart(authority: string): number {
  const at = authority.lastIndexOf(':');
  // In `[::1]` the last colon is inside the brackets.
  return at >= 0 && authority.indexOf(']', at) < 0 ? at : -1;
}

/** Maps the authority of a request that came in at `listenerPort`. */
export type AuthorityNormalizer = (authority: string, listenerPort: number) => string;

/**
 * Compiles Envoy's host options. Only the port the connection came in at counts as matching. An authority with nothing
 * to strip comes back as the same string.
 */
export function compileAuthorityNormalizer(options: AuthorityOptions): AuthorityNormalizer {
  const { stripPort, stripTrailingHostDot } = options;
  if (stripPort === 'none' && !stripTrailingHostDot) return (authority) => authority;
  return (authority, listenerPort) => {
    const result = stripPort === 'none' ? authority : withoutPort(authority, stripPort === 'any' ? -1 : listenerPort);
    return stripTrailingHostDot ? withoutTrailingDot(result) : result;
  };
}

/** Cuts the port when it is `port`; any when that is -1. */
function withoutPort(authority: string, port: number): string {
  const start = portStart(authority);
  if (start < 0) return authority;
  if (port >= 0 && Number(authority.slice(start + 1)) !== port) return authority;
  return authority.slice(0, start);
}

/** The dot that ends an absolute name (`example.com.`), before a port as well. */
function withoutTrailingDot(authority: string): string {
  const start = portStart(authority);
  const hostEnd = start < 0 ? authority.length : start;
  if (authority.charCodeAt(hostEnd - 1) !== dot) return authority;
  return authority.slice(0, hostEnd - 1) + authority.slice(hostEnd);
}

/** Without port and brackets, lower case. */
export function hostOf(authority: string): string {
  const port = portStart(authority);
  const host = port < 0 ? authority : authority.slice(0, port);
  return (host.startsWith('[') ? host.slice(1, -1) : host).toLowerCase();
}
