// Operators copy commands out of the documents: each is one that the program takes, and every flag that a page names is there.

import t from 'tap';
import { ISTIO_FLAGS } from '../../bpf/capture/istio-flags.ts';
import { COMMANDS, parseArguments, usageText } from '../../bpf/command/arguments.ts';
import { IPTABLES_USAGE, parseIptablesArguments } from '../../bpf/command/iptables-arguments.ts';
import { helpText, parseFlags } from '../../proxy/command/flags.ts';
import { textOf } from './source-tree.ts';

const PAGES = ['README.md', 'docs/redirection.md', 'docs/upgrading.md', 'docs/running.md'];

t.test('commands that the documents show are taken', (t) => {
  const lines = PAGES.flatMap((page) => commandLinesOf(textOf(page)));
  t.ok(lines.length >= 12, `${lines.length} lines`);
  for (const line of lines) {
    const [first, ...rest] = line;
    if (first === 'control-plane' || first === 'audit') continue;
    if (first === 'bpf') t.doesNotThrow(() => parseArguments(rest), line.join(' '));
    else if (first === 'iptables') t.doesNotThrow(() => parseIptablesArguments(rest), line.join(' '));
    else t.doesNotThrow(() => parseFlags(line), line.join(' '));
  }
  t.end();
});

t.test('flags that pages of operators name are there', (t) => {
  const known = flagsIn([helpText(), IPTABLES_USAGE, ...COMMANDS.map((command) => usageText(command))].join('\n'));
  for (const flag of ISTIO_FLAGS) if ('name' in flag && flag.refusal === undefined) known.add(`--${flag.name}`);
  // Another spelling of the command, and a flag of Node's.
  for (const flag of ['--audit', '--cpu-prof']) known.add(flag);
  for (const page of ['docs/redirection.md', 'docs/upgrading.md', 'docs/running.md']) {
    const named = flagsIn(namedIn(textOf(page)));
    t.ok(named.size > 5, page);
    t.same(
      [...named].filter((flag) => !known.has(flag)),
      [],
      page,
    );
  }
  t.end();
});

t.test('a command line is what stands behind outrigger, up to what the shell or a reader takes', (t) => {
  const page =
    '```sh\nbin/outrigger -c a.yaml --mode validate    # checks\nsudo outrigger bpf status &\n```\noutrigger no\n';
  t.same(commandLinesOf(page), [
    ['-c', 'a.yaml', '--mode', 'validate'],
    ['bpf', 'status'],
  ]);
  t.same([...flagsIn(namedIn('`--a-b N` --no\n```sh\noutrigger --yes\nother --no\n```'))], ['--a-b', '--yes']);
  t.end();
});

function shellLinesOf(page: string): readonly string[] {
  return [...page.matchAll(/^```sh\n(.*?)^```$/gms)]
    .flatMap((match) => match[1]!.replaceAll('\\\n', ' ').split('\n'))
    .map((line) => line.replace(/(^| +)#.*$/, ''))
    .filter((line) => /(^|\s|\/)outrigger /.test(line));
}

function commandLinesOf(page: string): readonly (readonly string[])[] {
  return shellLinesOf(page).map((line) => {
    const [command = ''] = line.replace(/^.*?\boutrigger /, '').split(/ +[&|>]/);
    return command.trim().split(/ +/);
  });
}

/** What stands between backticks, and commands of ours. */
function namedIn(page: string): string {
  const spans = [...page.replaceAll(/^```.*?^```$/gms, '').matchAll(/`([^`\n]+)`/g)].map((match) => match[1]!);
  return [...spans, ...shellLinesOf(page)].join('\n');
}

function flagsIn(text: string): Set<string> {
  return new Set([...text.matchAll(/(?<![\w-])--[a-z][a-z-]*[a-z]/g)].map((match) => match[0]));
}
