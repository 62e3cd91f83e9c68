// Flags as pflag reads them (`--name value`, `--name=value`, `-n value`, `-nvalue`; switches take a value after `=` only),
// each with a variable of the environment of the same name, some with annotations of a pod. A flag comes before its variable,
// that before an annotation, a later flag before an earlier one. https://pkg.go.dev/github.com/spf13/pflag

import type { Problems } from '../../config/problems.ts';

export type Flag = {
  readonly short?: string;
  readonly isSwitch?: boolean;
  readonly says?: string;
  /** Variables beside the one that has the flag's name. */
  readonly alsoVariables?: readonly string[];
  /** Annotations of a pod that an injector would have made this flag of. */
  readonly annotations?: readonly string[];
  /** Why any value but the neutral ones is refused. */
  readonly refusal?: string;
  readonly neutral?: readonly string[];
} & ({ readonly name: string } | { readonly variable: string });

export interface FlagValue {
  readonly text: string;
  /** The flag, the variable or the annotation that said it, as the operator wrote it. */
  readonly source: string;
  readonly isAnnotation?: boolean;
}

/** By the flag's name, or the variable where there is no flag. */
export type FlagValues = ReadonlyMap<string, FlagValue>;

export interface FlagSources {
  readonly flags: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  readonly known: readonly Flag[];
  readonly problems: Problems;
}

/** What was said, without what is wrong (recorded). An empty variable is one that is not set; an empty annotation is set. */
export function readFlagValues({ flags, environment, annotations = {}, known, problems }: FlagSources): FlagValues {
  const values = new Map<string, FlagValue>();
  for (const flag of known) {
    const annotation = flag.annotations?.find((each) => annotations[each] !== undefined);
    if (annotation !== undefined)
      values.set(keyOf(flag), { text: annotations[annotation]!, source: annotation, isAnnotation: true });
    const source = variablesOf(flag).find((variable) => (environment[variable] ?? '') !== '');
    if (source !== undefined) values.set(keyOf(flag), { text: environment[source]!, source });
  }
  const rest = [...flags];
  while (rest.length > 0) {
    const word = rest.shift()!;
    const found = flagOf(word, known);
    if (found === undefined) {
      problems.at(word.split('=')[0]!).add(`is not a flag; there are ${namesOf(known)}`);
      continue;
    }
    const text = found.attached ?? (found.flag.isSwitch ? 'true' : rest.shift());
    if (text === undefined) problems.at(found.source).add('needs a value');
    else values.set(keyOf(found.flag), { text, source: found.source });
  }
  for (const flag of known) checkValue(flag, values.get(keyOf(flag)), problems);
  return values;
}

interface FoundFlag {
  readonly flag: Flag;
  readonly source: string;
  /** The value in the same word. */
  readonly attached?: string | undefined;
}

function flagOf(word: string, known: readonly Flag[]): FoundFlag | undefined {
  const long = /^--([^=]+)(?:=(.*))?$/s.exec(word);
  const short = /^-([^-=])=?(.*)$/s.exec(word);
  const flag = known.find((flag) =>
    long !== null ? 'name' in flag && flag.name === long[1] : short !== null && flag.short === short[1],
  );
  if (flag === undefined) return undefined;
  if (long !== null) return { flag, source: `--${long[1]}`, attached: long[2] };
  const hasValue = word.length > 2;
  // Switches in one word (`-nf`) are none that istio-iptables is given anywhere; the value would be refused below.
  return { flag, source: `-${short![1]}`, attached: hasValue ? short![2] : undefined };
}

function checkValue(flag: Flag, value: FlagValue | undefined, problems: Problems): void {
  if (value === undefined) return;
  if (flag.refusal !== undefined && !flag.neutral?.includes(value.text)) problems.at(value.source).add(flag.refusal);
  else if (flag.isSwitch && !['true', 'false'].includes(value.text))
    problems.at(value.source).add(`must be true or false, not ${JSON.stringify(value.text)}`);
}

function keyOf(flag: Flag): string {
  return 'name' in flag ? flag.name : flag.variable;
}

function variablesOf(flag: Flag): readonly string[] {
  const own = 'name' in flag ? flag.name.toUpperCase().replaceAll('-', '_') : flag.variable;
  return [own, ...(flag.alsoVariables ?? [])];
}

function namesOf(known: readonly Flag[]): string {
  const names = known.flatMap((flag) => ('name' in flag && flag.refusal === undefined ? [`--${flag.name}`] : []));
  return `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}
