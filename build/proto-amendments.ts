// Envoy's proto files come with an npm package that is older than the Envoy that files are written for. What has changed
// since in the messages that are read, and matters, is here.

import protobuf from 'protobufjs';
import { type NewerFieldType, newerFields } from './newer-fields.ts';

/** Changes the proto files as they were read. Throws when one has no longer what is to be changed. */
export function amendProtos(root: protobuf.Root): void {
  root.lookupEnum('envoy.config.accesslog.v3.ComparisonFilter.Op').add('NE', 3);
  dropRules(root, 'envoy.config.core.v3.RuntimeUInt32', 'runtime_key');
  dropRules(root, 'envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig', 'resolvers');
  const openTelemetryLog = 'envoy.extensions.access_loggers.open_telemetry.v3.OpenTelemetryAccessLogConfig';
  dropRules(root, openTelemetryLog, 'common_config');
  for (const name of ['collector_cluster', 'collector_endpoint']) {
    dropRules(root, 'envoy.config.trace.v3.ZipkinConfig', name);
  }
  addNewerFields(root);
}

function addNewerFields(root: protobuf.Root): void {
  root.add(new protobuf.Type(unread));
  for (const [message, fields] of Object.entries(newerFields)) {
    const parent = root.lookupType(message);
    for (const [name, [number, type, { rules, oneof } = {}]] of Object.entries(fields)) {
      const [, repeated, element] = /^(repeated )?(.*)$/.exec(typeName(parent, name, type))!;
      const field = new protobuf.Field(name, number, element!, repeated?.trim());
      if (rules !== undefined) field.parsedOptions = [{ '(validate.rules)': { any: rules } }];
      if (oneof === undefined) parent.add(field);
      else parent.oneofs[oneof]!.add(field);
      field.resolve();
    }
  }
}

/** A type that has no table, and so is opaque. */
const unread = 'Unread';

function typeName(parent: protobuf.Type, field: string, type: NewerFieldType): string {
  if (typeof type === 'string') return type === 'unread' ? `.${unread}` : type;
  const name = field.replace(/(?:^|_)(.)/g, (_, first: string) => first.toUpperCase());
  parent.add(new protobuf.Enum(name, Object.fromEntries(type.map((value, number) => [value, number]))));
  return name;
}

function dropRules(root: protobuf.Root, type: string, name: string): void {
  const field = root.lookupType(type).fields[name];
  const options: { [option: string]: unknown }[] | undefined = field?.parsedOptions;
  if (field === undefined || options === undefined) throw new Error(`${type}.${name} has no rules to drop`);
  field.parsedOptions = options.filter((option) => !('(validate.rules)' in option));
}
