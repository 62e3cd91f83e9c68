// Tags that are put on spans and into logs besides the usual ones (`type.tracing.v3.CustomTag`).

import type { Problems } from '../../config/problems.ts';
import type { CustomTag } from '../../config/tracing.ts';
import type { CustomTag as Message, CustomTag_Metadata as MetadataTag } from '../generated/messages.ts';
import { checkedFormat } from './log-format.ts';

// The proxy says by these who called whom, and why a trace is kept. A tag of that name could say it with what a client sent.
const ownNames = /^(trust|sampling)\./;

/** Of several with one name the first counts, as in Envoy. */
export function decodeCustomTags(messages: readonly Message[] | undefined, problems: Problems): readonly CustomTag[] {
  const tags = new Map<string, CustomTag>();
  for (const [index, message] of (messages ?? []).entries()) {
    const source = decodeSource(message, problems.item(index));
    const { tag = '' } = message;
    if (ownNames.test(tag)) {
      problems
        .item(index)
        .at('tag')
        .add(`${tag}: names that begin with trust. or sampling. are the proxy's own; choose another`);
    }
    if (source !== undefined && !tags.has(tag)) tags.set(tag, { tag, source });
  }
  return [...tags.values()];
}

function decodeSource(message: Message, problems: Problems): CustomTag['source'] | undefined {
  const { literal, environment, requestHeader, metadata, value } = message;
  if (literal !== undefined) return { kind: 'literal', value: literal.value ?? '' };
  if (environment !== undefined) {
    const { name = '', defaultValue = '' } = environment;
    return { kind: 'environment', name, defaultValue };
  }
  if (requestHeader !== undefined) {
    const { name = '', defaultValue = '' } = requestHeader;
    return { kind: 'request-header', name: name.toLowerCase(), defaultValue };
  }
  if (metadata !== undefined) return decodeMetadataSource(metadata, problems.at('metadata'));
  return value === undefined ? undefined : { kind: 'format', format: checkedFormat(value, problems.at('value')) };
}

/** Envoy lets both parts be left out: the tag has its default value then, always. */
function decodeMetadataSource(message: MetadataTag, problems: Problems): CustomTag['source'] | undefined {
  const { kind = {}, metadataKey, defaultValue = '' } = message;
  if (metadataKey === undefined) problems.at('metadata_key').add('metadata_key is required: it says what is read');
  const of = kind.route ? 'route' : kind.cluster ? 'cluster' : kind.host ? 'endpoint' : 'request';
  const { key: namespace = '', path = [] } = metadataKey ?? {};
  return { kind: 'metadata', of, namespace, path: path.map(({ key = '' }) => key), defaultValue };
}
