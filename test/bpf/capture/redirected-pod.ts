// The pod that the cases of redirection run in: an application, a proxy that says what it knows of each connection, and
// servers outside. The same cases hold for every way to capture.

import { spawnSync } from 'node:child_process';
import t, { type Test } from 'tap';
import type { CaptureTargets } from '../../../bpf/capture/capture-targets.ts';
import type { CaptureSettings } from '../../../bpf/capture/settings.ts';
import { readCaptureSettings } from '../../../bpf/capture/settings-reader.ts';
import { isFailure, type LoadFailure } from '../../../bpf/loader/load-failure.ts';
import { close } from '../../../native/socket.ts';
import { BpfRig, OUTSIDE, type Peer } from '../../support/bpf-rig.ts';
import type { Outcome } from '../../support/bpf-rig-peer.ts';

/** The part of a capture that cases use. */
export interface OpenCapture {
  setListener?(family: 4 | 6, fd: number): LoadFailure | undefined;
  release(outcome: 'detach' | 'stay'): LoadFailure | undefined;
}

export interface WayToCapture {
  readonly name: 'eBPF' | 'iptables';
  open(settings: CaptureSettings, targets: CaptureTargets): OpenCapture | LoadFailure;
}

export interface RedirectionCase {
  readonly name: string;
  readonly run: (t: Test, pod: RedirectedPod, way: WayToCapture) => Promise<void>;
}

export class RedirectedPod {
  readonly rig: BpfRig;
  readonly application: Peer;
  readonly outside: Peer;
  /** Ends with each case that kills it; `startProxy` gives another one. */
  proxy!: Peer;
  /** For the proxy's `stop`. */
  inboundIds: readonly number[] = [];
  readonly #inbound = new Map<4 | 6, number>();

  private constructor(rig: BpfRig, application: Peer, outside: Peer) {
    this.rig = rig;
    this.application = application;
    this.outside = outside;
  }

  static async open(t: Test): Promise<RedirectedPod> {
    const rig = await BpfRig.open(t);
    const application = await rig.start({ namespace: 'pod', cgroup: 'application', uid: 1000 });
    const outside = await rig.start({ namespace: 'outside' });
    const pod = new RedirectedPod(rig, application, outside);
    await startServers(application, outside);
    await pod.startProxy();
    t.teardown(() => pod.#closeInbound());
    return pod;
  }

  get targets(): CaptureTargets {
    const { applicationCgroup, sidecarCgroup, netnsFd } = this.rig;
    return { cgroup: applicationCgroup, sidecarCgroup, netnsFd };
  }

  async startProxy(): Promise<void> {
    this.proxy = await this.rig.start({ namespace: 'pod', cgroup: 'sidecar', uid: 1337 });
    for (const ip of ['127.0.0.1', '::1']) {
      for (const [name, port] of [
        ['outbound', 15001],
        ['dns', 15053],
      ] as const)
        close((await this.proxy.listen({ name, ip, port })).fd);
      await this.proxy.call('answerDatagrams', { name: 'proxy', ip, port: 15053 });
    }
    await this.listenInbound();
  }

  /** The proxy's inbound listeners, with descriptors for the capture. */
  async listenInbound(): Promise<void> {
    this.#closeInbound();
    const ids: number[] = [];
    for (const [family, ip] of FAMILIES) {
      const { id, fd } = await this.proxy.listen({ name: 'inbound', ip, port: 15006 });
      this.#inbound.set(family, fd);
      ids.push(id);
    }
    this.inboundIds = ids;
  }

  /** The kernel has a socket until its last descriptor goes, this process's too. */
  closeInbound(): void {
    this.#closeInbound();
  }

  /** Captures by `settings` until the case ends. */
  capture(t: Test, way: WayToCapture, settings: unknown = {}, targets: CaptureTargets = {}): OpenCapture {
    const opened = way.open(settingsOf(settings), { ...this.targets, ...targets });
    if (isFailure(opened)) throw new Error(opened.reason);
    t.teardown(() => {
      const failure = opened.release('detach');
      if (failure !== undefined) throw new Error(failure.reason);
    });
    this.giveListeners(opened);
    return opened;
  }

  giveListeners(capture: OpenCapture): void {
    for (const [family, fd] of this.#inbound) {
      const failure = capture.setListener?.(family, fd);
      if (failure !== undefined) throw new Error(failure.reason);
    }
  }

  /** Who answers the application: `outbound for 10.77.0.1:8080`, `origin`, or an error. */
  async reach(ip: string, port: number, from: Peer = this.application): Promise<string> {
    return answerOf(await from.call('connect', { ip, port }));
  }

  #closeInbound(): void {
    for (const fd of this.#inbound.values()) close(fd);
    this.#inbound.clear();
  }
}

export function answerOf(outcome: Outcome): string {
  if ('error' in outcome) return outcome.error;
  const { name, original, local } = outcome.seen;
  // Of connections that were let pass, conntrack says that they are where they were going. Of inbound ones by eBPF that is so.
  const isAsked = original === null || (original === local && name !== 'inbound');
  return isAsked ? name : `${name} for ${original}`;
}

/** Why rules cannot be tested here; false when they can. */
export function iptablesSkipReason(): string | false {
  const { error, status, stderr } = spawnSync('unshare', ['--net', 'ip6tables-save', '-t', 'nat'], {
    encoding: 'utf8',
  });
  if (error !== undefined) return `iptables: ${error.message}`;
  return status === 0 ? false : `iptables: ${stderr.trim().split('\n')[0]}`;
}

export function settingsOf(capture: unknown): CaptureSettings {
  const read = readCaptureSettings({ capture });
  if (read.kind === 'problems') throw new Error(JSON.stringify(read.problems));
  return read.settings;
}

const FAMILIES = [
  [4, '0.0.0.0'],
  [6, '::'],
] as const;

/** Ports of the origin, and of the application itself. */
export const PORTS = [22, 3306, 5432, 8000, 8080] as const;
export const APPLICATION_PORT = 8080;
export const APPLICATION_PROBES = 15020;

async function startServers(application: Peer, outside: Peer): Promise<void> {
  const families = ['0.0.0.0', '::'];
  for (const ip of families) {
    for (const port of [...PORTS, 53]) close((await outside.listen({ name: 'origin', ip, port })).fd);
    for (const port of [APPLICATION_PORT, APPLICATION_PROBES])
      close((await application.listen({ name: 'application', ip, port })).fd);
  }
  const { nameserver, otherNameserver, nameserver6 } = OUTSIDE;
  for (const ip of [nameserver, otherNameserver, nameserver6])
    await outside.call('answerDatagrams', { name: 'nameserver', ip, port: 53 });
  await outside.call('answerDatagrams', { name: 'origin', ip: OUTSIDE.ipv4, port: 5353 });
}

// A case that waits for an answer that nobody gives fails by its name.
t.setTimeout(900_000);
