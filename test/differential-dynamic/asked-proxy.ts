// Envoy or outrigger as a process of its own, under a control plane that answers by name.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { type ProxyName, ProxyProcess } from '../differential/proxy-process.ts';
import { type AskedControlPlane, startAskedControlPlane } from '../support/asked-control-plane.ts';
import { followingBootstrap } from '../support/on-demand-mesh.ts';
import { programFile } from '../support/program-file.ts';

export interface AskedProxyOptions {
  readonly name: ProxyName;
  readonly envoyPath: string;
  readonly prepare: (controlPlane: AskedControlPlane) => void;
  /** Beside what follows the control plane. */
  readonly bootstrap?: object;
}

export interface AskedProxy {
  readonly proxy: ProxyProcess;
  readonly controlPlane: AskedControlPlane;
}

export async function startAskedProxy(
  t: Test,
  { name, envoyPath, prepare, bootstrap = {} }: AskedProxyOptions,
): Promise<AskedProxy> {
  const directory = mkdtempSync(join(tmpdir(), 'demand-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const { controlPlane, port } = await startAskedControlPlane(t);
  prepare(controlPlane);
  const started: ProxyProcess[] = [];
  t.teardown(() => {
    for (const each of started) each.kill();
  });
  const own = [process.execPath, programFile('proxy/main.ts'), '--no-config-cache'];
  const proxy = await ProxyProcess.start({
    name,
    command: name === 'envoy' ? [envoyPath] : own,
    isReady:
      name === 'envoy'
        ? [/all dependencies initialized. starting workers/]
        : [/configuration is served/, /admin interface is listening/],
    bootstrap: { ...followingBootstrap(port), admin: { address: { pipe: { path: 'admin.sock' } } }, ...bootstrap },
    directory,
    started,
  });
  return { proxy, controlPlane };
}
