// The programs of one object at their places: newly attached, or put into the place of those that run there already.

import { type Attachment, attach } from '../loader/attachment.ts';
import { isFailure, type LoadFailure } from '../loader/load-failure.ts';
import { type LoadedObject, PreparedObject } from '../loader/loaded-object.ts';
import type { ObjectFiles } from '../loader/object-files.ts';
import { LAYOUTS } from '../loader/object-layouts.ts';
import { swapPrograms } from '../loader/swap.ts';
import type { ObjectPlan } from './capture-plan.ts';
import type { FoundTargets } from './capture-targets.ts';
import { attachmentOf, type HeldCapture, heldMapName, heldMaps } from './held-capture.ts';
import { closeMaps, fillListMaps } from './list-maps.ts';
import { LASTING_MAPS, PROGRAM_PLACES, type ProgramPlace } from './program-places.ts';

export interface ObjectPlaces {
  readonly name: ProgramPlace['object'];
  readonly plan: ObjectPlan;
  readonly targets: FoundTargets;
  /** What is in place already. */
  readonly held: HeldCapture;
  readonly files: ObjectFiles;
  /** Programs that this kernel cannot run, of any object. */
  readonly without: readonly string[];
  readonly hasDns: boolean;
}

/** An object that the kernel verifies while this thread does something else. Whoever began it attaches it or gives it up. */
export class BegunObject {
  readonly #request: ObjectPlaces;
  /** What is there already. */
  readonly #found: Map<string, Attachment>;
  readonly #loading: Loading;

  private constructor(request: ObjectPlaces, found: Map<string, Attachment>, loading: Loading) {
    this.#request = request;
    this.#found = found;
    this.#loading = loading;
  }

  static begin(request: ObjectPlaces): BegunObject | LoadFailure {
    const found = new Map<string, Attachment>();
    for (const place of placesOf(request)) {
      const attachment = heldAttachment(place, request);
      if (attachment !== undefined) found.set(place.program, attachment);
    }
    const loading = beginLoading(request, found);
    if (!isFailure(loading)) return new BegunObject(request, found, loading);
    for (const attachment of found.values()) attachment.close();
    return loading;
  }

  /** Waits for the verifier. A failure leaves attached what was, and nothing new. */
  attach(): AttachedPrograms | LoadFailure {
    const request = this.#request;
    const object = this.#loading.finish();
    if (isFailure(object)) {
      this.#closeFound();
      return object;
    }
    const attached = new AttachedPrograms(request.name, object, this.#found);
    for (const place of placesOf(request).filter((place) => isWanted(place, request))) {
      const failure = attached.has(place.program) ? undefined : attached.attach(place, request.targets);
      if (failure === undefined) continue;
      attached.giveUp();
      return failure;
    }
    // Only now: until all others are in place, what runs there already serves.
    for (const place of placesOf(request).filter((place) => !isWanted(place, request)))
      attached.detachOne(place.program);
    return attached;
  }

  /** What is attached stays. */
  giveUp(): void {
    this.#loading.giveUp();
    this.#closeFound();
  }

  #closeFound(): void {
    for (const attachment of this.#found.values()) attachment.close();
  }
}

export class AttachedPrograms {
  readonly name: ProgramPlace['object'];
  readonly object: LoadedObject;
  /** Those that were there before come first; they stay when this fails. */
  readonly #attachments: Map<string, Attachment>;
  readonly #takenOver: ReadonlySet<string>;

  constructor(name: ProgramPlace['object'], object: LoadedObject, attachments: Map<string, Attachment>) {
    this.name = name;
    this.object = object;
    this.#attachments = attachments;
    this.#takenOver = new Set(attachments.keys());
  }

  has(program: string): boolean {
    return this.#attachments.has(program);
  }

  attach({ program, at, attachType }: ProgramPlace, targets: FoundTargets): LoadFailure | undefined {
    const target = targets.places[at];
    if (target === undefined) return undefined;
    const attachment = attach(this.object.programFd(program), target, attachType);
    if (isFailure(attachment)) return attachment;
    this.#attachments.set(program, attachment);
    return undefined;
  }

  detachOne(program: string): LoadFailure | undefined {
    const failure = this.#attachments.get(program)?.detach();
    this.#attachments.delete(program);
    return failure;
  }

  /** Programs and the descriptors of their links, which stay this one's. */
  links(): ReadonlyMap<string, number> {
    const links = [...this.#attachments].map(([program, { linkFd }]) => [program, linkFd] as const);
    return new Map(links.filter((link): link is readonly [string, number] => link[1] !== undefined));
  }

  /** The maps that a process after this one goes on with, likewise. */
  lastingMaps(): ReadonlyMap<string, number> {
    return new Map(LASTING_MAPS[this.name].map((map) => [heldMapName(this.name, map), this.object.mapFd(map)]));
  }

  detach(): LoadFailure | undefined {
    const failures = REDIRECTION_FIRST.map((program) => this.detachOne(program));
    this.object.close();
    return failures.find((failure) => failure !== undefined);
  }

  /** What is pinned or held elsewhere stays attached. */
  close(): undefined {
    for (const program of REDIRECTION_FIRST) this.#attachments.get(program)?.close();
    this.#attachments.clear();
    this.object.close();
  }

  /** After a failure: takes away what this attached, and leaves what was there. */
  giveUp(): void {
    for (const program of [...this.#attachments.keys()].reverse()) {
      if (!this.#takenOver.has(program)) this.detachOne(program);
    }
    this.close();
  }
}

/** The reverse of attaching: no connection is redirected whose destination nobody keeps. */
const REDIRECTION_FIRST = PROGRAM_PLACES.map(({ program }) => program).reverse();

function placesOf({ name }: ObjectPlaces): readonly ProgramPlace[] {
  return PROGRAM_PLACES.filter(({ object }) => object === name);
}

const DNS_PROGRAMS = PROGRAM_PLACES.filter(({ isForDns }) => isForDns === true).map(({ program }) => program);

function isWanted({ program, at, isForDns }: ProgramPlace, { without, hasDns, targets }: ObjectPlaces): boolean {
  return targets.places[at] !== undefined && !without.includes(program) && (hasDns || isForDns !== true);
}

function heldAttachment(place: ProgramPlace, { held, targets, without }: ObjectPlaces): Attachment | undefined {
  const fd = held.links.get(place.program);
  const target = targets.places[place.at];
  // Of a program that cannot be loaded any more nothing is taken over: it runs until its link goes.
  if (fd === undefined || target === undefined || without.includes(place.program)) return undefined;
  return attachmentOf(fd, place, target);
}

interface Loading {
  finish(): LoadedObject | LoadFailure;
  giveUp(): void;
}

/** What runs already is replaced in `finish` alone. */
function beginLoading(request: ObjectPlaces, found: ReadonlyMap<string, Attachment>): Loading | LoadFailure {
  const { name, plan, files, held } = request;
  const lists = fillListMaps(name, plan.maps);
  if (isFailure(lists)) return lists;
  const programs = LAYOUTS[name].programs.map(({ name }) => name);
  // Each program costs a start what the verifier needs for it.
  const unused = request.hasDns ? [] : DNS_PROGRAMS.filter((program) => !found.has(program));
  const options = {
    constants: plan.constants,
    without: programs.filter((program) => request.without.includes(program) || unused.includes(program)),
  };
  const closing = (loaded: LoadedObject | LoadFailure) => {
    closeMaps(lists);
    return loaded;
  };
  if (found.size > 0) {
    const maps = { ...heldMaps(held, name), ...lists };
    const swap = { files, name, load: options, maps, attachments: found, renewable: ['counters'] };
    return { finish: () => closing(swapPrograms(swap)), giveUp: () => closeMaps(lists) };
  }
  const prepared = PreparedObject.open(files, name, { ...options, reuse: lists });
  if (isFailure(prepared)) {
    closeMaps(lists);
    return prepared;
  }
  prepared.begin();
  return {
    finish: () => closing(prepared.load()),
    giveUp: () => {
      prepared.close();
      closeMaps(lists);
    },
  };
}
