import t from 'tap';
import { BpfObject } from '../../native/bpf-object.ts';
import { gatherWarnings } from '../../native/libbpf-warnings.ts';
import { bpfSkipReason } from '../support/bpf-environment.ts';

const hasLibrary = { skip: bpfSkipReason('libbpf') ?? false };

t.test('what libbpf warns of is text, with its values in place', hasLibrary, (t) => {
  const warnings: string[] = [];
  const outcome = gatherWarnings(warnings, () => BpfObject.open(Buffer.from('no object'), 'name'));
  t.type(outcome, 'number');
  t.equal(warnings.length, 1);
  t.match(warnings[0], /^elf: '[0-9a-z]+' is not a proper ELF object$/);
  t.end();
});

t.test('a long one is cut off', hasLibrary, (t) => {
  const warnings: string[] = [];
  gatherWarnings(warnings, () => BpfObject.open(Buffer.from('no object'), 'n'.repeat(10_000)));
  t.matchOnly(warnings, [/^elf: 'n{4000,4096}$/]);
  t.end();
});

t.test('nothing is gathered afterwards, also when the call throws', hasLibrary, (t) => {
  const warnings: string[] = [];
  t.throws(() =>
    gatherWarnings(warnings, () => {
      throw new Error('on the way');
    }),
  );
  BpfObject.open(Buffer.from('no object'), 'name');
  t.same(warnings, []);
  t.end();
});
