// One file of the folder: Envoy resources, or services in the short form, with all that is wrong with them.

import { type Problem, Problems } from '../config/problems.ts';
import { type IndexedDocument, parseDocuments } from '../xds/document/config-document.ts';
import { DocumentLines } from '../xds/document/document-lines.ts';
import { readDocumentMessage } from '../xds/document/document-message.ts';
import { inDocumentOrder } from '../xds/document/written-path.ts';
import { messageDescriptor } from '../xds/message/message-descriptor.ts';
import { nearestName } from '../xds/message/nearest-name.ts';
import { encodeMessage } from '../xds/message/wire-message.ts';
import { checkResource } from './resource-check.ts';
import { type ServedResource, versionOf } from './served-snapshot.ts';
import { resourceName, type ServedType, servedType, servedTypes } from './served-type.ts';
import { serviceResources } from './service-form.ts';

export interface ResourceFile {
  readonly resources: readonly ServedResource[];
  readonly problems: readonly FileProblem[];
}

export interface FileProblem extends Problem {
  readonly file: string;
  /** From 1; undefined for a file that cannot be read at all. */
  readonly line?: number;
}

/** `file` is its name for people. Never throws for what is in it. */
export function readResourceFile(file: string, text: string): ResourceFile {
  const syntax = new Problems();
  const documents = parseDocuments(text, syntax);
  if (documents === undefined)
    return { resources: [], problems: syntax.list.map((problem) => syntaxProblem(file, problem)) };
  // A file that is being written is empty for a moment.
  if (text.trim() === '') return { resources: [], problems: [{ file, path: '', message: emptyFile }] };
  const resources: ServedResource[] = [];
  const problems: FileProblem[] = [];
  const lines = new DocumentLines(text);
  for (const document of documents) {
    const reader = new DocumentReader((path) => `${file}:${lines.lineOf(document.index, path)}`);
    reader.read(document);
    resources.push(...reader.resources);
    for (const problem of inDocumentOrder(reader.problems, document.tree)) {
      problems.push({ file, line: lines.lineOf(document.index, problem.path), ...problem });
    }
  }
  return { resources, problems };
}

/** The parser says the line in its words; here it stands where that of any other problem does. */
function syntaxProblem(file: string, problem: Problem): FileProblem {
  const [start, line] = /^line (\d+), (?=column )/.exec(problem.message) ?? [];
  if (start === undefined) return { file, ...problem };
  return { file, line: Number(line), ...problem, message: problem.message.slice(start.length) };
}

const emptyFile = 'is empty; remove it, or leave a comment in it when nothing of it is to be served';

class DocumentReader {
  readonly resources: ServedResource[] = [];
  readonly problems: Problem[] = [];
  readonly #placeOf: (path: string) => string;

  constructor(placeOf: (path: string) => string) {
    this.#placeOf = placeOf;
  }

  read({ tree }: IndexedDocument): void {
    if (!isObject(tree)) this.#report('', 'expected a resource with "@type", a list `resources`, or a `service`');
    else if (tree['@type'] !== undefined) this.#readResource(tree, '');
    else if (tree['resources'] !== undefined) this.#readList(tree);
    else if (tree['service'] !== undefined) this.#readService(tree);
    else this.#report('', `is nothing that can be served: ${hintFor(tree)}`);
  }

  #readList(tree: Tree): void {
    for (const key of Object.keys(tree)) {
      if (key !== 'resources') this.#report(key, 'is not known beside `resources`');
    }
    const list = tree['resources'];
    if (!Array.isArray(list)) this.#report('resources', 'expected a list of resources with "@type"');
    for (const [index, item] of Array.isArray(list) ? list.entries() : []) {
      if (isObject(item)) this.#readResource(item, `resources[${index}]`);
      else this.#report(`resources[${index}]`, 'expected a resource with "@type"');
    }
  }

  #readService(tree: Tree): void {
    const problems = new Problems();
    const documents = serviceResources(tree, problems);
    this.problems.push(...problems.list);
    // What follows from a service that is wrong would be reported in words that its author did not write.
    if (!problems.isEmpty) return;
    for (const document of documents) this.#readResource(document, '');
  }

  #readResource(document: Tree, place: string): void {
    const type = servedType(String(document['@type']));
    const fault = type === undefined ? unknownType(document['@type']) : unsupportedType(type);
    if (fault !== undefined) this.#report(within(place, '@type'), fault);
    else this.#readTyped(type!, document, place);
  }

  #readTyped(type: ServedType, { '@type': _, ...fields }: Tree, place: string): void {
    const read = readDocumentMessage(fields, type.messageType, (message, problems) =>
      checkResource(type, message, problems),
    );
    const name = resourceName(type, read.message);
    const found = [...read.problems, ...read.unknownFields];
    if (name === '' && !found.some(({ path }) => path === type.nameField)) {
      found.push({ path: type.nameField, message: `${type.nameField} is required` });
    }
    for (const { path, message } of found) this.#report(within(place, path), message);
    if (found.length > 0) return;
    const message = encodeMessage(read.message, type.messageType);
    const version = versionOf(message);
    this.resources.push({ type, name, version, message, references: read.value, place: this.#placeOf(place) });
  }

  #report(path: string, message: string): void {
    this.problems.push({ path, message });
  }
}

type Tree = { readonly [key: string]: unknown };

function isObject(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function within(place: string, path: string): string {
  if (place === '' || path === '') return place + path;
  return path.startsWith('[') ? place + path : `${place}.${path}`;
}

const kinds = ['service', '@type', 'resources'];

/** What somebody meant to write, or what there is. */
function hintFor(tree: Tree): string {
  for (const key of Object.keys(tree)) {
    const meant = nearestName(key, kinds);
    if (meant !== undefined) return `\`${key}\` is not known here; did you mean \`${meant}\`?`;
  }
  return tree['endpoints'] !== undefined || tree['listen'] !== undefined || tree['routes'] !== undefined
    ? 'a service needs its name, as in `service: shop`'
    : 'a resource has "@type", a list `resources`, a `service` its name';
}

function unknownType(typeUrl: unknown): string {
  const urls = servedTypes.map((type) => type.typeUrl);
  const meant = typeof typeUrl === 'string' ? nearestName(typeUrl, urls) : undefined;
  const hint = meant === undefined ? `expected one of ${urls.join(', ')}` : `did you mean ${meant}?`;
  const fault =
    typeUrl === undefined ? 'a type URL is required' : `${JSON.stringify(typeUrl)} is not a type that can be served`;
  return `${fault}; ${hint}`;
}

function unsupportedType({ messageType }: ServedType): string | undefined {
  return messageDescriptor(messageType) === undefined ? `${messageType} is not supported yet` : undefined;
}
