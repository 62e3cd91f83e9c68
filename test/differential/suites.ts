// Every table of cases, in the order they run.

import { messages } from './cases/messages.ts';
import type { Suite } from './suite.ts';

export const suites: readonly Suite[] = [messages];
