import t from 'tap';
import { parseFlags } from '../../../proxy/command/flags.ts';
import { readRequestArguments } from '../../../proxy/command/request.ts';
import { requestedUsage } from '../../../proxy/command/sidecar-usage.ts';
import { readWaitArguments } from '../../../proxy/command/wait.ts';

t.test('each program of a pod tells what it takes, wherever help is asked for', (t) => {
  for (const program of ['sidecar', 'wait', 'request']) {
    t.match(requestedUsage([program, '--help']), new RegExp(`^outrigger ${program} `), program);
    t.match(requestedUsage([program, '--some=thing', '-h']), new RegExp(`^outrigger ${program} `), program);
    t.equal(requestedUsage([program, '--some=thing']), undefined, program);
  }
  t.match(requestedUsage(['proxy', 'sidecar', '--help']), /^outrigger sidecar /, 'as the injector calls it');
  t.equal(requestedUsage(['-c', 'bootstrap.yaml', '--help']), undefined, 'the proxy has a help of its own');
  t.equal(parseFlags(['-c', 'bootstrap.yaml', '--help']).mode, 'help');
  t.end();
});

t.test('what it tells is taken', (t) => {
  const flags = requestedUsage(['wait', '--help'])!.match(/--\w+/g)!;
  const values = flags.map((flag) => `${flag}=${flag === '--url' ? 'http://localhost/' : 7}`);
  t.match(readWaitArguments(values), { timeoutMs: 7000, requestTimeoutMs: 7, periodMs: 7 });
  for (const port of requestedUsage(['request', '--help'])!.match(/\b15\d{3}\b/g)!) {
    t.equal(readRequestArguments(['--debug-port', port, 'GET', 'ready']).port, Number(port));
  }
  t.end();
});
