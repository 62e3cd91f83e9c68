// The entry of `outrigger bpf` and `outrigger iptables`, a program of their own: what people do with redirection, and the agent
// of a node. Where commands meet the terminal, files and the process; each command is a function of what it is given.

import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { networkInterfaces, uptime } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { parsePodFile } from '../config/pod-files.ts';
import { ConfigError, Problems } from '../config/problems.ts';
import { parseDocument } from '../xds/document/config-document.ts';
import { runProgram } from './capture/iptables-program.ts';
import type { IpFamily } from './capture/iptables-rules.ts';
import { readIstioFlags } from './capture/istio-flags.ts';
import { type CaptureSettings, defaultCaptureSettings } from './capture/settings.ts';
import { type ReadCaptureSettings, readCaptureSettings } from './capture/settings-reader.ts';
import { agent } from './command/agent.ts';
import { type BpfCommand, countOf, parseArguments, ringBytesOf, UsageError, usageText } from './command/arguments.ts';
import { examine } from './command/doctor.ts';
import { doctorText } from './command/doctor-text.ts';
import { eventText } from './command/event-text.ts';
import { events } from './command/events.ts';
import { applyRules, cleanRules, printRules, showRules } from './command/iptables.ts';
import {
  IPTABLES_USAGE,
  type IptablesCommand,
  IptablesUsageError,
  parseIptablesArguments,
} from './command/iptables-arguments.ts';
import { type IstioIptables, readIstioIptables } from './command/istio-iptables.ts';
import { openObjects } from './command/object-source.ts';
import { failed, type Outcome } from './command/outcome.ts';
import { load, swap, unload } from './command/redirections.ts';
import { audit, status } from './command/status.ts';
import { validateRedirection } from './command/validation.ts';
import { findBpffs } from './loader/bpffs.ts';
import { type Inventory, takeInventory } from './loader/inventory.ts';
import { isFailure } from './loader/load-failure.ts';
import { type Finding, kernelProbes, type Probes } from './loader/probes.ts';
import { releasedPrograms } from './loader/program-release.ts';

const RESOLV_CONF = '/etc/resolv.conf';
/** Where Istio mounts those of the pod. */
const ANNOTATIONS = '/etc/istio/pod/annotations';

void run(process.argv.slice(2));

async function run(args: readonly string[]): Promise<void> {
  try {
    if (args[0] === 'iptables') iptables(parseIptablesArguments(args.slice(1)));
    else if (args[0] === 'istio-iptables') print(await istioIptables(readIstioIptables(args.slice(1))), false);
    else await main(args);
  } catch (error) {
    if (error instanceof UsageError) {
      const help = error.command === undefined ? 'outrigger bpf --help' : `outrigger bpf ${error.command} --help`;
      process.stderr.write(`outrigger bpf: ${error.message}\n${help} says more\n`);
      process.exitCode = 2;
    } else if (error instanceof IptablesUsageError) {
      process.stderr.write(`outrigger iptables: ${error.message}\noutrigger iptables --help says more\n`);
      process.exitCode = 2;
    } else if (error instanceof ConfigError || (error instanceof Error && 'syscall' in error)) {
      process.stderr.write(`outrigger ${args[0]?.endsWith('iptables') ? args[0] : 'bpf'}: ${error.message}\n`);
      process.exitCode = 1;
    } else throw error;
  }
}

async function main(args: readonly string[]): Promise<void> {
  const command = parseArguments(args);
  if (command.name === 'help') {
    process.stdout.write(usageText(command.about));
    return;
  }
  print(await outcomeOf(command), command.values.has('json'));
}

function print(outcome: Outcome, isJson: boolean): void {
  const text = isJson ? `${JSON.stringify(outcome.data, jsonValue, 2)}\n` : outcome.text;
  (outcome.exitCode === 0 || isJson ? process.stdout : process.stderr).write(text);
  process.exitCode = outcome.exitCode;
}

function outcomeOf(command: BpfCommand): Outcome | Promise<Outcome> {
  switch (command.name) {
    case 'doctor':
      return doctor(command);
    case 'status':
      return status(inventoryOf(command), command.values.get('name'));
    case 'audit':
      return audit({ inventory: inventoryOf(command), files: openObjects(command) });
    case 'load':
    case 'swap':
      return redirect(command);
    case 'unload':
      return unload({ name: command.values.get('name')!, bpffs: command.values.get('bpffs') });
    case 'events':
      return printEvents(command);
    case 'agent':
      return agent(command);
  }
}

function doctor(command: BpfCommand): Outcome {
  const report = examine({
    probes: probesWith(command.values.get('bpffs')),
    objects: openObjects(command),
    cgroupFolder: command.values.get('cgroup'),
    path: process.env['PATH'] ?? '',
  });
  return { text: doctorText(report), data: report, exitCode: report.choice.kind === 'ebpf' ? 0 : 1 };
}

/** With a bpffs that is named in place of the one of the mount table. */
function probesWith(bpffs: string | undefined): Probes {
  const probes = kernelProbes();
  if (bpffs === undefined) return probes;
  const found = findBpffs(bpffs);
  const finding: Finding = isFailure(found) ? { state: 'missing', detail: found.reason } : { state: 'there' };
  return { find: (feature) => (feature === 'bpffs' ? finding : probes.find(feature)) };
}

function redirect(command: BpfCommand): Outcome {
  const { values } = command;
  const files = openObjects(command);
  if (isFailure(files)) return failed(files);
  const redirecting = { name: values.get('name')!, bpffs: values.get('bpffs'), files, probes: kernelProbes() };
  if (command.name === 'swap') return swap(redirecting);
  const [cgroup, proxyCgroup] = [values.get('cgroup')!, values.get('proxy-cgroup')];
  return load({ ...redirecting, settings: settingsOf(command), cgroup, proxyCgroup });
}

function iptables(command: IptablesCommand | undefined): void {
  if (command === undefined) process.stdout.write(IPTABLES_USAGE);
  else print(iptablesOutcome(command), command.isJson);
}

/** Rules of ours that were made are in force; those of somebody else are tried out. */
async function istioIptables(command: IstioIptables): Promise<Outcome> {
  if (!command.skipsRules) return iptablesOutcome(command);
  const { outbound, inbound } = rulesSettings(command);
  if (command.validation === undefined) return { text: '', data: {}, exitCode: 0 };
  const ports = [outbound.port, inbound.port];
  const reason = await validateRedirection({ family: ownFamily(), ports, ...command.validation });
  if (reason === undefined)
    return { text: `connections arrive at ports ${ports.join(' and ')}\n`, data: {}, exitCode: 0 };
  const text = `outrigger istio-iptables: connections of this pod are not redirected: ${reason}\n`;
  return { text, data: { error: reason }, exitCode: 126 };
}

/** IPv6 where the pod has no other address, beside loopback's. */
function ownFamily(): IpFamily {
  const outside = Object.values(networkInterfaces()).flatMap((each) => each?.filter(({ internal }) => !internal) ?? []);
  return outside.length > 0 && outside.every(({ family }) => family === 'IPv6') ? 6 : 4;
}

function iptablesOutcome(command: IptablesCommand): Outcome {
  const place = { backend: command.backend, run: runProgram };
  switch (command.name) {
    case 'clean':
      return cleanRules(place);
    case 'show':
      return showRules(place);
    case 'apply': {
      const settings = rulesSettings(command);
      return command.isDryRun ? printRules(settings) : applyRules(settings, place);
    }
  }
}

/** Throws ConfigError. */
function rulesSettings({ settings, annotations, istioFlags }: IptablesCommand): CaptureSettings {
  if (settings !== undefined) return checked(readCaptureSettings(treeOf(settings)), settings);
  const path = annotations ?? (existsSync(ANNOTATIONS) ? ANNOTATIONS : undefined);
  const read = readIstioFlags({
    flags: istioFlags,
    environment: process.env,
    annotations: path === undefined ? {} : annotationsOf(path),
    resolvConf: readFileSync(RESOLV_CONF, 'utf8'),
  });
  return checked(read, 'flags behind --, environment and annotations');
}

function annotationsOf(path: string): Readonly<Record<string, string>> {
  const text = readFileSync(path, 'utf8');
  try {
    return parsePodFile(text);
  } catch (error) {
    throw new ConfigError(path, [{ path: '', message: (error as Error).message }]);
  }
}

/** Throws ConfigError. */
function settingsOf({ values, istioFlags }: BpfCommand): CaptureSettings {
  const path = values.get('settings');
  if (path !== undefined) return checked(readCaptureSettings(treeOf(path)), path);
  if (istioFlags.length === 0) return defaultCaptureSettings;
  const read = readIstioFlags({ flags: istioFlags, environment: {}, resolvConf: readFileSync(RESOLV_CONF, 'utf8') });
  return checked(read, 'flags behind --');
}

function checked(read: ReadCaptureSettings, source: string): CaptureSettings {
  if (read.kind === 'problems') throw new ConfigError(source, read.problems);
  return read.settings;
}

function treeOf(path: string): unknown {
  const problems = new Problems();
  const tree = parseDocument(readFileSync(path, 'utf8'), problems);
  if (!problems.isEmpty) throw new ConfigError(path, problems.list);
  return tree;
}

function inventoryOf(command: BpfCommand): Inventory {
  const files = openObjects(command);
  const released = isFailure(files) ? files : releasedPrograms(files);
  const clock = { nowMs: Date.now(), uptimeMs: uptime() * 1000 };
  const bpffs = command.values.get('bpffs');
  if (!isFailure(released)) return takeInventory({ released, bpffs, clock });
  const inventory = takeInventory({ bpffs, clock });
  return { ...inventory, gaps: [...inventory.gaps, `versions cannot be compared: ${released.reason}`] };
}

function printEvents(command: BpfCommand): Outcome | Promise<Outcome> {
  const { values } = command;
  const files = openObjects(command);
  if (isFailure(files)) return failed(files);
  const seconds = values.has('seconds') ? [delay(countOf(command, 'seconds', 0) * 1000)] : [];
  const ringBytes = ringBytesOf(command);
  return events({
    files,
    ...(ringBytes !== undefined && { ringBytes }),
    cgroup: values.get('cgroup')!,
    redirection: values.has('name') ? { name: values.get('name')!, bpffs: values.get('bpffs') } : undefined,
    count: countOf(command, 'count', Number.MAX_SAFE_INTEGER),
    onEvent: (fields) => {
      process.stdout.write(`${values.has('json') ? JSON.stringify(fields) : eventText(fields)}\n`);
    },
    until: Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT'), ...seconds]),
  });
}

/** Ids of cgroups are beyond what a JSON number holds for sure. */
function jsonValue(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value;
}
