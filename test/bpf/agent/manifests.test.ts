// What docs/examples/redirection shows can be used: manifests parse, and name flags, ports and folders that there are.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { defaultCaptureSettings } from '../../../bpf/capture/settings.ts';
import { readCaptureSettings } from '../../../bpf/capture/settings-reader.ts';
import { parseArguments } from '../../../bpf/command/arguments.ts';
import { parseIptablesArguments } from '../../../bpf/command/iptables-arguments.ts';
import { Problems } from '../../../config/problems.ts';
import { parseFlags } from '../../../proxy/command/flags.ts';
import { parseDocument } from '../../../xds/document/config-document.ts';

const ROOT = join(import.meta.dirname, '../../..');

interface Container {
  readonly args: readonly string[];
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
  readonly securityContext: { readonly capabilities: { readonly add?: readonly string[] } };
  readonly readinessProbe?: { readonly exec: { readonly command: readonly string[] } };
}

interface PodSpec {
  readonly containers: readonly Container[];
  readonly initContainers?: readonly Container[];
  readonly volumes: readonly { readonly name: string }[];
}

t.test('the file of settings has the shipped ones, and those of the page can be used', (t) => {
  t.same(readCaptureSettings(example('settings.yaml')), { kind: 'settings', settings: defaultCaptureSettings });
  for (const snippet of snippets('docs/redirection.md')) {
    t.match(readCaptureSettings(snippet), { kind: 'settings' }, JSON.stringify(snippet));
  }
  t.end();
});

t.test('the agent’s manifest names flags that there are, and mounts what they name', (t) => {
  const { spec } = example('node-agent.yaml') as { readonly spec: { readonly template: { readonly spec: PodSpec } } };
  const [agent] = spec.template.spec.containers as readonly [Container];
  t.equal(agent.args[0], 'bpf');
  const command = parseArguments(agent.args.slice(1));
  t.equal(command.name, 'agent');
  if (command.name === 'help') throw new Error('not help');
  const mounted = agent.volumeMounts.map(({ mountPath }) => mountPath);
  for (const flag of ['cgroup-root', 'bpffs']) t.ok(mounted.includes(command.values.get(flag)!), flag);
  t.same(agent.securityContext.capabilities.add, ['BPF', 'NET_ADMIN']);
  const probe = parseArguments(agent.readinessProbe!.exec.command.slice(2));
  t.match(probe, { name: 'agent' });
  if (probe.name !== 'help') t.equal(probe.values.get('socket'), command.values.get('socket'));
  everyMountHasItsVolume(t, spec.template.spec);
  t.end();
});

t.test('the sidecar comes to the agent’s socket, without a capability', (t) => {
  const { spec } = example('sidecar.yaml') as { readonly spec: PodSpec };
  const [sidecar] = spec.initContainers as readonly [Container];
  const { capture, captureSettingsPath } = parseFlags(sidecar.args);
  t.same(capture, { kind: 'agent', socketPath: '/run/outrigger/agent.sock' });
  t.ok(captureSettingsPath);
  t.equal(sidecar.securityContext.capabilities.add, undefined);
  everyMountHasItsVolume(t, spec);
  t.end();
});

t.test('the init container puts rules in place by the annotations that it mounts, and the sidecar does not', (t) => {
  const { spec } = example('init-container.yaml') as { readonly spec: PodSpec };
  const [rules, sidecar] = spec.initContainers as readonly [Container, Container];
  t.equal(rules.args[0], 'iptables');
  const command = parseIptablesArguments(rules.args.slice(1));
  t.equal(command?.name, 'apply');
  t.ok(rules.volumeMounts.some(({ mountPath }) => command?.annotations?.startsWith(`${mountPath}/`)));
  t.same(rules.securityContext.capabilities.add, ['NET_ADMIN', 'NET_RAW']);
  t.same(parseFlags(sidecar.args).capture, parseFlags(['-c', 'a']).capture);
  t.equal(sidecar.securityContext.capabilities.add, undefined);
  everyMountHasItsVolume(t, spec);
  t.end();
});

function everyMountHasItsVolume(t: { ok: (value: unknown, name: string) => void }, spec: PodSpec): void {
  const volumes = new Set(spec.volumes.map(({ name }) => name));
  for (const container of [...spec.containers, ...(spec.initContainers ?? [])]) {
    for (const { name } of container.volumeMounts ?? []) t.ok(volumes.has(name), name);
  }
}

function example(name: string): unknown {
  return parsed(readFileSync(join(ROOT, 'docs/examples/redirection', name), 'utf8'));
}

function snippets(page: string): readonly unknown[] {
  const text = readFileSync(join(ROOT, page), 'utf8');
  const found = [...text.matchAll(/^```yaml\n(capture:.*?)^```$/gms)].map((match) => parsed(match[1]!));
  if (found.length === 0) throw new Error(`${page} shows no settings`);
  return found;
}

function parsed(text: string): unknown {
  const problems = new Problems();
  const tree = parseDocument(text, problems);
  if (!problems.isEmpty) throw new Error(JSON.stringify(problems.list));
  return tree;
}
