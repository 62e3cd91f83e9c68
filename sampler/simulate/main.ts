// `npm run sampler -- simulate`: what would be kept of a workload, and what can be counted from that, by our sampling and by
// the usual ways. Where the simulator meets files and the terminal; the rest of it is as pure as the sampler.

import { readFileSync, writeFileSync } from 'node:fs';
import { ConfigError, Problems } from '../../config/problems.ts';
import { cannotBeRead, cannotBeWritten } from '../../config/unreadable-file.ts';
import { parseDocument } from '../../xds/document/config-document.ts';
import { defaultSettings, type SamplingSettings } from '../settings.ts';
import { readSamplingSettings } from '../settings-reader.ts';
import { parseCommand, type SimulateCommand, UsageError, usage } from './arguments.ts';
import { compare } from './comparison.ts';
import { comparisonSvg } from './comparison-svg.ts';
import { comparisonText } from './comparison-text.ts';
import type { SimulatedRequest } from './simulated-request.ts';
import { readTraceFile, TraceFileError } from './trace-file.ts';
import { workload } from './workload.ts';

/** One that the user named. */
class FileError extends Error {}

try {
  simulate(parseCommand(process.argv.slice(2)));
} catch (error) {
  if (!isOfUser(error)) throw error;
  process.stderr.write(`${error.message}\n${error instanceof UsageError ? usage : ''}`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}

function simulate(command: SimulateCommand): void {
  const settings = settingsOf(command);
  const comparison = compare(requestsOf(command.source), settings);
  process.stdout.write(comparisonText(comparison));
  if (command.svgPath !== undefined) writeFile(command.svgPath, comparisonSvg(comparison));
}

function requestsOf(source: SimulateCommand['source']): readonly SimulatedRequest[] {
  if (source.kind === 'made') return workload(source);
  return readTraceFile(readFile(source.path));
}

function settingsOf({ settingsPath, tracesPerSecond }: SimulateCommand): SamplingSettings {
  const settings = settingsPath === undefined ? defaultSettings : readSettings(settingsPath);
  if (tracesPerSecond === undefined) return settings;
  return { ...settings, budget: { ...settings.budget, tracesPerSecond } };
}

function readSettings(path: string): SamplingSettings {
  const problems = new Problems();
  const tree = parseDocument(readFile(path), problems);
  if (!problems.isEmpty) throw new ConfigError(path, problems.list);
  const read = readSamplingSettings(tree);
  if (read.kind === 'problems') throw new ConfigError(path, read.problems);
  return read.settings;
}

function readFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new FileError(`${path} ${cannotBeRead(path, error)}`);
  }
}

function writeFile(path: string, text: string): void {
  try {
    writeFileSync(path, text);
  } catch (error) {
    throw new FileError(`${path} ${cannotBeWritten(path, error)}`);
  }
}

/** What the user can put right, a file that cannot be read among it; anything else is a fault of ours. */
function isOfUser(error: unknown): error is Error {
  const kinds = [UsageError, TraceFileError, ConfigError, FileError];
  return kinds.some((kind) => error instanceof kind);
}
