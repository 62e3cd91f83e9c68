// V8's compiled code of what every start runs, kept beside the bundle.
//
// Node's own cache is made when a file has been loaded, before its functions have run: V8 compiles functions when they are
// first called, so that none of them is in it, and 900 of the main thread's and 750 of a worker's were parsed and compiled
// at each start. Kept at the end of a run that has answered a request, their code is there: CPU from start to the first
// answer, least of 9 on a busy machine: 263 ms without, 202 with it.
// What cannot be run where a bundle is made is compiled as a whole, with functions that no start calls: loading and attaching
// all programs of bpf/ takes 27 ms so, and 35 without (medians of 14).
// V8 refuses what another version of it or other flags have made, and compiles the text instead.
// https://nodejs.org/api/vm.html#scriptcreatecacheddata

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createServer, get } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { Script } from 'node:vm';

const START_WITHIN_MS = 30_000;

const LOOPBACK = '127.0.0.1';
const EXTENSIONS = 'type.googleapis.com/envoy.extensions.filters';
/** In the log, when the listener of `smallBootstrap` is served. */
const SERVED = /http (127\.0\.0\.1:\d+)/;

/**
 * Makes NAME.js of the module NAME.cjs: a script whose value is the function that Node makes of a module. NAME.cjs becomes
 * what runs it.
 */
export function makeScript(out: string, name: string): void {
  const module = join(out, `${name}.cjs`);
  const script = join(out, `${name}.js`);
  renameSync(module, script);
  // In the first line, so that lines keep their numbers.
  const parameters = 'exports, require, module, __filename, __dirname';
  writeFileSync(script, `(function (${parameters}) { ${readFileSync(script, 'latin1')}\n})`, 'latin1');
  writeFileSync(module, starterOf(name));
}

/** Leaves beside the script NAME.js the code of all its functions, none of which has run. */
export function compileWhole(out: string, name: string): void {
  const filename = join(out, `${name}.js`);
  setFlagsFromString('--no-lazy');
  const script = new Script(readFileSync(filename, 'latin1'), { filename });
  // Code is for the flags that V8 has when it is kept.
  setFlagsFromString('--lazy');
  writeFileSync(join(out, `${name}.${process.arch}.compiled`), script.createCachedData());
}

/** ASCII is read fastest as Latin-1. */
function starterOf(name: string): string {
  return `'use strict';
const { existsSync, readFileSync } = require('node:fs');
const { Script } = require('node:vm');
const filename = __dirname + '/${name}.js';
const compiled = __dirname + '/${name}.' + process.arch + '.compiled';
const options = existsSync(compiled) ? { filename, cachedData: readFileSync(compiled) } : { filename };
new Script(readFileSync(filename, 'latin1'), options).runInThisContext()(exports, require, module, filename, __dirname);
`;
}

/**
 * Runs the bundle until it has answered one request: proof that both threads start. They leave their compiled code in `out`,
 * and Node that of the libraries a configuration may ask for in the folder `cache`. Throws when there is no answer.
 */
export async function keepCompiledCode(out: string): Promise<void> {
  const endpoint = createServer((_, response) => response.end()).listen(0, LOOPBACK);
  await once(endpoint, 'listening');
  // Behind a comment it is YAML.
  const bootstrap = `# small\n${JSON.stringify(smallBootstrap((endpoint.address() as AddressInfo).port))}`;
  const env = { ...process.env, NODE_COMPILE_CACHE: join(out, 'cache'), NODE_COMPILE_CACHE_PORTABLE: '1' };
  // No flags of V8: the code is for those it was made with, and sizes of the heap (bin/outrigger) are not among them.
  const program = ['--import', join(import.meta.dirname, 'code-keeping.ts'), join(out, 'outrigger.cjs')];
  const args = [...program, '--config-yaml', bootstrap, '--concurrency', '1', '--drain-time-s', '1'];
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'], timeout: START_WITHIN_MS });
  let text = '';
  let hasAsked = false;
  const onText = (chunk: Buffer) => {
    text += chunk;
    const address = SERVED.exec(text)?.[1];
    if (hasAsked || address === undefined) return;
    hasAsked = true;
    void askOnce(address).then((status) => {
      if (status !== 200) text += `${address} answered ${status}`;
      child.kill(status === 200 ? 'SIGTERM' : 'SIGKILL');
    });
  };
  child.stdout.on('data', onText);
  child.stderr.on('data', onText);
  const [exitCode, signal] = await once(child, 'close');
  endpoint.close();
  if (exitCode !== 0 || !hasAsked) throw new Error(`the bundle does not start (${exitCode ?? signal}): ${text}`);
}

/** The status of the answer; of no answer, why. */
function askOnce(address: string): Promise<number | string> {
  return new Promise((answered) => {
    get(`http://${address}/`, { agent: false }, (response) => {
      response.resume();
      response.once('end', () => answered(response.statusCode!));
    }).once('error', (error) => answered(error.message));
  });
}

function smallBootstrap(endpointPort: number): object {
  const address = (port: number) => ({ socket_address: { address: LOOPBACK, port_value: port } });
  const manager = {
    '@type': `${EXTENSIONS}.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: 'http',
    route_config: {
      virtual_hosts: [
        {
          name: 'all',
          domains: ['*'],
          routes: [{ match: { safe_regex: { regex: '/.*' } }, route: { cluster: 'service' } }],
        },
      ],
    },
    http_filters: [{ name: 'router', typed_config: { '@type': `${EXTENSIONS}.http.router.v3.Router` } }],
  };
  const endpoints = [{ lb_endpoints: [{ endpoint: { address: address(endpointPort) } }] }];
  return {
    admin: { address: address(0) },
    static_resources: {
      listeners: [
        { name: 'http', address: address(0), filter_chains: [{ filters: [{ name: 'http', typed_config: manager }] }] },
      ],
      clusters: [{ name: 'service', load_assignment: { cluster_name: 'service', endpoints } }],
    },
  };
}
