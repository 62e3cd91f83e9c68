import t from 'tap';
import { isSignalOff } from '../../../proxy/export/signal-switches.ts';

const signals = ['traces', 'metrics', 'logs'] as const;

t.test('the whole of telemetry is turned off by true alone, in any case of letters', (t) => {
  for (const signal of signals) {
    for (const value of ['true', 'TRUE', ' true ']) t.ok(isSignalOff({ OTEL_SDK_DISABLED: value }, signal), value);
    for (const value of ['false', '', '1', 'yes']) t.notOk(isSignalOff({ OTEL_SDK_DISABLED: value }, signal), value);
    t.notOk(isSignalOff({}, signal));
  }
  t.end();
});

t.test('one signal is turned off by an exporter that is none', (t) => {
  for (const signal of signals) {
    const environment = { [`OTEL_${signal.toUpperCase()}_EXPORTER`]: 'none' };
    t.strictSame(
      signals.filter((each) => isSignalOff(environment, each)),
      [signal],
    );
    t.notOk(isSignalOff({ [`OTEL_${signal.toUpperCase()}_EXPORTER`]: 'otlp' }, signal));
  }
  t.end();
});
