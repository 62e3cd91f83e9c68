// The answers about runtime values. A change reaches every worker before the next event it handles.

import { type AdminAnswer, type AdminRequest, failure, json, ok } from './admin-answer.ts';
import type { AdminContext } from './admin-context.ts';

export function runtime({ state, overrides }: AdminContext): AdminAnswer {
  return json(overrides.dump(state.bootstrap?.runtimeLayers ?? []));
}

export function modifyRuntime(
  { state, overrides, setRuntime }: AdminContext,
  { query, form }: AdminRequest,
): AdminAnswer {
  const values = query.size > 0 ? query : form;
  if (values.size === 0) return failure(400, usage);
  const layers = state.bootstrap?.runtimeLayers ?? [];
  if (!layers.some((layer) => layer.kind === 'admin')) return failure(503, 'No admin layer specified\n');
  overrides.modify(values);
  setRuntime(overrides.flatten(layers));
  return ok();
}

const usage = `usage: /runtime_modify?key1=value1&key2=value2&keyN=valueN
       or send the parameters as form values
use an empty value to remove a previously added override
`;
