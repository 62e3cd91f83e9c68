import fc from 'fast-check';
import t from 'tap';
import {
  IPTABLES_COMMANDS,
  IPTABLES_USAGE,
  IptablesUsageError,
  parseIptablesArguments,
} from '../../../bpf/command/iptables-arguments.ts';
import { noItems } from '../../support/empty-patterns.ts';

t.test('own flags stand before --, those of istio-iptables behind it', (t) => {
  t.same(
    parseIptablesArguments(['apply', '--dry-run', '--backend=legacy', '--annotations', 'f', '--', '-x', '--json']),
    {
      name: 'apply',
      isJson: false,
      isDryRun: true,
      backend: 'legacy',
      settings: undefined,
      annotations: 'f',
      istioFlags: ['-x', '--json'],
    },
  );
  t.match(parseIptablesArguments(['show', '--json']), { name: 'show', isJson: true, istioFlags: noItems });
  t.end();
});

t.test('help is asked for in the usual ways', (t) => {
  for (const args of [[], ['--help'], ['-h'], ['help'], ['apply', '--help']])
    t.equal(parseIptablesArguments(args), undefined);
  t.not(parseIptablesArguments(['apply', '--', '-h']), undefined, 'what stands behind -- is for others');
  for (const command of IPTABLES_COMMANDS) t.match(IPTABLES_USAGE, `  ${command} `);
  t.end();
});

t.test('what cannot be used is refused with what would be right', (t) => {
  const wrong: readonly [readonly string[], RegExp][] = [
    [['aply'], /no command aply: there are apply, clean, show/],
    [['apply', '--dryrun'], /--dryrun/],
    [['apply', 'x'], /'x'/],
    [['apply', '-p', '1'], /-p/],
    [['apply', '--backend', 'bpf'], /--backend bpf: nft or legacy is needed/],
    [['apply', '--settings'], /--settings/],
    [['apply', '--settings', 'f', '--annotations', 'g'], /not from both/],
    [['apply', '--settings', 'f', '--', '-p', '1'], /not from both/],
    [['clean', '--dry-run'], /clean takes --backend and --json alone/],
    [['show', '--', '-p', '1'], /show takes/],
  ];
  for (const [args, message] of wrong) t.throws(() => parseIptablesArguments(args), { message }, args.join(' '));
  t.end();
});

t.test('no command line does anything but be taken or refused', (t) => {
  const words = fc.constantFrom(...IPTABLES_COMMANDS, '--', '--json', '--dry-run', '--backend', 'nft', '-p', '=', '');
  fc.assert(
    fc.property(fc.array(fc.oneof(words, fc.string())), (args) => {
      try {
        parseIptablesArguments(args);
      } catch (error) {
        if (!(error instanceof IptablesUsageError)) throw error;
      }
    }),
  );
  t.end();
});
