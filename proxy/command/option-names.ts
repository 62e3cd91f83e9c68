// What somebody probably meant who wrote an option, or a word, that there is not.

import { nearestName } from '../../xds/message/nearest-name.ts';

/**
 * The option that was probably meant: one that begins so (`--config`), one with a letter or two wrong (`--lo-level`), or
 * one whose beginning is near (`--tmeout` for `--timeoutSeconds`). With one dash instead of two it is the same.
 */
export function nearestOption(name: string, options: readonly string[]): string | undefined {
  const word = bare(name);
  // A single letter is near to everything.
  if (word.length < 2) return undefined;
  const candidates = options.filter((option) => option.startsWith('--'));
  const begun = candidates.find((option) => bare(option).startsWith(word));
  if (begun !== undefined) return begun;
  const near = nearestName(word, candidates.map(bare));
  if (near !== undefined) return `--${near}`;
  return nearestBeginning(word, candidates);
}

function nearestBeginning(word: string, options: readonly string[]): string | undefined {
  for (const length of [word.length, word.length + 1]) {
    const beginnings = options.map((option) => bare(option).slice(0, length));
    const near = nearestName(word, beginnings);
    if (near !== undefined) return options[beginnings.indexOf(near)];
  }
  return undefined;
}

function bare(option: string): string {
  return option.replace(/^-+/, '');
}

/** What to write for a word that is no option, where it is the name of a program or of a file; undefined where nobody knows. */
export function meantByWord(word: string): string | undefined {
  if (/\.(?:ya?ml|json)$/i.test(word) || word.includes('/')) return `-c ${word}`;
  const near = nearestName(word, words.keys());
  return near === undefined ? undefined : words.get(near);
}

const words: ReadonlyMap<string, string> = new Map([
  ...['sidecar', 'wait', 'request', 'bpf', 'iptables', 'control-plane', 'audit'].map(
    (program) => [program, program] as const,
  ),
  ['validate', '--mode validate -c FILE'],
  ['serve', '-c FILE'],
  ['start', '-c FILE'],
  ['version', '--version'],
  ['help', '--help'],
]);
