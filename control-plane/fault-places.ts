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
  /** Paths of the names that it refers to, found with the first question: one that names thousands may miss all of them. */
  paths?: ReadonlyMap<string, string>;
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

function pathOfFault(written: WrittenResource, fault: Omit<Inconsistency, 'resource'>): string | undefined {
  const { tree, place } = written;
  if (fault.kind === 'missing') {
    written.paths ??= pathsOf(tree, place);
    return written.paths.get(fault.wanted);
  }
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

/** By name, of the first step from the root that refers to it. */
function pathsOf(tree: unknown, place: Problems): ReadonlyMap<string, string> {
  const paths = new Map<string, string>();
  const walk = (part: unknown, at: Problems, owner: string): void => {
    if (Array.isArray(part)) for (const [index, item] of part.entries()) walk(item, at.item(index), owner);
    else if (isTree(part)) {
      for (const [key, value] of Object.entries(part)) {
        // Names of services are no fields.
        const inner = owner === 'to' ? at.item(key) : at.at(key);
        const name = referredBy({ key, value, owner });
        if (name !== undefined && !paths.has(name)) paths.set(name, inner.path);
        walk(value, inner, key);
      }
    }
  };
  walk(tree, place, '');
  return paths;
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

function referredBy({ key, value, owner }: Step): string | undefined {
  if (owner === 'to') return key;
  // Of weighted clusters.
  const isName = references.has(key) || (key === 'name' && owner === 'clusters');
  return isName && typeof value !== 'object' ? String(value) : undefined;
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
