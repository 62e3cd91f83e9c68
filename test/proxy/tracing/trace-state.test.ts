import fc from 'fast-check';
import t from 'tap';
import { ParentDecision, TraceContext } from '../../../proxy/tracing/trace-context.ts';
import { readTraceState, stateText, writeTraceState } from '../../../proxy/tracing/trace-state.ts';
import { linesOf, tableOf } from '../../support/header-lines.ts';

const lowRandom = '10000000000000';
const chain = 'c'.repeat(64);

/** A sampled trace with the random value 80000000000000. */
function read(...values: readonly string[]): {
  readonly context: TraceContext;
  readonly sent: () => readonly string[];
} {
  return readAs(ParentDecision.sampled, ...values);
}

function readAs(decision: ParentDecision, ...values: readonly string[]) {
  const context = new TraceContext();
  context.line.bytes.set(Buffer.from(`4bf92f3577b34da6a380000000000000`), 16);
  context.parentDecision = decision;
  context.isSampled = decision === ParentDecision.sampled;
  const headers = tableOf(...values.map((value) => `tracestate: ${value}`));
  readTraceState(headers, context);
  const sent = () => {
    writeTraceState(headers, context);
    return linesOf(headers).map((line) => line.slice('tracestate: '.length));
  };
  return { context, sent };
}

t.test('threshold, random value and other keys of OpenTelemetry are told apart', async (t) => {
  const { context, sent } = read(`a=1,ot=th:c00;rv:d0000000000000;x:Y.-_;y:,b=2`);
  t.same(
    [context.threshold, context.randomValue, context.otherOt, context.otherState],
    ['c', 'd0000000000000', 'x:Y.-_;y:', 'a=1,b=2'],
  );
  t.same(sent(), [`a=1,ot=th:c00;rv:d0000000000000;x:Y.-_;y:,b=2`], 'as it came, because it says what we would say');
});

t.test('a changed threshold moves the member to the left and keeps its other keys', async (t) => {
  const { context, sent } = read('a=1,ot=rv:d0000000000000;th:c;x:y', 'b=2');
  context.sentThreshold = 'd';
  t.same(sent(), ['ot=th:d;rv:d0000000000000;x:y,a=1,b=2']);
});

t.test('a threshold that goes takes the member along when nothing else is in it', async (t) => {
  const { context, sent } = read('a=1,ot=th:8');
  context.sentThreshold = '';
  t.same(sent(), ['a=1']);
  const alone = read('ot=th:8');
  alone.context.sentThreshold = '';
  t.same(alone.sent(), []);
});

t.test('a threshold that the decision contradicts is not known', async (t) => {
  t.equal(read('ot=th:8').context.threshold, '8');
  t.equal(read('ot=th:80000000000001').context.threshold, '');
  t.equal(readAs(ParentDecision.notSampled, 'ot=th:80000000000001').context.threshold, '80000000000001');
  t.equal(readAs(ParentDecision.notSampled, 'ot=th:8').context.threshold, '');
  t.equal(readAs(ParentDecision.absent, 'ot=th:8').context.threshold, '');
  t.equal(readAs(ParentDecision.debug, 'ot=th:8').context.threshold, '', 'debug is no matter of chance');
  t.equal(read(`ot=th:8;rv:${lowRandom}`).context.threshold, '', 'the random value that is told counts');
  t.same(read(`a=1,ot=th:8;rv:${lowRandom}`).sent(), [`ot=rv:${lowRandom},a=1`]);
});

t.test('what is wrong inside of our member leaves it, and only it', async (t) => {
  for (const [ot, kept] of [
    ['th:8;', ''],
    ['th', ''],
    ['Th:8', ''],
    ['th:8 ;x:y', ''],
    ['th:', ''],
    ['th:G', ''],
    ['th:100000000000000', ''],
    ['th:8;rv:1', 'ot=th:8,'],
    ['th:8;rv:8000000000000G', 'ot=th:8,'],
    ['th:X;x:y', 'ot=x:y,'],
  ] as const)
    t.same(read(`ot=${ot},a=1`).sent(), [`${kept}a=1`], ot);
});

t.test('of two members of OpenTelemetry the first counts', async (t) => {
  t.same(read('ot=th:8,a=1,ot=th:4').sent(), ['ot=th:8,a=1']);
});

t.test('our own member is read, and told on only with a value of ours', async (t) => {
  const { context, sent } = read(`outrigger=${chain},a=1`);
  t.equal(context.receivedChain, chain);
  t.same(sent(), ['a=1']);
  const next = read(`outrigger=${chain},a=1`);
  next.context.sentChain = 'd'.repeat(64);
  t.same(next.sent(), [`outrigger=${'d'.repeat(64)},a=1`]);
  const unkept = read(`outrigger=${chain},a=1`);
  unkept.context.sentChain = chain;
  unkept.context.isSampled = false;
  t.same(unkept.sent(), ['a=1'], 'and only with a trace that is kept');
  t.equal(read('outrigger=other').context.receivedChain, '');
});

t.test('of too many members those at the right leave', async (t) => {
  const others = Array.from({ length: 32 }, (_, index) => `k${index}=1`);
  const { context, sent } = read(others.join(','));
  context.sentThreshold = '8';
  context.sentChain = chain;
  t.same(sent(), [['ot=th:8', `outrigger=${chain}`, ...others.slice(0, 30)].join(',')]);
});

t.test('our member has 256 characters at most: its last keys leave', async (t) => {
  const long = (length: number) => `x:${'v'.repeat(length)}`;
  const { context } = read(`ot=a:b;${long(240)}`);
  context.sentThreshold = '8';
  t.equal(stateText(context), `ot=th:8;a:b;${long(240)}`);
  context.sentThreshold = '80000000000001';
  t.equal(stateText(context), 'ot=th:80000000000001;a:b');
});

const key = fc.stringMatching(/^[a-z0-9][a-z0-9_\-*/@]{0,12}$/);
const value = fc.stringMatching(/^[!-+\--<>-~]{1,12}$/);
const member = fc.tuple(key, value).map(([name, text]) => `${name}=${text}`);
const space = fc.constantFrom('', ' ', '\t', ' \t');

t.test(
  'members of others arrive in their order, whatever white space and empty members were between them',
  async () => {
    const lines = fc.array(fc.array(fc.tuple(fc.option(member, { nil: '' }), space, space), { maxLength: 6 }), {
      maxLength: 5,
    });
    fc.assert(
      fc.property(lines, (parts) => {
        const values = parts.map((line) => line.map(([text, before, after]) => before + text + after).join(','));
        const expected = parts
          .flat()
          .map(([text]) => text)
          .filter((text) => text !== '' && !/^(ot|outrigger)=/.test(text));
        const { context, sent } = read(...values);
        context.sentThreshold = '8';
        return sent().join('\n') === ['ot=th:8', ...expected].join(',');
      }),
      { seed: 5 },
    );
  },
);

t.test('whatever arrives, a right list is told on', async () => {
  const text = fc.string({ unit: fc.constantFrom(...'aot=th:8;,, \t@A\u00e9rv'), maxLength: 40 });
  const right = /^[a-z0-9][a-z0-9_\-*/@]{0,255}=[ -+\--<>-~]{0,255}[!-+\--<>-~]$/;
  fc.assert(
    fc.property(fc.array(text, { maxLength: 3 }), fc.constantFrom('', 'c'), (values, threshold) => {
      const { context, sent } = read(...values);
      context.sentThreshold = threshold;
      context.sentChain = chain;
      const members = sent().join(',').split(',');
      return members.length <= 32 && members.every((each) => right.test(each));
    }),
    { seed: 6, numRuns: 2000 },
  );
});
