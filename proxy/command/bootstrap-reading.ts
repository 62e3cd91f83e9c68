// The bootstrap that the arguments name, or the end of the process with everything that is wrong with it.

import { type LoadedBootstrap, loadBootstrap } from '../../xds/bootstrap-file.ts';
import { describeConfigError } from './control-plane.ts';
import type { Flags } from './flags.ts';

export function readBootstrapOf(flags: Flags): LoadedBootstrap {
  try {
    return loadBootstrap({
      allowUnknownFields: flags.allowUnknownStaticFields,
      ...(flags.configPath === undefined ? {} : { path: flags.configPath }),
      ...(flags.configYaml === undefined ? {} : { yaml: flags.configYaml }),
      overrides: {
        offersUws: flags.engine === 'uws',
        ...(flags.serviceNode === undefined ? {} : { nodeId: flags.serviceNode }),
        ...(flags.serviceCluster === undefined ? {} : { nodeCluster: flags.serviceCluster }),
        ...(flags.serviceZone === undefined ? {} : { zone: flags.serviceZone }),
      },
    });
  } catch (error) {
    endWithConfigError(error);
  }
}

/** Throws what is no problem of a configuration. */
export function endWithConfigError(error: unknown): never {
  process.stderr.write(`outrigger: ${describeConfigError(error)}\n`);
  process.exit(1);
}
