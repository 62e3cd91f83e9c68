// The options of a small program of ours (`wait`, `request`). `parseArgs` of Node reads them; what it says of one that there is
// not names neither the others nor the one that was meant.

import { parseArgs } from 'node:util';
import { ConfigError } from '../../config/problems.ts';
import { nearestOption } from './option-names.ts';

export interface ProgramOptions {
  /** As errors name them: `the arguments of wait`. */
  readonly subject: string;
  readonly args: readonly string[];
  /** All take a value. */
  readonly names: readonly string[];
  readonly allowsPositionals: boolean;
}

export interface ReadOptions {
  readonly values: Readonly<Record<string, string | undefined>>;
  readonly positionals: readonly string[];
}

/** Throws `ConfigError` with everything that is wrong. */
export function readProgramOptions({ subject, args, names, allowsPositionals }: ProgramOptions): ReadOptions {
  const options = Object.fromEntries(names.map((name) => [name, { type: 'string' }] as const));
  const { tokens } = parseArgs({ args: [...args], options, strict: false, allowPositionals: true, tokens: true });
  const values: Record<string, string | undefined> = {};
  const positionals: string[] = [];
  const problems: { path: string; message: string }[] = [];
  for (const token of tokens) {
    if (token.kind === 'positional') {
      if (!allowsPositionals) problems.push({ path: token.value, message: `is no option: ${known(names)}` });
      positionals.push(token.value);
    } else if (token.kind === 'option') {
      const { name, rawName: path, value } = token;
      if (!names.includes(name)) problems.push({ path, message: unknownOption(path, names) });
      else if (value === undefined || value === '') problems.push({ path, message: 'needs a value' });
      else values[name] = value;
    }
  }
  if (problems.length > 0) throw new ConfigError(subject, problems);
  return { values, positionals };
}

function unknownOption(name: string, names: readonly string[]): string {
  const near = nearestOption(
    name,
    names.map((each) => `--${each}`),
  );
  return `there is no such option; ${near === undefined ? known(names) : `did you mean ${near}?`}`;
}

function known(names: readonly string[]): string {
  return `there are ${names.map((name) => `--${name}`).join(', ')}`;
}
