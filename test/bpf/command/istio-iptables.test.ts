import fc from 'fast-check';
import t from 'tap';
import { readIstioFlags } from '../../../bpf/capture/istio-flags.ts';
import { readIstioIptables } from '../../../bpf/command/istio-iptables.ts';
import { noItems } from '../../support/empty-patterns.ts';
import { onlyItems } from '../../support/only-items.ts';

/** What an injector writes for istio-init. */
const injected = [
  ...['-p', '15001', '-z', '15006', '-u', '1337', '-m', 'REDIRECT', '-i', '*', '-x', '', '-b', '*'],
  ...['-d', '15090,15021,15020', '--log_output_level=default:info'],
];
const settingsOf = (args: readonly string[]) =>
  readIstioFlags({ flags: readIstioIptables(args).istioFlags, environment: {}, resolvConf: '' });

t.test('what an injector writes is understood', (t) => {
  t.match(readIstioIptables(injected), { name: 'apply', isDryRun: false, backend: undefined });
  t.match(settingsOf(injected), {
    kind: 'settings',
    settings: {
      outbound: { port: 15_001 },
      inbound: { port: 15_006 },
      proxy: { uids: onlyItems(1337), gids: onlyItems(1337) },
    },
  });
  const { settings } = settingsOf(injected) as {
    settings: { inbound: { excludePorts: readonly { first: number }[] } };
  };
  t.same(
    settings.inbound.excludePorts.map(({ first }) => first),
    [15_008, 15_090, 15_021, 15_020],
  );
  t.end();
});

t.test('how istio-iptables writes its log and calls iptables is passed over', (t) => {
  const words = ['--log_as_json', '--log_target', 'stdout', '--force-apply', '-q', '80', '--log_caller=x', '-o', '81'];
  t.same(readIstioIptables(words).istioFlags, ['-q', '80', '-o', '81']);
  t.equal(readIstioIptables(['--native-nftables']).backend, 'nft');
  t.equal(readIstioIptables(['--native-nftables=false']).backend, undefined);
  t.end();
});

t.test('rules of the CNI plugin are tried out, and not made', (t) => {
  t.match(readIstioIptables(injected), { skipsRules: false, validation: undefined });
  const cni = readIstioIptables([...injected, '--run-validation', '--skip-rule-apply']);
  t.match(cni, { skipsRules: true, validation: { probePort: 15_002, timeoutMs: 5000 } });
  t.same(cni.istioFlags, readIstioIptables(injected).istioFlags);
  const words = [
    '--run-validation=true',
    '--iptables-probe-port',
    '7',
    '--probe-timeout=200ms',
    '--skip-rule-apply=false',
  ];
  t.match(readIstioIptables(words), {
    skipsRules: false,
    validation: { probePort: 7, timeoutMs: 200 },
    istioFlags: noItems,
  });
  for (const wrong of [
    '--iptables-probe-port=0',
    '--iptables-probe-port=x',
    '--probe-timeout=5',
    '--probe-timeout=1d',
  ]) {
    t.throws(
      () => readIstioIptables(['--run-validation', wrong]),
      { message: /is a port, and --probe-timeout/ },
      wrong,
    );
  }
  t.end();
});

t.test('what has another meaning is refused by name', (t) => {
  for (const flag of ['--cleanup-only', '--unheard-of', '--istio-inbound-tproxy-mark=1']) {
    t.match(
      settingsOf([...injected, flag]),
      { kind: 'problems', problems: onlyItems({ path: flag.split('=')[0] }) },
      flag,
    );
  }
  t.end();
});

t.test('no flag with a meaning is lost, whatever stands between', (t) => {
  const noise = fc.constantFrom(['--log_output_level', 'all:debug'], ['--log_as_json'], ['--force-apply']);
  const flag = fc.tuple(fc.constantFrom('-q', '-o', '-d'), fc.stringMatching(/^[0-9]{1,4}$/));
  fc.assert(
    fc.property(fc.array(fc.oneof(noise, flag)), (words) => {
      const kept = words.filter(([first]) => !first!.startsWith('--')).flat();
      t.same(readIstioIptables(words.flat()).istioFlags, kept);
    }),
    { seed: 1 },
  );
  t.end();
});
