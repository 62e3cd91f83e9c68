// Istio's own agent in a pod of a test's mesh, with the folders that its container has, and Outrigger in the place of its
// Envoy.

import { type ChildProcess, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Test } from 'tap';
import { NODE_IP, type Pod } from '../mesh/mesh-node.ts';
import { programFile } from '../support/program-file.ts';
import type { Istiod } from './istiod.ts';
import { istioSources } from './istiod-program.ts';

/** The name in istiod's certificate. */
const ISTIOD = 'istiod.istio-system.svc';
/** As Istio's sidecars have it: what they open themselves is not redirected. */
const PROXY_GROUP = 1337;

export interface PilotAgentOptions {
  readonly program: string;
  readonly istiod: Istiod;
  /** Behind `proxy sidecar`. */
  readonly arguments?: readonly string[];
  readonly variables?: Readonly<Record<string, string>>;
}

export interface PilotAgent {
  readonly log: readonly string[];
  /** Arguments that it gave to its Envoy. */
  envoyArguments(): readonly string[];
  /** Of its Envoy's admin interface. */
  admin(path: string): string;
  /** Resolves when it says that its Envoy is ready. */
  ready(): Promise<void>;
  /** Sends SIGTERM, and resolves with how it ended. */
  end(): Promise<number | NodeJS.Signals>;
}

export function startPilotAgent(t: Test, pod: Pod, options: PilotAgentOptions): PilotAgent {
  const { program, istiod, variables = {} } = options;
  const folder = mkdtempSync(join(tmpdir(), 'outrigger-agent-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  furnish(folder, pod, istiod);
  const script = 'mount --bind hosts /etc/hosts && exec setpriv --regid "$0" --clear-groups "$@"';
  const command = [program, 'proxy', 'sidecar', ...(options.arguments ?? [])];
  const inPod = ['--target', String(pod.holder), '--net', 'unshare', '--mount', 'sh', '-c', script];
  const child = spawn('nsenter', [...inPod, String(PROXY_GROUP), ...command], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env['PATH'],
      POD_NAME: pod.name,
      POD_NAMESPACE: 'shop',
      INSTANCE_IP: pod.ip,
      SERVICE_ACCOUNT: pod.name,
      XDG_CACHE_HOME: join(folder, 'var/lib/istio/data'),
      PROXY_CONFIG: JSON.stringify({
        discoveryAddress: `${ISTIOD}:${istiod.tlsPort}`,
        binaryPath: join(folder, 'usr/local/bin/envoy'),
        concurrency: 1,
        terminationDrainDuration: '1s',
      }),
      ...variables,
    },
  });
  const log: string[] = [];
  const news = new EventEmitter();
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      log.push(line);
      news.emit('line');
    });
  }
  const ended = once(child, 'close');
  t.teardown(async () => {
    await stop(child, ended);
    if (!t.passing()) writeFileSync(2, `${pod.name}:\n${log.join('\n')}\n`);
  });
  const ready = async (): Promise<void> => {
    while (!log.some((line) => line.includes('Envoy proxy is ready'))) {
      if (child.exitCode !== null) throw new Error(`pilot-agent ended:\n${log.join('\n')}`);
      // It asks when it is asked, as the kubelet does.
      pod.run('curl -s --max-time 60 http://127.0.0.1:15020/healthz/ready || true');
      await Promise.race([once(news, 'line'), ended]);
    }
  };
  return {
    log,
    ready,
    envoyArguments: () => readFileSync(join(folder, 'envoy-arguments'), 'utf8').trimEnd().split('\n'),
    admin: (path) => pod.run(`curl -s --max-time 60 --globoff 'http://127.0.0.1:15000${path}'`),
    end: async () => {
      child.kill('SIGTERM');
      const [code, signal] = await ended;
      return code ?? signal;
    },
  };
}

/** Paths of the agent are relative to the folder that it is started in. */
function furnish(folder: string, pod: Pod, istiod: Istiod): void {
  const inside = (path: string): string => {
    const whole = join(folder, path);
    mkdirSync(join(whole, '..'), { recursive: true });
    return whole;
  };
  writeFileSync(inside('hosts'), `${NODE_IP} ${ISTIOD}\n127.0.0.1 localhost\n`);
  writeFileSync(inside('var/run/secrets/tokens/istio-token'), `lab:shop:${pod.name}`);
  copyFileSync(istiod.rootCertificate, inside('var/run/secrets/istio/root-cert.pem'));
  const template = join(istioSources(), 'tools/packaging/common/envoy_bootstrap.json');
  copyFileSync(template, inside('var/lib/istio/envoy/envoy_bootstrap_tmpl.json'));
  writeFileSync(inside('etc/istio/pod/labels'), `app="${pod.name}"\n`);
  const envoy = inside('usr/local/bin/envoy');
  const main = programFile('proxy/main.ts');
  const lines = ['#!/bin/sh', `printf '%s\\n' "$@" > ${folder}/envoy-arguments`];
  writeFileSync(envoy, [...lines, `exec ${process.execPath} ${main} "$@"`, ''].join('\n'));
  chmodSync(envoy, 0o755);
}

async function stop(child: ChildProcess, ended: Promise<unknown>): Promise<void> {
  child.kill('SIGTERM');
  await ended;
}
