import t from 'tap';
import type { TraceProvider } from '../../../config/tracing.ts';
import { TraceProviders } from '../../../proxy/tracing/trace-providers.ts';
import { someProvider } from '../../support/trace-fixtures.ts';

function start() {
  const events: string[] = [];
  const providers = new TraceProviders({
    publish: (message) => events.push(message.kind === 'trace-provider' ? `${message.index} announced` : message.kind),
    onReuse: () => events.push('records leave'),
  });
  return { providers, events };
}

const tenant = (number: number): TraceProvider => ({ ...someProvider, serviceName: `tenant-${number}` });

t.test('providers that say the same are one', (t) => {
  const { providers, events } = start();
  const first = providers.announce(tenant(0));
  t.equal(providers.announce(tenant(0)), first);
  t.equal(providers.numberOf(first, 0), 0);
  t.equal(providers.numberOf(providers.announce(tenant(1)), 0), 1);
  t.same(events, ['0 announced', '1 announced']);
  t.end();
});

t.test('a number that was given away is asked for anew, and records that have it leave before', (t) => {
  const { providers, events } = start();
  const lasting = providers.announce(tenant(0));
  for (let number = 1; number < 256; number++) providers.announce(tenant(number));
  t.equal(providers.numberOf(lasting, 0), 0);
  providers.announce(tenant(256));
  t.same(events.slice(256), ['records leave', '0 announced']);
  t.equal(providers.numberOf(lasting, 0), 1);
  t.same(events.slice(258), ['records leave', '1 announced']);
  t.equal(providers.numberOf(lasting, 1), 1);
  t.equal(events.length, 260);
  t.end();
});
