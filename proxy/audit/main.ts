// The entry of `outrigger audit`. A program of its own: a data plane never reads traces.

import { readFileSync } from 'node:fs';
import { audit } from './audit.ts';

const standardInput = 0;

const { code, text } = audit(process.argv.slice(2), (path) =>
  readFileSync(path === '-' ? standardInput : path, 'utf8'),
);
(code === 2 ? process.stderr : process.stdout).write(text);
process.exitCode = code;
