// nginx with one worker and a keep-alive pool as wide as the widest load, so that it never pays for a connect the
// others do not pay for.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ensureDebianPackages } from './debian-packages.ts';
import { type Peer, type PeerSetup, type TlsSetup, virtualHostDomain } from './peer.ts';

export const NGINX_BINARY = '/usr/sbin/nginx';

const MESH_ROUTES = 20;

export const nginx: Peer = { name: 'nginx', install, version, prepare };

function install(): void {
  ensureDebianPackages([
    { name: 'nginx-light', provides: NGINX_BINARY },
    { name: 'libnginx-mod-stream', provides: '/usr/lib/nginx/modules/ngx_stream_module.so' },
  ]);
}

function version(): string {
  return spawnSync(NGINX_BINARY, ['-v'], { encoding: 'utf8' }).stderr.trim().replace('nginx version: nginx/', '');
}

function prepare(setup: PeerSetup): readonly string[] {
  const file = join(setup.directory, 'nginx.conf');
  writeFileSync(file, configuration(setup));
  return [NGINX_BINARY, '-p', setup.directory, '-c', file];
}

function configuration(setup: PeerSetup): string {
  const indexes = Array.from({ length: setup.clusters }, (_, index) => index);
  return `
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
${nginxUserDirective()}
daemon off; worker_processes 1; worker_rlimit_nofile 65536;
pid ${setup.directory}/pid; error_log ${setup.directory}/error.log warn;
events { worker_connections 16384; }
stream {
  upstream origin { server 127.0.0.1:${setup.originPort}; }
  server { listen 127.0.0.1:${setup.tcpPort} backlog=4096; proxy_pass origin; tcp_nodelay on; }
}
http {
  ${nginxScratchPaths(setup.directory)}
  keepalive_requests 1000000000; keepalive_timeout 1h; tcp_nodelay on; server_tokens off;
  server_names_hash_max_size 65536; server_names_hash_bucket_size 128;
  proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host;
  # Bodies stay in memory: a temporary file would be measured instead of the proxy.
  proxy_buffers 8 32k; proxy_buffer_size 16k; proxy_busy_buffers_size 64k; proxy_max_temp_file_size 0;
  client_body_buffer_size 64k; client_max_body_size 0;
  ${setup.profile === 'mesh' ? meshDirectives(setup.directory) : 'access_log off;'}
  ${indexes.map((index) => virtualHost(index, setup)).join('\n')}
}
`;
}

function virtualHost(index: number, setup: PeerSetup): string {
  const name = setup.clusters === 1 ? '_' : virtualHostDomain(index);
  const pass = `proxy_pass http://origin-${index};`;
  const routes = setup.profile === 'mesh' ? MESH_ROUTES - 1 : 0;
  const others = Array.from({ length: routes }, (_, route) => `location /route-${route}/ { ${pass} }`).join(' ');
  // listen options may be given once per address only.
  const tls = setup.tls === undefined || setup.tls.downstream === 'none' ? undefined : setup.tls;
  const ssl = tls === undefined ? '' : ' ssl';
  const options = index === 0 ? `${ssl} default_server backlog=4096` : ssl;
  return `upstream origin-${index} { server 127.0.0.1:${setup.originPort}; ${keepalive(setup)} keepalive_requests 1000000000; }
  server { listen 127.0.0.1:${setup.httpPort}${options}; server_name ${name}; ${tls === undefined ? '' : certificateOf(tls)} ${others} location / { ${pass} } }`;
}

// Without a cache of sessions: tickets are what a client of TLS 1.3 resumes by.
function certificateOf({ files }: TlsSetup): string {
  const { certificate, key } = files.server;
  return `ssl_certificate ${certificate}; ssl_certificate_key ${key}; ssl_protocols TLSv1.2 TLSv1.3;`;
}

// nginx allocates every slot of every pool at start, 3.6 GB for 10,000 pools of 1,024: the scale suite has 64
// connections and needs no more.
function keepalive(setup: PeerSetup): string {
  return setup.clusters === 1 ? 'keepalive 1024;' : 'keepalive 64;';
}

function meshDirectives(directory: string): string {
  return `access_log ${directory}/access.log combined buffer=64k flush=1s;
  proxy_next_upstream error timeout http_500 http_502 http_503 http_504; proxy_next_upstream_tries 3;
  proxy_set_header X-Request-Id $request_id; proxy_set_header X-Forwarded-Proto $scheme;
  proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
  proxy_set_header X-Mesh-Source bench; proxy_set_header X-Mesh-Protocol $server_protocol; proxy_set_header X-Internal "";
  proxy_hide_header X-Powered-By; add_header X-Mesh-Route default; add_header X-Mesh-Via sidecar;`;
}

// Started by root, nginx would drop to a user who cannot read the scratch directory.
export function nginxUserDirective(): string {
  return process.getuid?.() === 0 ? 'user root;' : '';
}

// Debian's compiled-in paths need root.
export function nginxScratchPaths(directory: string): string {
  const kinds = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return kinds.map((kind) => `${kind}_temp_path ${directory}/${kind};`).join(' ');
}
