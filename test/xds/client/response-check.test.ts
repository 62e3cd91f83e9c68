import t from 'tap';
import type { WireResource } from '../../../xds/client/discovery-wire.ts';
import { checkResponse } from '../../../xds/client/response-check.ts';
import { Subscriptions } from '../../../xds/client/subscriptions.ts';
import { clusterType, listenerType } from '../../support/discovery-messages.ts';
import { noItems } from '../../support/empty-patterns.ts';
import { onlyItems } from '../../support/only-items.ts';

const type = {
  typeUrl: clusterType,
  shortName: 'cds',
  nameOf: (message: Uint8Array) => Buffer.from(message).toString(),
};

/** Holds version 1 of `beat`. */
const consumer = { type, heldVersions: () => new Map([['beat', '1']]) };

function resource(name: string, changes: Partial<WireResource> = {}): WireResource {
  return { name, version: '', aliases: [], message: new Uint8Array(0), payloadType: clusterType, ...changes };
}

function check(resources: readonly WireResource[], removed: readonly string[] = []) {
  const subscriptions = new Subscriptions();
  subscriptions.add('*');
  const response = { typeUrl: clusterType, version: '', nonce: '', controlPlane: '', resources, removed };
  const { accepted, refused, names, hasNameless } = checkResponse(response, consumer, subscriptions);
  return {
    accepted: accepted.map(({ name }) => name),
    refused: refused.map(({ name, problems }) => `${name} ${problems.map(({ message }) => message).join()}`),
    names: [...names],
    hasNameless,
  };
}

t.test('a right response is taken as it is', async (t) => {
  t.same(check([resource('a'), resource('b')], ['c']), {
    accepted: ['a', 'b'],
    refused: [],
    names: ['a', 'b'],
    hasNameless: false,
  });
});

t.test('a name is looked for in the message, and must be somewhere', async (t) => {
  t.same(check([resource('', { message: Buffer.from('inside') }), resource(''), resource('')]), {
    accepted: ['inside'],
    refused: ['resources[1] has no name', 'resources[2] has no name'],
    names: ['inside'],
    hasNameless: true,
  });
});

t.test('a name that is said twice is refused once, also when it is said to be removed', async (t) => {
  t.same(check([resource('a'), resource('b'), resource('a'), resource('a'), resource('c')], ['b']), {
    accepted: ['c'],
    refused: ['a is in the response more than once', 'b is in the response more than once'],
    names: ['a', 'b', 'c'],
    hasNameless: false,
  });
});

t.test('a message must have the type of the response, and a heartbeat has none', async (t) => {
  const heartbeat = resource('beat', { version: '1', message: undefined, payloadType: '' });
  const { accepted, refused } = check([
    resource('a', { payloadType: listenerType }),
    resource('b', { payloadType: '' }),
    heartbeat,
  ]);
  t.same(accepted, ['beat']);
  t.same(refused, [
    `a is a ${listenerType}, and was sent as a ${clusterType}`,
    `b is a message without a type, and was sent as a ${clusterType}`,
  ]);
});

t.test('a heartbeat must be of what is held', async (t) => {
  const beat = { message: undefined, payloadType: '', ttlMs: 1000 };
  t.same(check([resource('beat', { ...beat, version: '2' })]).refused, [
    'beat is a heartbeat of version "2", and "1" is held',
  ]);
});

t.test('a name without a message is what does not exist', async (t) => {
  const nothing = { message: undefined, payloadType: '' };
  const subscriptions = new Subscriptions();
  for (const name of ['asked', 'by alias', 'other']) subscriptions.add(name);
  const resources = [resource('asked', nothing), resource('real', { ...nothing, aliases: ['by alias', 'not asked'] })];
  const response = { typeUrl: clusterType, version: '', nonce: '', controlPlane: '', resources, removed: [] };
  t.match(checkResponse(response, consumer, subscriptions), {
    accepted: noItems,
    refused: noItems,
    absent: onlyItems('asked', 'by alias'),
  });
});
