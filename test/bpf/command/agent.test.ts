import { existsSync } from 'node:fs';
import t from 'tap';
import { agent } from '../../../bpf/command/agent.ts';
import { parseArguments } from '../../../bpf/command/arguments.ts';
import { bpfSkipReason, temporaryBpffs } from '../../support/bpf-environment.ts';
import { shortPath } from '../../support/node-agent.ts';

const skip = bpfSkipReason('root', 'cgroup2', 'libbpf', 'objects', 'bpffs') ?? false;

t.test('an agent serves until a signal, and is asked meanwhile', { skip }, async (t) => {
  const socket = shortPath(t);
  const running = run('--socket', socket, '--bpffs', temporaryBpffs(t), '--json');
  t.match(await run('--socket', socket, '--is-ready'), { exitCode: 0, text: `the agent at ${socket} serves\n` });
  t.match(await run('--socket', socket), { exitCode: 1, text: /another agent serves/ });
  process.emit('SIGTERM');
  t.match(await running, { exitCode: 0 });
  t.notOk(existsSync(socket), 'its socket is gone');
  t.match(await run('--socket', socket, '--is-ready'), { exitCode: 1, text: /cannot be reached/ });
});

t.test('what is missing is told with the way out', { skip }, async (t) => {
  const folder = t.testdir({});
  t.match(await run('--socket', shortPath(t), '--objects', folder), { exitCode: 1, text: /manifest\.json/ });
  t.match(await run('--socket', shortPath(t), '--cgroup-root', folder), { exitCode: 1, text: /--cgroup-root/ });
});

function run(...flags: readonly string[]) {
  const command = parseArguments(['agent', ...flags]);
  if (command.name === 'help') throw new Error('not help');
  return agent(command);
}
