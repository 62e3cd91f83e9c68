import fc from 'fast-check';
import t from 'tap';
import {
  COMMANDS,
  countOf,
  parseArguments,
  ringBytesOf,
  UsageError,
  usageText,
} from '../../../bpf/command/arguments.ts';

const load = ['load', '--name', 'a', '--cgroup', '/sys/fs/cgroup/a'];

t.test('flags are read in both spellings, and settings of istio-iptables behind --', (t) => {
  const command = parseArguments([...load, '--proxy-cgroup=/b', '--json', '--', '-p', '15001', '--json']);
  t.equal(command.name, 'load');
  if (command.name === 'help') throw new Error('not help');
  t.same(Object.fromEntries(command.values), {
    name: 'a',
    cgroup: '/sys/fs/cgroup/a',
    'proxy-cgroup': '/b',
    json: '',
  });
  t.same(command.istioFlags, ['-p', '15001', '--json']);
  t.end();
});

t.test('--audit is a command, and the way to it is shown', (t) => {
  t.match(parseArguments(['--audit', '--require-signed']), { name: 'audit' });
  t.match(parseArguments(['audit', '--json']), { name: 'audit' });
  t.match(usageText(), '--audit');
  t.end();
});

t.test('help is asked for in the usual ways', (t) => {
  for (const args of [[], ['--help'], ['-h'], ['help']])
    t.same(parseArguments(args), { name: 'help', about: undefined });
  t.same(parseArguments(['load', '--help']), { name: 'help', about: 'load' }, 'without what load needs');
  t.same(parseArguments(['help', 'swap']), { name: 'help', about: 'swap' });
  for (const command of COMMANDS) {
    t.match(usageText(), `  ${command} `, 'the overview names it');
    t.match(usageText(command), `outrigger bpf ${command}: `);
    t.match(usageText(command), '--json');
  }
  t.end();
});

t.test('what cannot be used is refused with what would be right', (t) => {
  const wrong: readonly [readonly string[], RegExp][] = [
    [['lood'], /no command lood: there are status, load/],
    [['status', '--verbose'], /status does not know --verbose: it takes --name, --bpffs, --json$/],
    [['status', 'x'], /status does not know x/],
    [[...load, '-p', '1'], /load does not know -p: .*istio-iptables stand behind --$/],
    [['load', '--name', 'a'], /--cgroup is needed/],
    [['load', '--name'], /--name needs a value: NAME/],
    [['load', '--name='], /--name needs a value/],
    [['status', '--json=1'], /--json takes no value/],
    [['status', '--json', '--json'], /given twice/],
    [['status', '--', '-p', '1'], /takes no settings of redirection/],
    [[...load, '--settings', 'f', '--', '-p', '1'], /not from both/],
  ];
  for (const [args, message] of wrong) {
    t.throws(() => parseArguments(args), { message }, args.join(' '));
  }
  t.end();
});

t.test('counts are whole numbers from one on', (t) => {
  const events = (count: string) => {
    const command = parseArguments(['events', '--cgroup', '/a', '--count', count]);
    if (command.name === 'help') throw new Error('not help');
    return countOf(command, 'count', 9);
  };
  t.equal(events('3'), 3);
  for (const count of ['0', '-1', '1.5', 'x', '9'.repeat(12)]) t.throws(() => events(count), /whole number/);
  t.end();
});

t.test('the ring of events has one of the sizes that it can have', (t) => {
  const bytes = (...ring: readonly string[]) => {
    const command = parseArguments(['events', '--cgroup', '/a', ...ring]);
    if (command.name === 'help') throw new Error('not help');
    return ringBytesOf(command);
  };
  t.equal(bytes(), undefined);
  t.equal(bytes('--ring-mib', '8'), 8_388_608);
  for (const size of ['0', '3', '08', '128', '4MiB'])
    t.throws(() => bytes(`--ring-mib=${size}`), {
      message: `--ring-mib ${size}: one of 1, 2, 4, 8, 16, 32, 64 is needed`,
    });
  t.end();
});

t.test('no arguments make the reader fail in another way than saying what is wrong', (t) => {
  const word = fc.oneof(fc.string(), fc.constantFrom(...COMMANDS, '--', '--json', '--name', '--name=x', '--cgroup'));
  fc.assert(
    fc.property(fc.array(word, { maxLength: 8 }), (args) => {
      try {
        parseArguments(args);
      } catch (error) {
        t.ok(error instanceof UsageError, String(error));
      }
    }),
    { numRuns: 500 },
  );
  t.end();
});
