// Every table of cases, in the order they run.

import { cors } from './cases/cors.ts';
import { faults } from './cases/faults.ts';
import { formats } from './cases/formats.ts';
import { forwarded } from './cases/forwarded.ts';
import { headers } from './cases/headers.ts';
import { inspectors } from './cases/inspectors.ts';
import { messages } from './cases/messages.ts';
import { pathsAndHosts } from './cases/paths.ts';
import { redirects } from './cases/redirects.ts';
import { refused } from './cases/refused.ts';
import { routes } from './cases/routes.ts';
import { tcp } from './cases/tcp.ts';
import type { Suite } from './suite.ts';

export const suites: readonly Suite[] = [
  messages,
  pathsAndHosts,
  forwarded,
  headers,
  routes,
  cors,
  faults,
  refused,
  redirects,
  tcp,
  inspectors,
  formats,
];
