import { hostname } from 'node:os';
import t, { type Test } from 'tap';
import {
  processResource,
  type ResourceFacts,
  resourceAttributes,
  resourceMessage,
} from '../../../proxy/export/telemetry-resource.ts';
import { attributesOf, decodeOtlp, type KeyValue } from '../../support/otlp-messages.ts';

const facts: ResourceFacts = {
  serviceName: '',
  resource: { fromEnvironment: false, attributes: [] },
  node: { id: 'sidecar~1', cluster: 'reviews' },
  version: '1.2.3',
};

function setEnvironment(t: Test, values: Readonly<Record<string, string>>): void {
  Object.assign(process.env, values);
  t.teardown(() => {
    for (const name of Object.keys(values)) delete process.env[name];
  });
}

const nameOf = (changes: Partial<ResourceFacts>) => processResource({ ...facts, ...changes }).get('service.name');

t.test('a process says what it is and where it runs', (t) => {
  t.same(Object.fromEntries(processResource(facts)), {
    'telemetry.sdk.language': 'nodejs',
    'telemetry.sdk.name': 'outrigger',
    'telemetry.sdk.version': '1.2.3',
    'host.name': hostname(),
    'service.instance.id': 'sidecar~1',
    'service.name': 'reviews',
  });
  t.end();
});

t.test('the name of the service: detectors, configuration, environment, node, nobody', (t) => {
  const fromEnvironment = { fromEnvironment: true, attributes: [] };
  t.equal(nameOf({ node: { id: '', cluster: '' } }), 'unknown_service:outrigger');
  t.equal(nameOf({}), 'reviews');
  setEnvironment(t, { OTEL_SERVICE_NAME: 'from-env', OTEL_RESOURCE_ATTRIBUTES: 'service.name=from-attributes' });
  t.equal(nameOf({}), 'from-env');
  t.equal(nameOf({ serviceName: 'configured' }), 'configured');
  t.equal(nameOf({ serviceName: 'configured', resource: fromEnvironment }), 'from-attributes');
  const both = { fromEnvironment: true, attributes: [['service.name', 'static']] } as const;
  t.equal(nameOf({ serviceName: 'configured', resource: both }), 'static');
  t.end();
});

t.test('attributes of the environment are read where the configuration asks for them', (t) => {
  setEnvironment(t, { OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=prod,team=a%2Cb' });
  t.same([...resourceAttributes({ fromEnvironment: false, attributes: [['team', 'c']] })], [['team', 'c']]);
  t.same(
    [...resourceAttributes({ fromEnvironment: true, attributes: [['x', 'y']] })],
    [
      ['deployment.environment.name', 'prod'],
      ['team', 'a,b'],
      ['x', 'y'],
    ],
  );
  t.end();
});

t.test('an environment that is wrong is as good as none', (t) => {
  setEnvironment(t, { OTEL_RESOURCE_ATTRIBUTES: 'no-value' });
  t.same([...resourceAttributes({ fromEnvironment: true, attributes: [] })], []);
  t.end();
});

t.test('a resource is encoded as OTLP has it', (t) => {
  const message = decodeOtlp(
    'Resource',
    resourceMessage(
      new Map([
        ['a', 'b'],
        ['clé', 'x'.repeat(300)],
      ]),
    ),
  );
  t.same(attributesOf(message['attributes'] as KeyValue[]), { a: 'b', clé: 'x'.repeat(300) });
  t.end();
});
