import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import t from 'tap';

const module = join(import.meta.dirname, '../../../proxy/command/inlining.ts');

// A function of some 900 bytes of bytecode: more than V8 inlines by itself. V8 tells what it may inline.
const program = (before: string): string => `
  ${before}
  const sums = Array.from({ length: 60 }, (_, index) => 'sum = (sum + value * ' + (index + 1000) + ') | 0;').join('');
  const large = new Function('value', 'let sum = 0;' + sums + 'return sum;');
  const caller = new Function('large', 'value', 'return large(value) + 1;');
  %PrepareFunctionForOptimization(large);
  %PrepareFunctionForOptimization(caller);
  for (let count = 0; count < 100; count++) caller(large, count);
  %OptimizeFunctionOnNextCall(caller);
  caller(large, 1);
`;

function inlinedCalls(before: string): number {
  const flags = ['--allow-natives-syntax', '--trace-turbo-inlining', '--no-maglev', '--single-threaded'];
  const args = [...flags, '--input-type=module', '-e', program(before)];
  const output = execFileSync(process.execPath, args, { encoding: 'utf8' });
  return output.split('\n').filter((line) => line.startsWith('- candidate: ')).length;
}

t.test('a function beyond the limits of V8 is inlined from then on', async (t) => {
  const raise = `const { raiseInliningLimits } = await import(${JSON.stringify(module)}); raiseInliningLimits();`;
  t.equal(inlinedCalls(''), 0);
  t.ok(inlinedCalls(raise) > 0);
});
