import fc from 'fast-check';
import t from 'tap';
import { readVerifierLog, shortLog, verifierFailure } from '../../../bpf/loader/verifier-log.ts';
import { BpfObject } from '../../../native/bpf-object.ts';
import { bpfSkipReason } from '../../support/bpf-environment.ts';
import { compiled } from '../../support/tiny-object.ts';

const LOG = `or_connect4:
0: R1=ctx() R10=fp0
; int or_connect4(struct bpf_sock_addr *ctx) @ outbound.bpf.c:109
0: (bf) r6 = r1                       ; R1=ctx() R6_w=ctx()
; struct original *known = bpf_sk_storage_get(&sk_orig, ctx->sk, 0, 0); @ outbound.bpf.c:112
1: (79) r2 = *(u64 *)(r6 +64)         ; R2_w=sock_or_null(id=1)
2: (85) call bpf_sk_storage_get#107
R2 type=sock_or_null expected=sock_common, sock, tcp_sock, xdp_sock, ptr_, trusted_ptr_
processed 3 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
`;
const REASON = 'R2 type=sock_or_null expected=sock_common, sock, tcp_sock, xdp_sock, ptr_, trusted_ptr_';
const SOURCE = 'outbound.bpf.c:112 `struct original *known = bpf_sk_storage_get(&sk_orig, ctx->sk, 0, 0);`';

t.test('the reason comes first, then the program and the line of C', (t) => {
  t.match(readVerifierLog(LOG), { reason: REASON, program: 'or_connect4', source: SOURCE });
  t.same(verifierFailure('outbound', LOG), {
    reason: `the kernel's verifier refuses or_connect4 of outbound: ${REASON}, at ${SOURCE}`,
    verifierLog: LOG,
  });
  t.same(shortLog(LOG).slice(0, 2), [REASON, `  in or_connect4, ${SOURCE}`]);
  t.equal(shortLog(LOG).at(-1), '    2: (85) call bpf_sk_storage_get#107');
  t.end();
});

t.test('a long walk is cut to its end, which belongs to the program that was refused', (t) => {
  const walk = Array.from({ length: 5_000 }, (_, index) => `${index}: (07) r1 += 1`);
  const log = ['or_first:', ...walk, 'or_second:', '0: (95) exit', 'R0 !read_ok', 'processed 1 insns'].join('\n');
  t.same(readVerifierLog(log), { reason: 'R0 !read_ok', program: 'or_second', steps: ['0: (95) exit'] });
  t.equal(readVerifierLog([...walk, 'too long'].join('\n'))?.steps.length, 8);
  t.end();
});

t.test('a kernel that names no file has the line of C nevertheless', (t) => {
  t.equal(readVerifierLog('; return *p;\n3: (61) r0 = *(u32 *)(r1 +0)\nR1 invalid')?.source, '`return *p;`');
  t.equal(readVerifierLog(';  @ x.c:3\n3: (61) r0\nR1 invalid')?.source, 'x.c:3', 'sources that were not kept');
  t.end();
});

t.test('a log that says nothing is no reason', (t) => {
  t.equal(readVerifierLog(''), undefined);
  t.equal(readVerifierLog('or_connect4:\n0: (95) exit\nprocessed 1 insns (limit 1000000)\n'), undefined);
  t.equal(verifierFailure('outbound', '\n'), undefined);
  t.same(shortLog(''), []);
  t.end();
});

t.test('any text can be read', (t) => {
  const lines = fc.array(fc.oneof(fc.string(), fc.constantFrom(...LOG.split('\n'))));
  fc.assert(
    fc.property(lines, (lines) => {
      const read = readVerifierLog(lines.join('\n'));
      t.ok(read === undefined || lines.join('\n').includes(read.reason));
    }),
  );
  t.end();
});

const SOURCES: ReadonlyMap<string, string> = new Map([
  ['int *p = (int *)(long)((int *)ctx)[2]; return *p;', "R1 invalid mem access 'scalar'"],
  ['return *(int *)((char *)ctx + 400);', 'invalid bpf_context access off=400 size=4'],
  ['volatile int a = 0; while (1) a++; return 1;', 'infinite loop detected at insn 2'],
]);

const skip = bpfSkipReason('root', 'libbpf', 'clang') ?? false;

t.test('what this kernel says is found in its log', { skip }, (t) => {
  for (const [body, reason] of SOURCES) {
    const source = `__attribute__((section("sk_lookup"), used)) int tn_refused(void *ctx) { ${body} }
      char _license[] __attribute__((section("license"), used)) = "Dual BSD/GPL";`;
    const object = BpfObject.open(compiled(source), 'tiny');
    if (typeof object === 'number') throw new Error(`the object cannot be opened: ${object}`);
    const { verifierLog } = object.load();
    object.close();
    t.match(readVerifierLog(verifierLog), { reason, program: 'tn_refused', source: /^<stdin>:1/ }, body);
  }
  t.end();
});
