import t from 'tap';
import { readProgramOptions } from '../../../proxy/command/program-options.ts';

const read = (...args: string[]) =>
  readProgramOptions({ subject: 'the arguments', args, names: ['url', 'timeoutSeconds'], allowsPositionals: false });

t.test('values come with their option or behind it, and the last one counts', async (t) => {
  t.same(read('--url=a=b', '--timeoutSeconds', '1', '--timeoutSeconds=2').values, { url: 'a=b', timeoutSeconds: '2' });
  const options = { subject: '', args: ['GET', '--url', 'x', 'path'], names: ['url'], allowsPositionals: true };
  t.same(readProgramOptions(options), { values: { url: 'x' }, positionals: ['GET', 'path'] });
});

t.test('everything that is wrong is told at once, each with what would be right', async (t) => {
  t.throws(() => read('--tmeout', 'x', '-z', '--url'), {
    message: [
      'the arguments: 4 problems',
      '  --tmeout: there is no such option; did you mean --timeoutSeconds?',
      '  x: is no option: there are --url, --timeoutSeconds',
      '  -z: there is no such option; there are --url, --timeoutSeconds',
      '  --url: needs a value',
    ].join('\n'),
  });
});
