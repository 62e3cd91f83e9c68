import t from 'tap';
import { prefersOpenMetrics } from '../../../proxy/admin/accepted-type.ts';

t.test('what Prometheus asks for is OpenMetrics when it prefers that', (t) => {
  const newest =
    'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2';
  t.ok(prefersOpenMetrics(newest));
  t.ok(prefersOpenMetrics('application/openmetrics-text'));
  t.ok(prefersOpenMetrics('Application/OpenMetrics-Text; Version="1.0.0"; charset=utf-8'));
  t.notOk(prefersOpenMetrics('text/plain;version=0.0.4;q=0.5,application/openmetrics-text;version=1.0.0;q=0.4'));
  t.notOk(prefersOpenMetrics('application/openmetrics-text;q=0.5,*/*'));
  t.ok(prefersOpenMetrics('application/openmetrics-text;q=0.5,text/plain;q=0.4,*/*'));
  t.end();
});

t.test('who does not ask for it gets the older text', (t) => {
  const headers = [
    '',
    '*/*',
    'text/html,*/*;q=0.8',
    'application/openmetrics-text;q=0',
    'application/openmetrics-text;q=x',
  ];
  for (const accept of headers) t.notOk(prefersOpenMetrics(accept), accept);
  t.notOk(prefersOpenMetrics('application/openmetrics-text; version=2.0.0'));
  t.end();
});
