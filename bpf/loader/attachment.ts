// A program at its place: connect hooks at a cgroup, sk_lookup at a network namespace, verdicts at a sockmap. Always by
// link where the kernel can: a link is replaced without a gap, can be pinned, and goes with the process that holds it. A
// sockmap takes links since Linux 6.10; before that a program is attached to the map itself, and goes with the map.
//
// Whoever is attached there already stays: links are added beside others, never in their place.

import { linkInfo, programById, programInfo } from '../../native/bpf-info.ts';
import {
  attachedPrograms,
  attachProgram,
  createLink,
  detachLink,
  detachProgram,
  pin,
  updateLink,
} from '../../native/bpf-link.ts';
import { effectiveCapabilities } from '../../native/capabilities.ts';
import { Errno } from '../../native/errno.ts';
import { close, duplicate } from '../../native/socket.ts';
import { type LoadFailure, systemFailure } from './load-failure.ts';

export interface AttachTarget {
  readonly kind: 'cgroup' | 'netns' | 'map';
  /** Stays the caller's, who may close it once the program is attached. */
  readonly fd: number;
  /** For people: the cgroup's path, the namespace, the map. */
  readonly name: string;
  /** Of a map: whether this kernel has links for it (feature `sockmap-link`); when absent, it is tried. */
  readonly hasLinks?: boolean | undefined;
}

/** A program that was attached by somebody else. */
export interface AttachedProgram {
  readonly id: number;
  readonly name: string;
}

/** Attaches; `attachType` is one of `AttachType`. A failure leaves nothing attached. */
export function attach(programFd: number, target: AttachTarget, attachType: number): Attachment | LoadFailure {
  if (target.hasLinks === false) return attachToMap(programFd, target, attachType);
  const link = createLink(programFd, target.fd, attachType);
  if (link >= 0) return new Attachment({ kind: 'link', fd: link }, target.name, attachType);
  // Before Linux 6.10.
  if (target.kind === 'map' && link === -Errno.EINVAL) return attachToMap(programFd, target, attachType);
  return attachFailure(programFd, target, attachType, link);
}

/** Who is attached there, oldest first, as far as the caller may know. */
export function attachedAt(target: AttachTarget, attachType: number): readonly AttachedProgram[] {
  const ids = attachedPrograms(target.fd, attachType);
  return typeof ids === 'number' ? [] : ids.map((id) => ({ id, name: programName(id) }));
}

export class Attachment {
  readonly #how: Attached;
  readonly #at: string;
  readonly attachType: number;

  constructor(how: Attached, at: string, attachType: number) {
    this.#how = how;
    this.#at = at;
    this.attachType = attachType;
  }

  /** What is attached by a link, such as one that was pinned. The descriptor is the attachment's from now on. */
  static ofLink(linkFd: number, name: string): Attachment | LoadFailure {
    const info = linkInfo(linkFd);
    if (typeof info === 'number') return systemFailure(`read the link ${name}`, info);
    if (info.attachType === undefined) return { reason: `${name} is a link of a kind that Outrigger does not make` };
    return new Attachment({ kind: 'link', fd: linkFd }, name, info.attachType);
  }

  /** The link's descriptor, this attachment's own; undefined where the kernel has no link for it. */
  get linkFd(): number | undefined {
    return this.#how.kind === 'link' ? this.#how.fd : undefined;
  }

  /** Puts another program in this one's place, with no moment in between without one. */
  update(programFd: number): LoadFailure | undefined {
    const how = this.#how;
    const result =
      how.kind === 'link' ? updateLink(how.fd, programFd) : attachProgram(programFd, how.mapFd, this.attachType);
    if (result < 0) return systemFailure(`replace the program at ${this.#at}`, result);
    if (how.kind === 'map') this.#keep(how, programFd);
    return undefined;
  }

  /** Pinned, it stays when the process goes. */
  pin(path: string): LoadFailure | undefined {
    if (this.#how.kind === 'map') {
      return {
        reason: `cannot pin what is attached to ${this.#at}: this kernel has no links for maps (Linux 6.10 has)`,
      };
    }
    const result = pin(this.#how.fd, path);
    return result < 0 ? systemFailure(`pin the link at ${this.#at} as ${path}`, result) : undefined;
  }

  /** Takes the program away, pinned or not, and closes. */
  detach(): LoadFailure | undefined {
    const how = this.#how;
    const result = how.kind === 'link' ? detachLink(how.fd) : detachProgram(how.programFd, how.mapFd, this.attachType);
    this.close();
    // The cgroup or the namespace is gone, and the link with it.
    if (result >= 0 || result === -Errno.ENOLINK) return undefined;
    return systemFailure(`detach from ${this.#at}`, result);
  }

  /** Gives up the descriptors, once: a link that is pinned stays, another goes. */
  close(): void {
    const how = this.#how;
    if (how.kind === 'link') {
      close(how.fd);
      how.fd = CLOSED;
      return;
    }
    for (const fd of [how.programFd, how.mapFd]) close(fd);
    how.programFd = CLOSED;
    how.mapFd = CLOSED;
  }

  #keep(how: AttachedToMap, programFd: number): void {
    close(how.programFd);
    how.programFd = duplicate(programFd);
  }
}

type Attached = { readonly kind: 'link'; fd: number } | AttachedToMap;

/** Both descriptors are the attachment's own: detaching names the program. */
interface AttachedToMap {
  readonly kind: 'map';
  mapFd: number;
  programFd: number;
}

/** No descriptor of anybody, unlike the number it had: the kernel gives that to the next one. */
const CLOSED = -1;

function attachToMap(programFd: number, target: AttachTarget, attachType: number): Attachment | LoadFailure {
  const result = attachProgram(programFd, target.fd, attachType);
  if (result < 0) return attachFailure(programFd, target, attachType, result);
  const how = { kind: 'map' as const, mapFd: duplicate(target.fd), programFd: duplicate(programFd) };
  return new Attachment(how, target.name, attachType);
}

function attachFailure(programFd: number, target: AttachTarget, attachType: number, errno: number): LoadFailure {
  const attempt = `attach ${nameOf(programFd)} to ${target.name}`;
  if (errno !== -Errno.EPERM || target.kind !== 'cgroup' || !mayAttach()) return systemFailure(attempt, errno);
  // With both capabilities the kernel refuses a cgroup for this alone (kernel/bpf/cgroup.c, hierarchy_allows_attach).
  const others = attachedAt(target, attachType).map(({ id, name }) => `${name} (program ${id})`);
  const who = others.length > 0 ? `${others.join(', ')} at the same cgroup` : 'a program at a cgroup above it';
  return {
    reason: `cannot ${attempt}: ${who} was attached so that there is no other`,
    wayOut: 'have it attached with BPF_F_ALLOW_MULTI, or choose a cgroup that it does not cover',
  };
}

function mayAttach(): boolean {
  const held = effectiveCapabilities();
  return held.has('CAP_NET_ADMIN') && (held.has('CAP_BPF') || held.has('CAP_SYS_ADMIN'));
}

function programName(id: number): string {
  const fd = programById(id);
  if (fd < 0) return '?';
  const name = nameOf(fd);
  close(fd);
  return name;
}

function nameOf(programFd: number): string {
  const info = programInfo(programFd);
  return typeof info === 'number' ? '?' : info.name;
}
