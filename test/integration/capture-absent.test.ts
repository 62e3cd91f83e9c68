// A proxy that is not asked to capture pays nothing for it.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import t from 'tap';
import { startSidecar } from '../support/sidecar.ts';

// Each test starts a process, which takes seconds on a busy machine.
t.setTimeout(900_000);

const ROOT = join(import.meta.dirname, '../..');

t.test('what every start reads has no file of bpf/ and does not call libbpf', async (t) => {
  for (const entry of ['proxy/main.ts', 'proxy/worker/main.ts']) {
    const { metafile } = await build({
      entryPoints: [join(ROOT, entry)],
      absWorkingDir: ROOT,
      bundle: true,
      write: false,
      metafile: true,
      platform: 'node',
      // Each is a file of its own in dist/.
      external: ['koffi', '@*', '*/capture-opening.ts', '*/shortcut-exit.ts'],
      outfile: 'unused.cjs',
      format: 'esm',
    });
    const files = Object.keys(metafile.inputs);
    t.ok(files.includes(entry));
    t.same(
      files.filter((file) => file.startsWith('bpf/') || /^native\/(libbpf|bpf-)/.test(file)),
      [],
      entry,
    );
  }
});

t.test('a proxy without --capture has not loaded libbpf, and says that it redirects nothing', async (t) => {
  const sidecar = await startSidecar(t, { bootstrap: { static_resources: {} } });
  t.notMatch(readFileSync(`/proc/${sidecar.process.pid}/maps`, 'utf8'), 'libbpf');
  t.match(await sidecar.admin('/capture'), /^Nothing is redirected/);
  t.equal(await sidecar.admin('/ready'), 'LIVE\n');
});
