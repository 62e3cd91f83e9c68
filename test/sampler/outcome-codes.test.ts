import fc from 'fast-check';
import t from 'tap';
import { grpcStatusNames, readGrpcStatus, readStatuses } from '../../sampler/outcome-codes.ts';

t.test('statuses are written as one, a range or a class', (t) => {
  t.same(readStatuses(503), [503, 503]);
  t.same(readStatuses('503'), [503, 503]);
  t.same(readStatuses('500-504'), [500, 504]);
  t.same(readStatuses('5xx'), [500, 599]);
  t.same(readStatuses('4XX'), [400, 499]);
  for (const wrong of ['6xx', '504-500', '600', 99, '5x', '500-', ' 503', '503.5', null, [503], {}, '']) {
    t.equal(readStatuses(wrong), undefined, JSON.stringify(wrong));
  }
  t.end();
});

t.test('gRPC statuses are written by name or number', (t) => {
  t.equal(readGrpcStatus('UNAVAILABLE'), 14);
  t.equal(readGrpcStatus('unavailable'), 14);
  t.equal(readGrpcStatus(14), 14);
  t.equal(readGrpcStatus(0), 0);
  for (const wrong of ['14', 'BAD', 17, -1, 1.5, true, null, ['UNAVAILABLE']]) {
    t.equal(readGrpcStatus(wrong), undefined, JSON.stringify(wrong));
  }
  for (const [code, name] of grpcStatusNames.entries()) t.equal(readGrpcStatus(name), code);
  t.end();
});

t.test('any value gives a range of statuses or nothing', (t) => {
  fc.assert(
    fc.property(fc.oneof(fc.anything(), fc.string({ unit: fc.constantFrom(...'0123456789-xX') })), (value) => {
      const range = readStatuses(value);
      return range === undefined || (range[0] >= 100 && range[0] <= range[1] && range[1] <= 599);
    }),
    { numRuns: 1_000 },
  );
  t.end();
});
