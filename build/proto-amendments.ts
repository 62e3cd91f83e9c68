// Envoy's proto files come with an npm package that is older than the Envoy that files are written for. What has changed
// since in the messages that are read, and matters, is here.

import protobuf from 'protobufjs';

/** Changes the proto files as they were read. Throws when one has no longer what is to be changed. */
export function amendProtos(root: protobuf.Root): void {
  root.lookupEnum('envoy.config.accesslog.v3.ComparisonFilter.Op').add('NE', 3);
  dropRules(root, 'envoy.config.core.v3.RuntimeUInt32', 'runtime_key');
  dropRules(root, 'envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig', 'resolvers');
  addTlsInspectorFields(root);
}

function addTlsInspectorFields(root: protobuf.Root): void {
  const inspector = root.lookupType('envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector');
  const largest = new protobuf.Field('max_client_hello_size', 5, 'google.protobuf.UInt32Value');
  largest.parsedOptions = [{ '(validate.rules)': { uint32: { gt: 255, lte: 16_384 } } }];
  const added = [
    new protobuf.Field('enable_ja4_fingerprinting', 3, 'google.protobuf.BoolValue'),
    new protobuf.Field('close_connection_on_client_hello_parsing_errors', 4, 'bool'),
    largest,
  ];
  for (const field of added) {
    inspector.add(field);
    field.resolve();
  }
}

function dropRules(root: protobuf.Root, type: string, name: string): void {
  const field = root.lookupType(type).fields[name];
  const options: { [option: string]: unknown }[] | undefined = field?.parsedOptions;
  if (field === undefined || options === undefined) throw new Error(`${type}.${name} has no rules to drop`);
  field.parsedOptions = options.filter((option) => !('(validate.rules)' in option));
}
