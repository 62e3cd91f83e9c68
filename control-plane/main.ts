// `outrigger control-plane`: follows a folder and serves it. A program of its own; nothing of it runs in a data plane.

import { ControlPlane } from './control-plane.ts';
import { FlagError, parseControlPlaneFlags, usage } from './flags.ts';
import { problemText } from './problem-text.ts';
import { ServedFolder } from './served-folder.ts';

run(process.argv.slice(2)).then((code) => {
  process.exitCode = code;
});

/** Exit code: 0 ended in order, 1 cannot serve, 2 the command line is wrong. */
async function run(args: readonly string[]): Promise<number> {
  try {
    const flags = parseControlPlaneFlags(args);
    if (flags === undefined) process.stdout.write(usage);
    else if (flags.isCheck) return check(flags.folder, flags.upstreams.length > 0);
    else await serve(new ControlPlane(flags, log));
    return 0;
  } catch (error) {
    log(`${(error as Error).message}`);
    if (error instanceof FlagError) return 2;
    return 1;
  }
}

function check(folder: string, hasUpstreams: boolean): number {
  const served = new ServedFolder({ folder, hasUpstreams });
  served.refresh();
  for (const problem of served.problems) log(problemText(problem));
  return served.problems.length === 0 ? 0 : 1;
}

async function serve(controlPlane: ControlPlane): Promise<void> {
  const asked = new Promise<void>((resolve) => {
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => resolve());
  });
  await controlPlane.start();
  await asked;
  await controlPlane.close();
}

function log(line: string): void {
  process.stderr.write(`control-plane: ${line}\n`);
}
