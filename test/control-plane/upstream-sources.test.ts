import t from 'tap';
import { parseControlPlaneFlags } from '../../control-plane/flags.ts';
import { UpstreamSources } from '../../control-plane/upstream-sources.ts';

function sourcesOf(...upstreams: readonly string[]) {
  const args = ['--dir', 'd', '--listen', 'unix:l', ...upstreams.flatMap((upstream) => ['--upstream', upstream])];
  const lines: string[] = [];
  const log = (line: string) => lines.push(line);
  return {
    lines,
    sources: new UpstreamSources({ flags: parseControlPlaneFlags(args)!, origin: 'o', log, onChange: () => {} }),
  };
}

t.test('without upstreams everything is ready', async (t) => {
  const { sources } = sourcesOf();
  t.ok(sources.isReady);
  t.same(sources.statements(), []);
});

t.test('an upstream that cannot be reached is named on the console, and its state in the status', async (t) => {
  const { sources, lines } = sourcesOf('east=127.0.0.1:1');
  t.teardown(() => sources.stop());
  sources.start();
  t.notOk(sources.isReady);
  while (lines.length === 0) await new Promise((resolve) => setImmediate(resolve));
  t.match(lines[0], /^upstream east: .*127\.0\.0\.1:1/);
  t.match(sources.statuses(), [{ name: 'east', target: '127.0.0.1:1', connection: { kind: 'waiting' } }]);
});
