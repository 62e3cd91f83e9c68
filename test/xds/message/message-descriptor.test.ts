import t from 'tap';
import { enumTexts, messageTexts } from '../../../xds/generated/descriptors.ts';
import { enumDescriptor, messageDescriptor } from '../../../xds/message/message-descriptor.ts';

t.test('every generated message and enum can be parsed', async (t) => {
  for (const name of Object.keys(messageTexts)) {
    for (const field of messageDescriptor(name)!.fields) {
      t.ok(field.kind !== 'enum' || enumDescriptor(field.type).byNumber.has(0), `${name}.${field.name}`);
      if (field.kind === 'message' && !field.type.startsWith('google.'))
        t.ok(messageDescriptor(field.type), field.type);
    }
  }
  for (const name of Object.keys(enumTexts))
    t.equal(enumDescriptor(name).byName.size, enumDescriptor(name).byNumber.size);
});

t.test('fields have their kind, shape, oneof and rules', async (t) => {
  const { fieldsByName, requiredOneofs } = messageDescriptor('envoy.config.core.v3.SocketAddress')!;
  t.match(fieldsByName.get('portValue'), {
    name: 'port_value',
    kind: 'scalar',
    type: 'uint32',
    shape: 'single',
    oneof: 'port_specifier',
    rules: { lte: 65535 },
  });
  t.equal(fieldsByName.get('port_value'), fieldsByName.get('portValue'));
  t.same(requiredOneofs, ['port_specifier']);
  const cluster = messageDescriptor('envoy.config.cluster.v3.Cluster')!.fieldsByName;
  t.match(cluster.get('health_checks'), { kind: 'opaque', shape: 'repeated', type: '' });
  t.match(cluster.get('typed_extension_protocol_options'), {
    shape: 'map',
    kind: 'message',
    type: 'google.protobuf.Any',
  });
  t.match(cluster.get('connect_timeout'), { rules: { gt: 0 }, type: 'google.protobuf.Duration' });
});

t.test('what was not generated is not known', async (t) => {
  t.equal(messageDescriptor('envoy.config.rbac.v3.RBAC'), undefined);
  t.equal(messageDescriptor('toString'), undefined);
  t.throws(() => enumDescriptor('envoy.Absent'));
});
