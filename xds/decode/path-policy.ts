// Extensions that match and rewrite paths: templates (`RouteMatch.path_match_policy`, `RouteAction.path_rewrite_policy`).

import { Problems } from '../../config/problems.ts';
import type { ForwardAction } from '../../config/route.ts';
import type { TypedExtensionConfig, UriTemplateMatchConfig, UriTemplateRewriteConfig } from '../generated/messages.ts';
import { extensionType } from './extension.ts';
import { parseUriTemplate, parseUriTemplateRewrite, type UriTemplate } from './uri-template.ts';

const matcher = {
  what: 'path matcher',
  known: ['envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig'],
} as const;
const rewriter = {
  what: 'path rewriter',
  known: ['envoy.extensions.path.rewrite.uri_template.v3.UriTemplateRewriteConfig'],
} as const;

export function decodePathMatchPolicy(message: TypedExtensionConfig, problems: Problems): UriTemplate | undefined {
  if (extensionType(message, matcher, problems) === undefined) return undefined;
  const { pathTemplate } = message.typedConfig!.message as UriTemplateMatchConfig;
  const place = problems.at('typed_config').at('path_template');
  return pathTemplate === undefined ? undefined : parseUriTemplate(pathTemplate, place);
}

/** A rewrite by the variables of the match, which is a template too. */
export function decodePathRewritePolicy(
  message: TypedExtensionConfig,
  match: TypedExtensionConfig | undefined,
  problems: Problems,
): ForwardAction['pathRewrite'] {
  if (extensionType(message, rewriter, problems) === undefined) return undefined;
  const { pathTemplateRewrite } = message.typedConfig!.message as UriTemplateRewriteConfig;
  if (pathTemplateRewrite === undefined) return undefined;
  if (match === undefined) {
    problems.add('it needs a path_match_policy of the route, whose variables it names');
    return undefined;
  }
  // What is wrong with the match is told where it is written.
  const template = decodePathMatchPolicy(match, new Problems());
  if (template === undefined) return undefined;
  const place = problems.at('typed_config').at('path_template_rewrite');
  const substitution = parseUriTemplateRewrite(pathTemplateRewrite, template, place);
  return substitution === undefined ? undefined : { kind: 'regex', regex: `^${template.regex}$`, substitution };
}
