// iptables has two back ends in the kernel: tables of nf_tables, and the older ones of its own ("legacy"). A namespace can
// have rules in both, each of which is in force, and the programs of one do not show those of the other. So what puts rules
// in place, or takes them away, looks at both. https://developers.redhat.com/blog/2020/08/18/iptables-the-two-variants-and-their-relationship-with-nftables

import { existsSync, readFileSync } from 'node:fs';
import type { LoadFailure } from '../loader/load-failure.ts';
import type { RunProgram } from './iptables-program.ts';

export const BACKENDS = ['nft', 'legacy'] as const;
export type BackendName = (typeof BACKENDS)[number];

export interface IptablesBackend {
  readonly name: BackendName;
  /** Runs `iptables-save` and its kin of this back end. */
  readonly run: RunProgram;
}

export interface IptablesBackends {
  /** Where rules are made. */
  readonly chosen: IptablesBackend;
  /** The other one, where it may have rules of this network namespace. */
  readonly other?: IptablesBackend;
}

export interface BackendSearch {
  /** When absent the one that `iptables` is here. */
  readonly name?: BackendName | undefined;
  readonly run: RunProgram;
  /** Whether this network namespace has tables of the older kind. To ask its programs would make them. */
  readonly hasLegacyTables?: () => boolean;
}

export function findBackends(search: BackendSearch): IptablesBackends | LoadFailure {
  const { run, hasLegacyTables = legacyTablesHere } = search;
  const version = run('iptables', ['--version'], '');
  // Before 1.8 there was the one, and it did not say so.
  const usual = version.status !== 0 ? undefined : version.stdout.includes('(nf_tables)') ? 'nft' : 'legacy';
  const name = search.name ?? usual;
  if (name === undefined) {
    return { reason: 'there is no iptables here', wayOut: 'install iptables, or run a container whose image has it' };
  }
  const backendOf = (name: BackendName): IptablesBackend => ({ name, run: name === usual ? run : suffixed(name, run) });
  const other = backendOf(name === 'nft' ? 'legacy' : 'nft');
  const isThere =
    other.name === 'legacy' ? hasLegacyTables() : other.run('iptables-save', ['--version'], '').status === 0;
  return { chosen: backendOf(name), ...(isThere && { other }) };
}

/** `iptables-save` of one back end is `iptables-nft-save`. */
function suffixed(name: BackendName, run: RunProgram): RunProgram {
  return (command, args, input) => run(command.replace('tables-', `tables-${name}-`), args, input);
}

function legacyTablesHere(): boolean {
  return ['ip', 'ip6'].some((family) => {
    const path = `/proc/thread-self/net/${family}_tables_names`;
    return existsSync(path) && readFileSync(path, 'latin1').split('\n').includes('nat');
  });
}
