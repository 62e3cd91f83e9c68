// The origin: nginx on the load generator's core, chosen because it answers for about 6 us of CPU and Debian's
// nginx-light brings the echo module, which really reads and returns a request's body.
// Paths: / 100 B from the configuration, /medium and /large files in memory (tmpfs), /echo the request's body, /error 500.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LARGE_BODY_BYTES, MEDIUM_BODY_BYTES, patternBody, SMALL_BODY_BYTES } from '../load/bodies.ts';
import { awaitFirstAnswer } from '../load/first-answer.ts';
import { freePorts } from './free-ports.ts';
import { NGINX_BINARY, nginxScratchPaths, nginxUserDirective } from './nginx.ts';
import { inCgroup, LOAD_CORE, startPinned } from './pinned-process.ts';

const READY_DEADLINE_MS = 5_000;

export type Origin = { readonly port: number; readonly stop: () => Promise<void> };

// `cgroup`: the folder of the cgroup that it runs in; that of the bench when left out.
export async function startOrigin({ cgroup }: { readonly cgroup?: string } = {}): Promise<Origin> {
  const directory = mkdtempSync('/dev/shm/outrigger-bench-origin-');
  const [port] = (await freePorts(1)) as [number];
  writeFileSync(join(directory, 'medium'), patternBody(MEDIUM_BODY_BYTES));
  writeFileSync(join(directory, 'large'), patternBody(LARGE_BODY_BYTES));
  writeFileSync(join(directory, 'nginx.conf'), configuration(directory, port));
  const within = cgroup === undefined ? [] : inCgroup(cgroup);
  const command = [...within, NGINX_BINARY, '-p', directory, '-c', join(directory, 'nginx.conf')];
  const child = startPinned(command, { core: LOAD_CORE, directory });
  await awaitFirstAnswer({ port, authority: 'origin', deadlineMs: READY_DEADLINE_MS, process: child });
  return {
    port,
    stop: async () => {
      await child.stop();
      rmSync(directory, { recursive: true });
    },
  };
}

function configuration(directory: string, port: number): string {
  return `
load_module /usr/lib/nginx/modules/ngx_http_echo_module.so;
${nginxUserDirective()}
daemon off; worker_processes 1; worker_rlimit_nofile 65536;
pid ${directory}/pid; error_log ${directory}/error.log warn;
events { worker_connections 16384; multi_accept on; }
http {
  ${nginxScratchPaths(directory)}
  access_log off; keepalive_requests 1000000000; keepalive_timeout 1h; server_tokens off;
  sendfile on; tcp_nopush on; tcp_nodelay on; open_file_cache max=16 inactive=1h; open_file_cache_valid 1h;
  client_body_buffer_size 64k; default_type text/plain;
  server {
    listen 127.0.0.1:${port} backlog=4096;
    root ${directory};
    location = /echo { echo_read_request_body; echo_request_body; }
    location = /medium { }
    location = /error { return 500; }
    location = /large { }
    location / { return 200 "${patternBody(SMALL_BODY_BYTES)}"; }
  }
}
`;
}
