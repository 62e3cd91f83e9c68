import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import t from 'tap';
import { SharedParts } from '../../../xds/decode/shared-parts.ts';
import { bootstrapOf } from '../../support/config-fixtures.ts';

t.test('a part that is equal to an earlier one is that one', (t) => {
  const parts = new SharedParts<object>();
  const first = parts.share({ region: 'a', zones: ['b'] });
  t.equal(parts.share({ region: 'a', zones: ['b'] }), first);
  t.not(parts.share({ region: 'a', zones: ['c'] }), first);
  t.end();
});

t.test('whatever was shared before, a part keeps its value', (t) => {
  const parts = new SharedParts<object>();
  const part = fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.integer(), fc.boolean()));
  const keeps = fc.property(part, (value) => isDeepStrictEqual(parts.share({ ...value }), { ...value }));
  t.doesNotThrow(() => fc.assert(keeps, { numRuns: 1000 }));
  t.end();
});

t.test('two parts are one object exactly when they are equal', (t) => {
  const values = [fc.nat(1), fc.boolean(), fc.constant(null)];
  const part = fc.object({ key: fc.constantFrom('a', 'b'), maxDepth: 3, values });
  const agrees = fc.property(part, part, (one, other) => {
    const parts = new SharedParts<object>();
    return (parts.share(one) === parts.share(structuredClone(other))) === isDeepStrictEqual(one, other);
  });
  t.doesNotThrow(() => fc.assert(agrees, { numRuns: 1000 }));
  t.end();
});

t.test('clusters and routes that say the same share what they say', (t) => {
  const cluster = (name: string) => `
    - name: ${name}
      load_assignment: { cluster_name: ${name}, endpoints: [{ lb_endpoints: [${endpoint}] }] }
      circuit_breakers: { thresholds: [{ max_requests: 7 }] }`;
  const endpoint = '{ endpoint: { address: { socket_address: { address: 10.0.0.1, port_value: 80 } } } }';
  const { bootstrap } = bootstrapOf(`static_resources:\n  clusters:${cluster('a')}${cluster('b')}`);
  const [a, b] = bootstrap.clusters;
  t.equal(a!.circuitBreakers, b!.circuitBreakers);
  t.equal(a!.circuitBreakers.default.maxRequests, 7);
  t.equal(a!.loadBalancer, b!.loadBalancer);
  t.equal(a!.upstreamHttp, b!.upstreamHttp);
  t.equal(a!.metadata, b!.metadata);
  t.end();
});
