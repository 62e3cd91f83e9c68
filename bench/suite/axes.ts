// The closed-loop axes: each changes one thing against the first.
import { LARGE_BODY_BYTES, MEDIUM_BODY_BYTES, patternBody, SMALL_BODY_BYTES, sha256 } from '../load/bodies.ts';
import type { LoadRequest } from '../load/wrk.ts';
import type { Profile } from '../peers/peer.ts';

export type Axis = {
  readonly name: string;
  readonly title: string;
  readonly profile: Profile;
  readonly listener: 'http' | 'tcp';
  readonly connections: number;
  readonly request: Omit<LoadRequest, 'authority'>;
  readonly expectedSha256: string;
};

export const AXES: readonly Axis[] = [
  axis({ name: 'small', title: '100 B, 64 connections' }),
  axis({ name: 'mesh', title: '100 B, 64 connections, mesh profile', profile: 'mesh' }),
  axis({ name: 'medium', title: '16 KiB, 64 connections', ...download('/medium', MEDIUM_BODY_BYTES) }),
  axis({ name: 'large', title: '1 MiB, 64 connections', ...download('/large', LARGE_BODY_BYTES) }),
  axis({ name: 'post-small', title: 'POST echo 100 B, 64 connections', ...echo(SMALL_BODY_BYTES) }),
  axis({ name: 'post-medium', title: 'POST echo 16 KiB, 64 connections', ...echo(MEDIUM_BODY_BYTES) }),
  axis({ name: 'headers', title: '100 B, 20 request headers, 64 connections', request: get('/', twentyHeaders()) }),
  axis({ name: 'one', title: '100 B, 1 connection', connections: 1 }),
  axis({ name: 'many', title: '100 B, 512 connections', connections: 512 }),
  axis({ name: 'tcp-small', title: 'tcp_proxy, 100 B, 64 connections', listener: 'tcp' }),
  axis({
    name: 'tcp-large',
    title: 'tcp_proxy, 1 MiB, 64 connections',
    listener: 'tcp',
    ...download('/large', LARGE_BODY_BYTES),
  }),
];

function axis(own: Partial<Axis> & Pick<Axis, 'name' | 'title'>): Axis {
  return {
    profile: 'bare',
    listener: 'http',
    connections: 64,
    request: get('/', {}),
    expectedSha256: sha256(patternBody(SMALL_BODY_BYTES)),
    ...own,
  };
}

function download(path: string, bodyBytes: number): Pick<Axis, 'request' | 'expectedSha256'> {
  return { request: get(path, {}), expectedSha256: sha256(patternBody(bodyBytes)) };
}

function echo(bodyBytes: number): Pick<Axis, 'request' | 'expectedSha256'> {
  const body = patternBody(bodyBytes);
  return { request: { method: 'POST', path: '/echo', headers: {}, body }, expectedSha256: sha256(body) };
}

function get(path: string, headers: Readonly<Record<string, string>>): Axis['request'] {
  return { method: 'GET', path, headers, body: '' };
}

// With Host these are 20, of the lengths that browsers and tracing libraries send.
function twentyHeaders(): Readonly<Record<string, string>> {
  const names = Array.from({ length: 19 }, (_, index) => `x-application-header-${index}`);
  return Object.fromEntries(names.map((name, index) => [name, patternBody(8 + 4 * index)]));
}
