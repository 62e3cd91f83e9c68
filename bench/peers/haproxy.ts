// HAProxy with one thread, in the foreground.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ensureDebianPackages } from './debian-packages.ts';
import { type Peer, type PeerSetup, virtualHostDomain } from './peer.ts';

const BINARY = '/usr/sbin/haproxy';
const MESH_ROUTES = 20;

export const haproxy: Peer = { name: 'haproxy', install, version, prepare };

function install(): void {
  ensureDebianPackages([{ name: 'haproxy', provides: BINARY }]);
}

function version(): string {
  const text = execFileSync(BINARY, ['-v'], { encoding: 'utf8' });
  return /version (\S+)/.exec(text)?.[1] ?? text.trim();
}

function prepare(setup: PeerSetup): readonly string[] {
  const file = join(setup.directory, 'haproxy.cfg');
  const domains = Array.from({ length: setup.clusters }, (_, index) => `${virtualHostDomain(index)} origin-${index}\n`);
  writeFileSync(join(setup.directory, 'domains.map'), domains.join(''));
  writeFileSync(file, configuration(setup));
  return [BINARY, '-db', '-f', file];
}

function configuration(setup: PeerSetup): string {
  const indexes = Array.from({ length: setup.clusters }, (_, index) => index);
  const mesh = setup.profile === 'mesh';
  return `
global
  nbthread 1
  maxconn 8192
  ${mesh ? 'log stdout format raw local0' : ''}
defaults
  timeout connect 1s
  timeout client 1h
  timeout server 1h
  http-reuse always
frontend http
  mode http
  bind 127.0.0.1:${setup.httpPort} backlog 4096
  ${mesh ? meshDirectives() : ''}
  ${setup.clusters === 1 ? '' : `use_backend %[req.hdr(host),lower,map(${setup.directory}/domains.map,origin-0)]`}
  default_backend origin-0
frontend tcp
  mode tcp
  bind 127.0.0.1:${setup.tcpPort} backlog 4096
  default_backend origin-tcp
backend origin-tcp
  mode tcp
  server origin 127.0.0.1:${setup.originPort}
${indexes.map((index) => upstream(index, setup)).join('\n')}
`;
}

function upstream(index: number, setup: PeerSetup): string {
  const retries = setup.profile === 'mesh' ? 'retries 2\n  retry-on conn-failure empty-response 500 502 503 504' : '';
  return `backend origin-${index}
  mode http
  ${retries}
  server origin 127.0.0.1:${setup.originPort} maxconn 0 pool-max-conn -1`;
}

function meshDirectives(): string {
  const routes = Array.from(
    { length: MESH_ROUTES - 1 },
    (_, route) => `use_backend origin-0 if { path_beg /route-${route}/ }`,
  );
  return [
    'log global',
    'option httplog',
    'option forwardfor',
    'unique-id-format %[uuid()]',
    'unique-id-header X-Request-Id',
    'http-request set-header X-Forwarded-Proto http',
    'http-request set-header X-Mesh-Source bench',
    'http-request set-header X-Mesh-Protocol HTTP/%[req.ver]',
    'http-request del-header X-Internal',
    'http-response set-header X-Mesh-Route default',
    'http-response set-header X-Mesh-Via sidecar',
    'http-response del-header X-Powered-By',
    ...routes,
  ].join('\n  ');
}
