import t from 'tap';
import { type BackendName, findBackends, type IptablesBackend } from '../../../bpf/capture/iptables-backend.ts';
import type { RunProgram } from '../../../bpf/capture/iptables-program.ts';
import { isFailure } from '../../../bpf/loader/load-failure.ts';

interface Machine {
  readonly version?: string;
  /** Programs that are installed. */
  readonly programs: readonly string[];
  readonly hasLegacyTables?: boolean;
  readonly name?: BackendName;
}

/** What each back end would run to read rules; undefined where it is not looked at. */
function saves({ version = '', programs, hasLegacyTables = false, name }: Machine) {
  let ran = '';
  const run: RunProgram = (command) => {
    ran = command;
    if (!programs.includes(command)) return { status: null, stdout: '', stderr: '', error: new Error('ENOENT') };
    return { status: 0, stdout: version, stderr: '' };
  };
  const found = findBackends({ name, run, hasLegacyTables: () => hasLegacyTables });
  if (isFailure(found)) return found;
  const nameOf = (backend: IptablesBackend) => {
    backend.run('ip6tables-save', [], '');
    return `${backend.name} ${ran}`;
  };
  return { chosen: nameOf(found.chosen), ...(found.other !== undefined && { other: nameOf(found.other) }) };
}

const usual = ['iptables', 'iptables-save'];
const both = [...usual, 'iptables-nft-save', 'iptables-legacy-save'];
const [nft, legacy] = ['iptables v1.8.9 (nf_tables)', 'iptables v1.8.9 (legacy)'];

t.test('the one that iptables is here is chosen, and the other looked at where it may have rules', (t) => {
  t.same(saves({ version: nft, programs: both }), { chosen: 'nft ip6tables-save' });
  t.same(saves({ version: nft, programs: both, hasLegacyTables: true }), {
    chosen: 'nft ip6tables-save',
    other: 'legacy ip6tables-legacy-save',
  });
  t.same(saves({ version: legacy, programs: both }), {
    chosen: 'legacy ip6tables-save',
    other: 'nft ip6tables-nft-save',
  });
  t.same(saves({ version: 'iptables v1.6.1', programs: usual }), { chosen: 'legacy ip6tables-save' });
  t.end();
});

t.test('a back end that is named is used by its own programs', (t) => {
  t.same(saves({ version: nft, programs: both, name: 'legacy' }), {
    chosen: 'legacy ip6tables-legacy-save',
    other: 'nft ip6tables-save',
  });
  t.same(saves({ version: nft, programs: both, name: 'nft' }), { chosen: 'nft ip6tables-save' });
  t.same(saves({ programs: ['iptables-nft-save'], name: 'nft' }), { chosen: 'nft ip6tables-nft-save' });
  t.end();
});

t.test('without iptables there is a way out', (t) => {
  t.match(saves({ programs: [] }), { reason: 'there is no iptables here', wayOut: /install iptables/ });
  t.end();
});
