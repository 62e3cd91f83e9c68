import t from 'tap';
import { sendableHeaders } from '../../../proxy/export/sendable-headers.ts';

const headers = [
  ['x-tenant', 'a b'],
  ['x+tenant', 'a'],
  ['x-tab', 'a\tb'],
  ['x-break', 'secret\r\nx-forged: 1'],
  ['x tenant', 'a'],
  ['X-Tenant', 'a'],
  ['', 'a'],
  ['x-letter', 'ü'],
] as const;

for (const [protocol, names] of [
  ['http', ['x-tenant', 'x+tenant', 'x-tab']],
  ['grpc', ['x-tenant']],
] as const) {
  t.test(`${protocol}: what is a header is sent, and the rest named without its value`, (t) => {
    const warnings: string[] = [];
    const sent = sendableHeaders(headers, protocol, (text) => warnings.push(text)).map(([name]) => name);
    t.same(sent, names);
    t.equal(warnings.length, headers.length - names.length);
    t.ok(warnings.includes('header "x-break" cannot be sent to a collector'));
    t.notMatch(warnings.join(), /secret/);
    t.end();
  });
}
