// The folder as node groups with their resources: files that did not change are not read as YAML again, and a group is
// replaced only by one that is right as a whole.

import { type FolderFile, readFolder } from './config-folder.ts';
import { FaultPlaces } from './fault-places.ts';
import { type FileProblem, type ResourceFile, readResourceFile } from './resource-file.ts';
import type { ServedResource } from './served-snapshot.ts';
import { everyNode } from './snapshot-cache.ts';
import { checkSnapshot, type Inconsistency } from './snapshot-check.ts';

export interface ServedFolderOptions {
  readonly folder: string;
  /** What files name may come from another control plane: what is missing is no fault then. */
  readonly hasUpstreams: boolean;
}

interface ReadFile extends FolderFile {
  readonly content: ResourceFile;
}

export class ServedFolder {
  readonly #options: ServedFolderOptions;
  #read: ReadonlyMap<string, ReadFile> = new Map();
  #groups: ReadonlyMap<string, readonly ServedResource[]> = new Map();
  #problems: readonly FileProblem[] = [];
  #files: readonly string[] = [];

  constructor(options: ServedFolderOptions) {
    this.#options = options;
  }

  /** By glob, `everyNode` among them: the last state of each that was right. Empty before the first. */
  get groups(): ReadonlyMap<string, readonly ServedResource[]> {
    return this.#groups;
  }

  /** What is wrong with the files as they are now. */
  get problems(): readonly FileProblem[] {
    return this.#problems;
  }

  get files(): readonly string[] {
    return this.#files;
  }

  /**
   * Reads the folder; of `touched`, which are as in `files`, no others than these where it is given. A group with a problem,
   * in its own files or in those for every node, stays as it was.
   */
  refresh(touched?: ReadonlySet<string>): void {
    const { files, unreadable } = readFolder(this.#options.folder, { files: this.#read, touched });
    const problems: FileProblem[] = unreadable.map((each) => ({ path: '', ...each }));
    const read = new Map<string, ReadFile>();
    const resources = new Map<string, ServedResource[]>([[everyNode, []]]);
    const broken = new Set<string>(unreadable.length > 0 ? [everyNode] : []);
    for (const each of files) {
      const { file, group = everyNode, text } = each;
      const before = this.#read.get(file);
      const content = before?.text === text ? before.content : readResourceFile(file, text);
      read.set(file, { ...each, content });
      if (content.problems.length > 0) broken.add(group);
      problems.push(...content.problems);
      const ofGroup = resources.get(group);
      if (ofGroup === undefined) resources.set(group, [...content.resources]);
      else ofGroup.push(...content.resources);
    }
    this.#read = read;
    this.#files = files.map(({ file }) => file);
    this.#groups = this.#rightGroups(resources, broken, problems);
    this.#problems = problems;
  }

  #rightGroups(
    resources: ReadonlyMap<string, readonly ServedResource[]>,
    broken: ReadonlySet<string>,
    problems: FileProblem[],
  ): ReadonlyMap<string, readonly ServedResource[]> {
    const groups = new Map<string, readonly ServedResource[]>();
    const seen = new Set<string>();
    const places = new Map<string, FaultPlaces>();
    for (const [group, own] of resources) {
      const candidate = group === everyNode ? own : overlaid(resources.get(everyNode)!, own);
      // Names that a broken file would have would be missing: one fault is not reported as many.
      const isBroken = broken.has(everyNode) || broken.has(group);
      const faults = isBroken ? [] : checkSnapshot(candidate, this.#options.hasUpstreams);
      for (const fault of faults) {
        const text = `${fault.resource.place} ${fault.message}`;
        if (!seen.has(text)) problems.push(this.#problemOf(fault, places));
        seen.add(text);
      }
      const served = isBroken || faults.length > 0 ? this.#groups.get(group) : candidate;
      if (served !== undefined) groups.set(group, served);
    }
    return groups;
  }

  #problemOf(fault: Inconsistency, places: Map<string, FaultPlaces>): FileProblem {
    const { place } = fault.resource;
    const colon = place.lastIndexOf(':');
    const file = place.slice(0, colon);
    const inFile = places.get(file) ?? new FaultPlaces(this.#read.get(file)!.text);
    places.set(file, inFile);
    return { file, ...inFile.placeOf(fault, Number(place.slice(colon + 1))), message: fault.message };
  }
}

/** A group's own resources take the place of those for every node with the same name. */
function overlaid(common: readonly ServedResource[], own: readonly ServedResource[]): readonly ServedResource[] {
  const key = ({ type, name }: ServedResource) => `${type.shortName} ${name}`;
  const replaced = new Set(own.map(key));
  return [...common.filter((resource) => !replaced.has(key(resource))), ...own];
}
