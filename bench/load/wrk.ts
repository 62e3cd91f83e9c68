// The closed-loop load: wrk with one thread on the load core. Used for maximum rates and as a fixed workload for CPU
// per request; never for latency, because wrk rewrites its own histogram (wrk.c, stats_correct).
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ensureDebianPackages } from '../peers/debian-packages.ts';
import { inCgroup, LOAD_CORE } from '../peers/pinned-process.ts';

const BINARY = '/usr/bin/wrk';

export type LoadRequest = {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly authority: string;
  // Asked for in turn, in place of that one.
  readonly authorities?: readonly string[];
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
};

export type WrkOptions = {
  readonly port: number;
  // 127.0.0.1 when left out.
  readonly ip?: string;
  // Folder of the cgroup that wrk runs in; that of the bench when left out.
  readonly cgroup?: string;
  // Whether over TLS; it verifies nobody.
  readonly isSecure?: boolean;
  readonly connections: number;
  // wrk takes whole seconds.
  readonly seconds: number;
  readonly request: LoadRequest;
  // Where the Lua script is written.
  readonly directory: string;
};

export type WrkOutcome = {
  readonly requests: number;
  readonly bytes: number;
  readonly seconds: number;
};

export function ensureWrk(): void {
  ensureDebianPackages([{ name: 'wrk', provides: BINARY }]);
}

// Rejects when any request failed: figures of a run with errors are figures of something else.
export async function runWrk(options: WrkOptions): Promise<WrkOutcome> {
  const script = join(options.directory, 'load.lua');
  writeFileSync(script, wrkScript(options.request));
  const scheme = options.isSecure === true ? 'https' : 'http';
  const url = `${scheme}://${options.ip ?? '127.0.0.1'}:${options.port}${options.request.path}`;
  const load = ['-t', '1', '-c', String(options.connections), '-d', `${options.seconds}s`, '--timeout', '5s'];
  const command = [BINARY, ...load, '-s', script, url];
  const pinned = [
    '-c',
    String(LOAD_CORE),
    ...(options.cgroup === undefined ? [] : inCgroup(options.cgroup)),
    ...command,
  ];
  const { stdout } = await promisify(execFile)('taskset', pinned);
  return parseWrkOutput(stdout);
}

// The script prints exact counters at the end: wrk's own summary rounds them ("1.21GB").
export function wrkScript(request: LoadRequest): string {
  const headers = Object.entries({ Host: request.authority, ...request.headers });
  const inTurn = request.authorities === undefined ? '' : hostsInTurn(request.authorities);
  return `wrk.method = "${request.method}"
wrk.body = ${request.body === '' ? 'nil' : `"${request.body}"`}
${headers.map(([name, value]) => `wrk.headers["${name}"] = "${value}"`).join('\n')}
${inTurn}done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("counters requests=%d bytes=%d micros=%d connect=%d read=%d write=%d timeout=%d status=%d\\n",
    summary.requests, summary.bytes, summary.duration, e.connect, e.read, e.write, e.timeout, e.status))
end
`;
}

// Each request is made once: making it anew is a table and a text for each that is sent.
function hostsInTurn(authorities: readonly string[]): string {
  return `local hosts, texts, at = { ${authorities.map((one) => `"${one}"`).join(', ')} }, {}, 0
init = function(args)
  for i, host in ipairs(hosts) do
    wrk.headers["Host"] = host
    texts[i] = wrk.format()
  end
end
request = function()
  at = at % #texts + 1
  return texts[at]
end
`;
}

// Throws an Error on failed requests, on no requests, and on text without the script's line.
export function parseWrkOutput(text: string): WrkOutcome {
  const line = /^counters (.*)$/m.exec(text)?.[1];
  if (line === undefined) throw new Error(`wrk printed no counters:\n${text}`);
  const counters = new Map(line.split(' ').map((pair) => pair.split('=') as [string, string]));
  const failures = ['connect', 'read', 'write', 'timeout', 'status'].filter((kind) => counters.get(kind) !== '0');
  if (failures.length > 0 || /Non-2xx|Socket errors/.test(text)) {
    throw new Error(`wrk saw errors: ${failures.map((kind) => `${kind} ${counters.get(kind)}`).join(', ')}`);
  }
  const outcome = {
    requests: Number(counters.get('requests')),
    bytes: Number(counters.get('bytes')),
    seconds: Number(counters.get('micros')) / 1e6,
  };
  if (!(outcome.requests > 0 && outcome.seconds > 0)) throw new Error(`wrk completed no request:\n${text}`);
  return outcome;
}
