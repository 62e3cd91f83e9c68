import { spawnSync } from 'node:child_process';
import { connect } from 'node:net';
import t from 'tap';
import { freePorts } from '../../../bench/peers/free-ports.ts';
import { validateRedirection } from '../../../bpf/command/validation.ts';
import { bpfSkipReason } from '../../support/bpf-environment.ts';
import { programFile } from '../../support/program-file.ts';
import { rulesProblem } from '../../support/redirection-rules.ts';

const skip = bpfSkipReason('root', 'namespaces') ?? rulesProblem() ?? false;
const main = programFile('bpf/main.ts');

/** As the container of Istio's injector, in a network of its own where these commands were run before. */
function validate(timeout: string, ...before: readonly string[]) {
  const flags = `-p 15001 -z 15006 -u 1337 --run-validation --skip-rule-apply --probe-timeout ${timeout}`;
  const program = `"${process.execPath}" "${main}" istio-iptables ${flags}`;
  const script = ['ip link set lo up', ...before, program].join(' && ');
  const { status, stdout, stderr } = spawnSync('unshare', ['--net', 'sh', '-c', script], { encoding: 'utf8' });
  return [status, stdout + stderr];
}

t.test('what arrives at a port of the proxy was redirected', { skip }, async (t) => {
  const rule = 'iptables -t nat -A OUTPUT -o lo -d 127.0.0.6 -p tcp ! --dport 15008 -j REDIRECT --to-ports 15006';
  t.same(validate('20s', rule), [0, 'connections arrive at ports 15001 and 15006\n']);
});

t.test('without rules it ends as the plugin’s repair expects it', { skip }, async (t) => {
  t.matchOnly(validate('300ms'), [126, /not redirected: no connection arrived within 300 ms/]);
});

t.test('somebody else’s connection is none of ours, and ports that are taken are said', async (t) => {
  const [port = 0, probePort = 0] = await freePorts(2);
  const outcome = validateRedirection({ family: 4, ports: [port], probePort, timeoutMs: 300 });
  const stranger = connect({ host: '127.0.0.1', port });
  stranger.on('error', () => stranger.destroy());
  t.equal(await outcome, 'no connection arrived within 300 ms');
  const first = validateRedirection({ family: 4, ports: [port], probePort, timeoutMs: 300 });
  t.match(
    await validateRedirection({ family: 4, ports: [port], probePort, timeoutMs: 300 }),
    `ports ${port} are taken`,
  );
  await first;
});
