import t from 'tap';
import {
  hasOurs,
  istioChains,
  type ProgramOutcome,
  readTables,
  rulesIn,
  runProgram,
  writeTable,
} from '../../../bpf/capture/iptables-program.ts';

const table = `*nat
:PREROUTING ACCEPT [0:0]
:OUTPUT ACCEPT [1:2]
:OUTRIGGER_OUTPUT - [0:0]
:OUTRIGGER_OLD - [0:0]
:DOCKER - [0:0]
[5:300] -A OUTPUT -j OUTRIGGER_OUTPUT
[0:0] -A OUTPUT -d 10.0.0.1/32 -j DOCKER
[7:420] -A OUTRIGGER_OUTPUT -p tcp -j REDIRECT --to-ports 15001
COMMIT
`;

const succeeds: ProgramOutcome = { status: 0, stdout: '', stderr: '' };

t.test('a change takes back our jumps, empties our chains and leaves the rest', (t) => {
  const calls: unknown[] = [];
  const run = (...call: unknown[]) => {
    calls.push(call);
    return succeeds;
  };
  t.equal(writeTable(4, { table, rules: ['-A OUTPUT -j OUTRIGGER_OUTPUT'] }, run), undefined);
  t.same(calls, [
    [
      'iptables-restore',
      ['--noflush', '--wait=5'],
      [
        '*nat',
        ':OUTRIGGER_OUTPUT - [0:0]',
        ':OUTRIGGER_OLD - [0:0]',
        ':OUTRIGGER_CAPTURE - [0:0]',
        ':OUTRIGGER_INBOUND - [0:0]',
        '-D OUTPUT -j OUTRIGGER_OUTPUT',
        '-A OUTPUT -j OUTRIGGER_OUTPUT',
        '-X OUTRIGGER_OLD',
        'COMMIT',
        '',
      ].join('\n'),
    ],
  ]);
  t.end();
});

t.test('without rules our chains go, and nothing else', (t) => {
  let input = '';
  writeTable(6, { table, rules: [], isTest: true }, (program, args, text) => {
    t.same([program, args], ['ip6tables-restore', ['--noflush', '--wait=5', '--test']]);
    input = text;
    return succeeds;
  });
  t.same(input.split('\n'), [
    '*nat',
    ':OUTRIGGER_OUTPUT - [0:0]',
    ':OUTRIGGER_OLD - [0:0]',
    '-D OUTPUT -j OUTRIGGER_OUTPUT',
    '-X OUTRIGGER_OUTPUT',
    '-X OUTRIGGER_OLD',
    'COMMIT',
    '',
  ]);
  t.end();
});

t.test('a table is read with its counters', (t) => {
  t.same(rulesIn(table)[2], {
    chain: 'OUTRIGGER_OUTPUT',
    target: 'REDIRECT',
    packets: 7,
    rule: '-A OUTRIGGER_OUTPUT -p tcp -j REDIRECT --to-ports 15001',
  });
  t.ok(hasOurs(table));
  t.notOk(hasOurs(':DOCKER - [0:0]'));
  t.same(istioChains(':ISTIO_OUTPUT - [0:0]\n:ISTIO_REDIRECT - [0:0]\n:OUTPUT ACCEPT [0:0]'), [
    'ISTIO_OUTPUT',
    'ISTIO_REDIRECT',
  ]);
  t.end();
});

t.test('tables are read in one go and by no name, and one that is not there is empty', (t) => {
  const filter = '*filter\n:OUTRIGGER_NOT - [0:0]\nCOMMIT\n';
  const zones = '*raw\n:OUTRIGGER_DNS - [0:0]\nCOMMIT\n';
  const saved = (stdout: string) =>
    readTables(6, (program, args) => {
      t.same([program, ...args], ['ip6tables-save', '-c']);
      return { ...succeeds, stdout };
    });
  t.same(saved(`# made\n${zones}# made\n${filter}${table}`), { nat: table, raw: zones });
  t.same(saved(`${filter}${table}`), { nat: table, raw: '' });
  t.same(saved(''), { nat: '', raw: '' });
  t.end();
});

t.test('failures are sentences with a way out', (t) => {
  const failing = (outcome: Partial<ProgramOutcome>) => readTables(4, () => ({ ...succeeds, status: 4, ...outcome }));
  const notThere = Object.assign(new Error('spawn'), { code: 'ENOENT' });
  t.match(failing({ error: notThere }), {
    reason: 'cannot read the rules of IPv4: there is no iptables-save here',
    wayOut: /install iptables/,
  });
  t.match(failing({ stderr: 'Fatal: Permission denied (you must be root)\nmore' }), {
    reason: /iptables-save says Fatal: Permission denied \(you must be root\)$/,
    wayOut: /CAP_NET_ADMIN/,
  });
  t.match(failing({}), { reason: /says nothing and ends with 4/ });
  t.end();
});

t.test('tables of others may be large: all that a program prints is read', (t) => {
  const outcome = runProgram(process.execPath, ['-e', "process.stdout.write('x'.repeat(8_000_000))"], '');
  t.equal(outcome.error, undefined);
  t.same([outcome.status, outcome.stdout.length], [0, 8_000_000]);
  t.end();
});
