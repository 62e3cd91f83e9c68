// `npm test [-- FILTER…]`: runs test/**/*.test.ts, two at a time, and ends with `N passed, N failed[, N skipped]`.
// A file filter is a part of a path. Written here instead of taken from tap's command because that one compiles with a
// loader of its own, while these tests must run exactly as the sources do: by Node, types stripped.

import { globSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { bundleTap } from './runner/bundled-tap.ts';
import { runTestFile, type TestFileOptions, type TestFileOutcome } from './runner/test-file.ts';

// Tests share the machine with the processes they start (proxies, origins), hence not one a core on a large machine.
const PARALLEL_FILES = 2;
const DEFAULT_SILENCE_MS = 240_000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    root: { type: 'string', default: import.meta.dirname },
    'silence-ms': { type: 'string', default: String(DEFAULT_SILENCE_MS) },
  },
});

const interruption = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.once(name, () => {
    interruption.abort();
    process.exitCode = 130;
  });
}

const files = findFiles(values.root, positionals);
// A run that a test starts uses what the run around it has made.
const compileCache = process.env['NODE_COMPILE_CACHE'] ?? makeCompileCache();
const fixtures = makeFixtures();
const tapRedirection = process.env['TAP_REDIRECTION'] ?? bundleTap(fixtures);
const outcomes = await runAll(files, {
  silenceMs: Number(values['silence-ms']),
  compileCache,
  fixtures,
  tapRedirection,
  signal: interruption.signal,
});
finish(outcomes);

function makeCompileCache(): string {
  const folder = mkdtempSync(join(tmpdir(), 'outrigger-compiled-'));
  // A process that has just been killed may still be writing there.
  process.once('exit', () => rmSync(folder, { recursive: true, maxRetries: 5 }));
  return folder;
}

/** In the repository, since some of what tests write there imports its packages. */
function makeFixtures(): string {
  const folder = join(import.meta.dirname, '..', '.tap', String(process.pid));
  mkdirSync(folder, { recursive: true });
  process.once('exit', () => rmSync(folder, { recursive: true, maxRetries: 5 }));
  return folder;
}

function findFiles(root: string, filters: readonly string[]): string[] {
  const found = globSync('**/*.test.ts', { cwd: root }).map((path) => join(root, path));
  const isWanted = (file: string) => filters.length === 0 || filters.some((filter) => file.includes(filter));
  return found.filter(isWanted).sort();
}

async function runAll(queue: readonly string[], options: TestFileOptions): Promise<TestFileOutcome[]> {
  const waiting = [...queue];
  const done: TestFileOutcome[] = [];
  const lane = async () => {
    for (let file = waiting.shift(); file !== undefined && !options.signal.aborted; file = waiting.shift()) {
      const outcome = await runTestFile(file, options);
      done.push(outcome);
      printOutcome(outcome);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL_FILES }, lane));
  return done;
}

function printOutcome(outcome: TestFileOutcome): void {
  const name = relative(process.cwd(), outcome.file);
  const seconds = (outcome.elapsedMs / 1000).toFixed(1);
  const verdict = outcome.failed === 0 ? 'ok  ' : 'FAIL';
  console.log(`${verdict} ${name}: ${outcome.passed} passed, ${outcome.failed} failed, ${seconds} s`);
  for (const skip of outcome.skips) console.log(`     skipped ${skip}`);
  if (outcome.report !== '') console.log(outcome.report.replace(/^/gm, '     '));
}

function finish(outcomes: readonly TestFileOutcome[]): void {
  const failing = outcomes.filter((outcome) => outcome.failed > 0);
  if (failing.length > 0) console.log('\nfiles with failures:');
  for (const outcome of failing) console.log(`  ${relative(process.cwd(), outcome.file)}`);
  const passed = sum(outcomes, (outcome) => outcome.passed);
  const skipped = sum(outcomes, (outcome) => outcome.skips.length);
  // No test at all is a mistake in the filter or in the tree, and must not look like success.
  const notRun = files.length - outcomes.length;
  const failed = files.length === 0 ? 1 : sum(outcomes, (outcome) => outcome.failed) + notRun;
  if (notRun > 0) console.log(`interrupted: ${notRun} files were not run, which count as failed`);
  if (files.length === 0) console.log(`no test file matches ${positionals.join(' ') || `${values.root}/**/*.test.ts`}`);
  console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
  if (failed > 0) process.exitCode ||= 1;
}

function sum(outcomes: readonly TestFileOutcome[], count: (outcome: TestFileOutcome) => number): number {
  return outcomes.reduce((total, outcome) => total + count(outcome), 0);
}
