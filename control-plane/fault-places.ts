// Where in a file a fault stands that is one of several files together: a name that nobody has, or that two have. Whoever
// mends it wants the line with the name, which may be far below the one where its resource begins.

import { Problems } from '../config/problems.ts';
import { parseDocuments } from '../xds/document/config-document.ts';
import { DocumentLines } from '../xds/document/document-lines.ts';
import type { Inconsistency } from './snapshot-check.ts';

export interface FaultPlace {
  /** From 1. */
  readonly line: number;
  /** Empty where it is the resource as a whole. */
  readonly path: string;
}

/** Of one file, which was read as resources. It is parsed once more with the first question. */
export class FaultPlaces {
  readonly #text: string;
  #lines: DocumentLines | undefined;
  readonly #written = new Map<string, WrittenResource>();

  constructor(text: string) {
    this.#text = text;
  }

  /** `line` is that of its resource, which is named in full when the fault is nowhere in it. */
  placeOf({ resource, ...fault }: Inconsistency, line: number): FaultPlace {
    this.#lines ??= this.#read();
    const written = this.#written.get(keyOf(line, resource.name));
    const path = written && pathOfFault(written, fault);
    if (written === undefined || path === undefined) return { line, path: '' };
    return { line: this.#lines.lineOf(written.index, path), path };
  }

  #read(): DocumentLines {
    const lines = new DocumentLines(this.#text);
    for (const { index, tree } of parseDocuments(this.#text, new Problems()) ?? []) {
      for (const written of writtenResources(index, tree)) {
        const key = keyOf(lines.lineOf(index, written.place.path), nameOf(written.tree));
        if (!this.#written.has(key)) this.#written.set(key, written);
      }
    }
    return lines;
  }
}

interface WrittenResource {
  /** Of its document. */
  readonly index: number;
  /** Where it begins there. */
  readonly place: Problems;
  readonly tree: Tree;
}

type Tree = { readonly [key: string]: unknown };

function writtenResources(index: number, document: unknown): readonly WrittenResource[] {
  if (!isTree(document)) return [];
  const root = new Problems();
  const { resources } = document;
  if (document['@type'] !== undefined || !Array.isArray(resources)) return [{ index, place: root, tree: document }];
  const each = resources.map((tree, item) => ({ index, place: root.at('resources').item(item), tree }));
  return each.filter(({ tree }) => isTree(tree));
}

function nameOf(tree: Tree): string {
  return String(tree['service'] ?? tree['name'] ?? tree['cluster_name'] ?? tree['clusterName']);
}

function keyOf(line: number, name: string): string {
  return `${line} ${name}`;
}

function pathOfFault({ tree, place }: WrittenResource, fault: Omit<Inconsistency, 'resource'>): string | undefined {
  const { wanted } = fault;
  if (fault.kind === 'missing') return findPath(tree, place, (step) => isReference(step, wanted));
  const names = fault.kind === 'name' ? ['service', 'name', 'cluster_name', 'clusterName'] : ['listen', 'address'];
  const name = names.find((each) => tree[each] !== undefined);
  return name === undefined ? undefined : place.at(name).path;
}

interface Step {
  readonly key: string;
  readonly value: unknown;
  /** Key of the mapping, or of the list of mappings, that has it. */
  readonly owner: string;
}

/** Of the first step from the root that is the one. */
function findPath(tree: unknown, place: Problems, isIt: (step: Step) => boolean, owner = ''): string | undefined {
  if (Array.isArray(tree)) {
    for (const [index, item] of tree.entries()) {
      const found = findPath(item, place.item(index), isIt, owner);
      if (found !== undefined) return found;
    }
  } else if (isTree(tree)) {
    for (const [key, value] of Object.entries(tree)) {
      // Names of services are no fields.
      const inner = owner === 'to' ? place.item(key) : place.at(key);
      const found = isIt({ key, value, owner }) ? inner.path : findPath(value, inner, isIt, key);
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

/** Fields with the name of another resource, in both spellings, and `to` of the short form. */
const references = new Set([
  'cluster',
  'to',
  ...['cluster_name', 'clusterName'],
  ...['collector_cluster', 'collectorCluster'],
  ...['route_config_name', 'routeConfigName'],
  ...['service_name', 'serviceName'],
]);

function isReference({ key, value, owner }: Step, wanted: string): boolean {
  if (owner === 'to') return key === wanted;
  // Of weighted clusters.
  const isName = references.has(key) || (key === 'name' && owner === 'clusters');
  return isName && typeof value !== 'object' && String(value) === wanted;
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
