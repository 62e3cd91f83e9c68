// Envoy's proto files come with an npm package that is older than the Envoy that files are written for. What has changed
// since in the messages that are read, and matters, is here.

import type protobuf from 'protobufjs';

/** Changes the proto files as they were read. Throws when one has no longer what is to be changed. */
export function amendProtos(root: protobuf.Root): void {
  root.lookupEnum('envoy.config.accesslog.v3.ComparisonFilter.Op').add('NE', 3);
  dropRules(root, 'envoy.config.core.v3.RuntimeUInt32', 'runtime_key');
}

function dropRules(root: protobuf.Root, type: string, name: string): void {
  const field = root.lookupType(type).fields[name];
  const options: { [option: string]: unknown }[] | undefined = field?.parsedOptions;
  if (field === undefined || options === undefined) throw new Error(`${type}.${name} has no rules to drop`);
  field.parsedOptions = options.filter((option) => !('(validate.rules)' in option));
}
