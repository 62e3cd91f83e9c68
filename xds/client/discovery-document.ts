// A file with a discovery response: YAML or JSON, as Envoy reads them from a `path_config_source`.

import { type Problem, Problems } from '../../config/problems.ts';
import { parseDocument } from '../document/config-document.ts';
import { readDocumentMessage } from '../document/document-message.ts';
import { inDocumentOrder } from '../document/written-path.ts';
import { encodeMessage } from '../message/wire-message.ts';
import type { ReceivedResource, ResourceType } from './discovery.ts';

export type DiscoveryDocument =
  | { readonly kind: 'response'; readonly version: string; readonly resources: readonly ReceivedResource[] }
  | { readonly kind: 'malformed'; readonly problems: readonly Problem[] };

/** Reads `text` as a `DiscoveryResponse` with resources of this type alone. Never throws for what is in it. */
export function readDiscoveryDocument(text: string, type: ResourceType): DiscoveryDocument {
  const problems = new Problems();
  const tree = parseDocument(text, problems);
  const resources = isObject(tree) ? readResponse(tree, type, problems) : [];
  if (tree !== undefined && !isObject(tree)) problems.add('expected an object with a list `resources`');
  if (!problems.isEmpty) return { kind: 'malformed', problems: inDocumentOrder(problems.list, tree) };
  const { version_info: version, versionInfo = version } = tree as Tree;
  return { kind: 'response', version: versionInfo === undefined ? '' : String(versionInfo), resources };
}

type Tree = { readonly [key: string]: unknown };

/** Of the fields of a response, those that say something in a file too, in both spellings, and those that do not. */
const knownFields = new Set('version_info versionInfo resources type_url typeUrl nonce canary'.split(' '));

function readResponse(tree: Tree, type: ResourceType, problems: Problems): readonly ReceivedResource[] {
  for (const key of Object.keys(tree)) {
    if (!knownFields.has(key)) problems.at(key).add('unknown field of envoy.service.discovery.v3.DiscoveryResponse');
  }
  const { type_url: url = type.typeUrl, typeUrl = url } = tree;
  if (typeUrl !== type.typeUrl) problems.at('type_url').add(`must be ${type.typeUrl}, which is asked for here`);
  const items = tree['resources'] ?? [];
  if (!Array.isArray(items)) {
    problems.at('resources').add('expected a list');
    return [];
  }
  return items
    .map((item: unknown, index) => readWrapped(item, type, problems.at('resources').item(index)))
    .filter((resource) => resource !== undefined);
}

const wrapper = 'envoy.service.discovery.v3.Resource';

/** A resource may be wrapped, so that it has a version of its own. */
function readWrapped(item: unknown, type: ResourceType, problems: Problems): ReceivedResource | undefined {
  if (!isObject(item) || typeName(item) !== wrapper) return readResource(item, type, problems);
  for (const key of Object.keys(item)) {
    if (!/^(@type|name|version|resource)$/.test(key)) problems.at(key).unsupported(`${key} of a resource in a file`);
  }
  const resource = readResource(item['resource'], type, problems.at('resource'));
  const { name = resource?.name, version = '' } = item;
  return resource && { ...resource, name: String(name), version: String(version) };
}

function readResource(item: unknown, type: ResourceType, problems: Problems): ReceivedResource | undefined {
  const expected = type.typeUrl.slice(type.typeUrl.lastIndexOf('/') + 1);
  if (!isObject(item) || typeName(item) !== expected) {
    problems.add(`expected a resource with "@type": ${type.typeUrl}`);
    return undefined;
  }
  const { '@type': _type, ...fields } = item;
  const read = readDocumentMessage(fields, expected, () => undefined);
  const found = [...read.problems, ...read.unknownFields];
  for (const { path, message } of found) (path === '' ? problems : problems.at(path)).add(message);
  if (found.length > 0) return undefined;
  const message = encodeMessage(read.message, expected);
  return { name: type.nameOf(message), version: '', aliases: [], message };
}

function typeName(item: Tree): string {
  const url = item['@type'];
  return typeof url === 'string' ? url.slice(url.lastIndexOf('/') + 1) : '';
}

function isObject(tree: unknown): tree is Tree {
  return typeof tree === 'object' && tree !== null && !Array.isArray(tree);
}
