import t from 'tap';
import { audit, usage } from '../../../proxy/audit/audit.ts';
import { exportOf, shopTrace, type TracedSpan, tracedSpan, traceId } from '../../support/trusted-trace.ts';

const auditOf = (spans: readonly TracedSpan[], ...flags: readonly string[]) =>
  audit([...flags, 'f'], () => exportOf(spans));

t.test('a proved trace is printed as a tree of who called whom', async (t) => {
  t.same(auditOf(shopTrace()), {
    code: 0,
    text: `trace ${traceId}
  spiffe://cluster.local/sa/web called spiffe://cluster.local/sa/cart: GET /1 (span 0000000000000001) proved
      spiffe://cluster.local/sa/web called spiffe://cluster.local/sa/cart: GET /2 (span 0000000000000002) proved
          spiffe://cluster.local/sa/cart called spiffe://cluster.local/sa/payment: GET /3 (span 0000000000000003) proved
              spiffe://cluster.local/sa/cart called spiffe://cluster.local/sa/payment: GET /4 (span 0000000000000004) proved
4 proved, 0 plain, 0 broken
`,
  });
});

t.test('a broken link is named and gives exit code 1', async (t) => {
  const { code, text } = auditOf(shopTrace().slice(1));
  t.equal(code, 1);
  t.match(text, /span 0000000000000002\) broken\n {4}! its chain goes on from a span that is not in the file/);
  t.match(text, /2 proved, 0 plain, 1 broken/);
});

t.test('plain connections count as broken unless they are allowed', async (t) => {
  const plain = [tracedSpan({ id: 1, kind: 'server', own: 'web' })];
  t.equal(auditOf(plain).code, 1);
  t.match(auditOf(plain).text, /somebody called shop: .* plain\n {4}! a plain connection: nobody proved/);
  t.equal(auditOf(plain, '--allow-plain').code, 0);
});

t.test('a file without a word of trust proves nothing', async (t) => {
  const { code, text } = auditOf([{ ...shopTrace()[0]!, attributes: new Map() }]);
  t.equal(code, 1);
  t.match(text, /^no span says who called whom/);
});

t.test('names cannot steer a terminal', async (t) => {
  const [span] = shopTrace();
  t.match(auditOf([{ ...span!, name: 'a\u001b[2Jb\nc' }]).text, /: a\?\[2Jb\?c \(span/);
});

t.test('a command line or a file that cannot be used gives exit code 2', async (t) => {
  t.same(
    audit([], () => ''),
    { code: 2, text: usage },
  );
  t.same(
    audit(['a', 'b'], () => ''),
    { code: 2, text: usage },
  );
  t.same(
    audit(['--help'], () => ''),
    { code: 0, text: usage },
  );
  t.match(
    audit(['--x', 'f'], () => ''),
    { code: 2, text: /^outrigger audit: Unknown option '--x'/ },
  );
  t.match(
    audit(['f'], () => 'nonsense'),
    { code: 2, text: 'outrigger audit: line 1 is not JSON\n' },
  );
  const missing = audit(['f'], () => {
    throw new Error('no such file');
  });
  t.same(missing, { code: 2, text: 'outrigger audit: no such file\n' });
});
