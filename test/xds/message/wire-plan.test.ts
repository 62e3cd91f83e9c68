import t from 'tap';
import { messageDescriptor } from '../../../xds/message/message-descriptor.ts';
import { generatedPlan, messagePlan, nestedPlan, valueKinds, wellKnownPlan } from '../../../xds/message/wire-plan.ts';
import { noItems } from '../../support/empty-patterns.ts';

const dataSource = messageDescriptor('envoy.config.core.v3.DataSource')!;

t.test('fields are found by their numbers and listed in their order', async (t) => {
  const { fields, inOrder } = messagePlan(dataSource);
  t.match(fields[1], { name: 'filename', key: 'filename', id: 1 });
  t.equal(fields[900], undefined);
  t.same(
    inOrder.map(({ id }) => id),
    inOrder.map(({ id }) => id).toSorted((one, other) => one - other),
  );
  t.equal(messagePlan(dataSource), messagePlan(dataSource));
});

t.test('members of a oneof know each other and have presence', async (t) => {
  const { fields } = messagePlan(dataSource);
  t.equal(fields[2]?.hasPresence, true);
  t.same(
    fields[2]?.rivals.map(({ name }) => name),
    ['filename', 'inline_string', 'environment_variable'],
  );
  const [, address] = messagePlan(messageDescriptor('envoy.config.core.v3.SocketAddress')!).fields;
  t.match(address, { rivals: noItems, hasPresence: false });
});

t.test('repeated numbers and enums are packable, repeated text is not', async (t) => {
  const planOf = (type: string, name: string) =>
    messagePlan(messageDescriptor(type)!).inOrder.find((field) => field.name === name);
  t.match(planOf('envoy.config.accesslog.v3.GrpcStatusFilter', 'statuses'), {
    isPackable: true,
    kind: valueKinds.enum,
  });
  t.match(planOf('envoy.config.accesslog.v3.ResponseFlagFilter', 'flags'), { isPackable: false });
});

t.test('well-known types have kinds of their own, generated ones a plan', async (t) => {
  t.match(wellKnownPlan('google.protobuf.BoolValue'), { kind: valueKinds.wrapper, scalar: { implied: false } });
  t.match(wellKnownPlan('google.protobuf.Timestamp'), { kind: valueKinds.instant });
  t.equal(wellKnownPlan('envoy.config.core.v3.Node'), undefined);
  t.equal(nestedPlan(generatedPlan('envoy.config.core.v3.DataSource')), messagePlan(dataSource));
});
