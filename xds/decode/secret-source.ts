// Where secrets that do not come by SDS are: in the bootstrap, or where they are used.

import type { Problems } from '../../config/problems.ts';
import type { NamedSecret } from '../../config/secret-references.ts';
import type { SecretReference } from '../../config/tls.ts';
import type { WrittenSecret } from '../../config/written-secret.ts';
import { nearestName } from '../message/nearest-name.ts';
import { configSourceProblem, type KnownSources } from './config-source-problem.ts';

/** Undefined of SDS, and of one that is not there. `statics` are those of the bootstrap, by name. */
export function writtenSecretOf(
  { name, source }: SecretReference,
  statics: ReadonlyMap<string, WrittenSecret>,
): WrittenSecret | undefined {
  if (source.kind === 'inline') return source.secret;
  return source.kind === 'static' ? statics.get(name) : undefined;
}

/** Why a secret of the bootstrap is not to be had, as a sentence; undefined when it is, or comes by SDS. */
export function secretSourceProblem(
  { reference: { name, source }, kind }: NamedSecret,
  statics: ReadonlyMap<string, WrittenSecret>,
): string | undefined {
  if (source.kind !== 'static') return undefined;
  const found = statics.get(name);
  if (found !== undefined) return found.kind === kind ? undefined : `is of kind ${found.kind}, and is used as ${kind}`;
  const meant = nearestName(name, statics.keys());
  const hint =
    meant === undefined ? ', and no sds_config says where it comes from' : `; did you mean ${JSON.stringify(meant)}?`;
  return `the bootstrap has no static secret of this name${hint}`;
}

export interface KnownSecrets extends KnownSources {
  readonly secrets: ReadonlyMap<string, WrittenSecret>;
}

/** Of a static listener or cluster: nothing would ever come from a source that is not there. */
export function checkSecretSources(secrets: readonly NamedSecret[], known: KnownSecrets, problems: Problems): void {
  for (const each of secrets) {
    const { name, source } = each.reference;
    const problem =
      source.kind === 'sds' ? configSourceProblem(source.config, known) : secretSourceProblem(each, known.secrets);
    if (problem !== undefined) problems.add(`secret ${JSON.stringify(name)}: ${problem}`);
  }
}
