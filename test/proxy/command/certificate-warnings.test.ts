import t from 'tap';
import { CertificateWarnings } from '../../../proxy/command/certificate-warnings.ts';
import type { ComponentLog } from '../../../proxy/telemetry/process-log.ts';
import type { LifeProblem, WatchedSecret } from '../../../proxy/tls/certificate-watch.ts';

t.test('ends of certificates and broken secrets are told of once each', (t) => {
  const lines: string[] = [];
  const write = (level: string) => (message: unknown) => void lines.push(`${level}: ${message}`);
  const log = { warn: write('warn'), error: write('error') } as Partial<ComponentLog> as ComponentLog;
  let problems: readonly LifeProblem[] = [{ name: 'a', isExpired: false, words: 'a nears its end' }];
  let lastError: string | undefined;
  const watch = {
    takeNewProblems: () => problems,
    secrets: (): readonly WatchedSecret[] => [{ name: 'a', chain: [], roots: [], ocsp: undefined, lastError }],
  };
  const warnings = new CertificateWarnings(watch, { component: () => log });
  warnings.check();
  problems = [{ name: 'a', isExpired: true, words: 'a has expired' }];
  lastError = 'no key';
  warnings.check();
  problems = [];
  warnings.check();
  lastError = undefined;
  warnings.check();
  lastError = 'no key';
  warnings.check();
  const broken = 'error: the secret a cannot be used, and what was there before it stays: no key';
  t.same(lines, ['warn: a nears its end', 'error: a has expired', broken, broken]);
  t.end();
});
