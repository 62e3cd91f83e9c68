// Run as a process of its own, with the user and the capabilities of the test's choice: does with the loader what a sidecar
// does, and tells how each step ended. Arguments: the cgroup and the bpffs to use.

import { closeSync, openSync } from 'node:fs';
import { type Attachment, attach } from '../../bpf/loader/attachment.ts';
import { takeInventory } from '../../bpf/loader/inventory.ts';
import { failureText, isFailure, type LoadFailure } from '../../bpf/loader/load-failure.ts';
import { type LoadedObject, loadObject } from '../../bpf/loader/loaded-object.ts';
import { ObjectFiles, type ObjectName } from '../../bpf/loader/object-files.ts';
import { LAYOUTS } from '../../bpf/loader/object-layouts.ts';
import { PinFolder } from '../../bpf/loader/pin-folder.ts';
import { kernelProbes, missingFor } from '../../bpf/loader/probes.ts';
import { swapPrograms } from '../../bpf/loader/swap.ts';
import { AttachType } from '../../native/bpf-link.ts';
import { close } from '../../native/socket.ts';

export interface LoaderReport {
  /** `ok`, or what went wrong, by step. A step that another one needs is left out after it. */
  readonly steps: Readonly<Record<string, string>>;
  readonly missing: readonly string[];
  readonly gaps: readonly string[];
}

const [cgroup, bpffs] = process.argv.slice(2) as [string, string];
const steps: Record<string, string> = {};
const files = ObjectFiles.open();
if (!isFailure(files)) run(files);
const missing = missingFor('outbound', kernelProbes()).map(({ name }) => name);
const { gaps } = takeInventory({ bpffs, clock: { nowMs: 0, uptimeMs: 0 } });
process.stdout.write(JSON.stringify({ steps, missing, gaps } satisfies LoaderReport));

function run(files: ObjectFiles): void {
  const objects = new Map<ObjectName, LoadedObject>();
  for (const name of Object.keys(LAYOUTS) as ObjectName[]) {
    const object = step(`load ${name}`, loadObject(files, name, { constants: {} }));
    if (object !== undefined) objects.set(name, object);
  }
  const outbound = objects.get('outbound');
  const attachments = outbound === undefined ? undefined : attachAll(objects);
  if (outbound === undefined || attachments === undefined) return;
  const folder = step('find bpffs', PinFolder.at({ bpffs, name: 'sidecar' }));
  if (folder !== undefined) pinAndRemove(folder, outbound, attachments);
  swapOutbound(files, outbound, attachments);
  for (const [program, attachment] of attachments) step(`detach ${program}`, attachment.detach());
}

function attachAll(objects: ReadonlyMap<ObjectName, LoadedObject>): ReadonlyMap<string, Attachment> {
  const [cgroupFd, netnsFd] = [openSync(cgroup, 'r'), openSync('/proc/self/ns/net', 'r')];
  const ofCgroup = { kind: 'cgroup', fd: cgroupFd, name: cgroup } as const;
  const ofNamespace = { kind: 'netns', fd: netnsFd, name: 'the namespace' } as const;
  const ofMap = { kind: 'map', fd: objects.get('shortcut')!.mapFd('socks'), name: 'socks' } as const;
  const places = [
    ['outbound', 'or_connect4', ofCgroup, AttachType.inet4Connect],
    ['outbound', 'or_sockops', ofCgroup, AttachType.sockOps],
    ['outbound', 'or_getsockopt', ofCgroup, AttachType.getsockopt],
    ['inbound', 'or_lookup', ofNamespace, AttachType.skLookup],
    ['shortcut', 'or_sc_msg', ofMap, AttachType.skMsgVerdict],
  ] as const;
  const attachments = new Map<string, Attachment>();
  for (const [object, program, target, attachType] of places) {
    const attachment = step(`attach ${program}`, attach(objects.get(object)!.programFd(program), target, attachType));
    if (attachment !== undefined) attachments.set(program, attachment);
  }
  for (const fd of [cgroupFd, netnsFd]) closeSync(fd);
  return attachments;
}

function pinAndRemove(folder: PinFolder, outbound: LoadedObject, attachments: ReadonlyMap<string, Attachment>): void {
  const links = { or_connect4: attachments.get('or_connect4')!.linkFd! };
  step('pin', folder.create({ links, maps: { orig: outbound.mapFd('orig') }, settings: { port: 15001 } }));
  const pins = step('read pins', folder.read());
  if (pins !== undefined) for (const fd of [...pins.links.values(), ...pins.maps.values()]) close(fd);
  step('remove pins', folder.remove());
}

function swapOutbound(files: ObjectFiles, previous: LoadedObject, attachments: ReadonlyMap<string, Attachment>): void {
  const ours = new Map([...attachments].filter(([program]) => previous.programFd(program) >= 0));
  const maps = { orig: previous.mapFd('orig'), sk_orig: previous.mapFd('sk_orig') };
  const swap = { files, name: 'outbound', load: { constants: {} }, maps, attachments: ours } as const;
  step('swap', swapPrograms(swap));
}

function step<Outcome>(name: string, outcome: Outcome | LoadFailure): Outcome | undefined {
  steps[name] = isFailure(outcome) ? failureText(outcome) : 'ok';
  return isFailure(outcome) ? undefined : outcome;
}
