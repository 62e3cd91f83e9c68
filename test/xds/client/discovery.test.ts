import t from 'tap';
import {
  type DiscoveryUpdate,
  type RefusedResource,
  type ResourceConsumer,
  takeOverInSteps,
} from '../../../xds/client/discovery.ts';

const update: DiscoveryUpdate = { version: '1', resources: [], removed: [] };
const refused: readonly RefusedResource[] = [{ name: 'a', problems: [] }];
const consumer: ResourceConsumer = {
  type: { typeUrl: 'type.googleapis.com/a.B', shortName: 'b', nameOf: () => '' },
  heldVersions: () => [],
  onUpdate: () => [],
  onAbsent: () => undefined,
};

t.test('an update is taken over in the steps of its consumer', async (t) => {
  const given: DiscoveryUpdate[] = [];
  const stepping: ResourceConsumer = {
    ...consumer,
    *takeOver(taken) {
      given.push(taken);
      yield;
      yield;
      return refused;
    },
  };
  const steps = takeOverInSteps(stepping, update);
  t.same(given, [], 'nothing before the first');
  t.same(
    [steps.next(), steps.next(), steps.next()],
    [
      { done: false, value: undefined },
      { done: false, value: undefined },
      { done: true, value: refused },
    ],
  );
  t.same(given, [update]);
});

t.test('… and in one where it has none', async (t) => {
  const given: DiscoveryUpdate[] = [];
  const whole: ResourceConsumer = {
    ...consumer,
    onUpdate: (taken) => {
      given.push(taken);
      return refused;
    },
  };
  t.same(takeOverInSteps(whole, update).next(), { done: true, value: refused });
  t.same(given, [update]);
});
