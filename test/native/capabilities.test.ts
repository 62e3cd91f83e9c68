import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { Capability, capabilitiesOf, effectiveCapabilities } from '../../native/capabilities.ts';
import { bpfSkipReason } from '../support/bpf-environment.ts';

const NAMES = Object.keys(Capability) as (keyof typeof Capability)[];

function status(effective: string): string {
  return `Name:\tnode\nCapInh:\tffffffffffffffff\nCapPrm:\tffffffffffffffff\nCapEff:\t${effective}\nCapBnd:\tffffffffffffffff\n`;
}

t.test('the effective set is read, not one of the others', (t) => {
  t.same([...capabilitiesOf(status('0000000000000000'))], []);
  t.same([...capabilitiesOf(status('0000008000001000'))], ['CAP_NET_ADMIN', 'CAP_BPF']);
  t.same([...capabilitiesOf(status('000001ffffffffff'))], NAMES);
  t.end();
});

t.test('a text without the line, or with another in its place, has none', (t) => {
  for (const text of ['', 'CapEff:', 'CapEff:\tzz', 'CapEff:\t0x10', 'CapEff:\tfffffffffffffffff', ' CapEff:\tffff'])
    t.same([...capabilitiesOf(text)], [], JSON.stringify(text));
  t.end();
});

t.test('every set of capabilities is read as it was written', (t) => {
  fc.assert(
    fc.property(fc.subarray(NAMES), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (names, others) => {
      const known = NAMES.reduce((bits, name) => bits | (1n << BigInt(Capability[name])), 0n);
      const bits = names.reduce((sum, name) => sum | (1n << BigInt(Capability[name])), others & ~known);
      t.strictSame([...capabilitiesOf(status(bits.toString(16).padStart(16, '0')))], names);
    }),
    { seed: 6, numRuns: 50 },
  );
  t.end();
});

t.test('they go with the user', { skip: bpfSkipReason('root') ?? false }, (t) => {
  t.ok(effectiveCapabilities().has('CAP_NET_ADMIN'), 'root has them');
  const file = join(import.meta.dirname, '../../native/capabilities.ts');
  const program = `
    import { effectiveCapabilities } from ${JSON.stringify(file)};
    process.setuid(65534);
    console.log(JSON.stringify([...effectiveCapabilities()]));
  `;
  const output = execFileSync(process.execPath, ['--input-type=module', '--eval', program], { encoding: 'utf8' });
  t.same(JSON.parse(output), []);
  t.end();
});
