import t from 'tap';
import { meantByWord, nearestOption } from '../../../proxy/command/option-names.ts';

const options = ['-c', '--config-path', '--config-yaml', '--log-level', '--timeoutSeconds', '--periodMillis', '--url'];

t.test('an option is found by its beginning, by letters that are wrong, or by both', async (t) => {
  for (const [written, meant] of [
    ['--config', '--config-path'],
    ['-config', '--config-path'],
    ['--config_yaml', '--config-yaml'],
    ['--lug-level', '--log-level'],
    ['--timeout', '--timeoutSeconds'],
    ['--tmeout', '--timeoutSeconds'],
    ['--period', '--periodMillis'],
    ['--URL', '--url'],
    ['--frobnicate', undefined],
    ['-x', undefined],
    ['--', undefined],
  ] as const) {
    t.equal(nearestOption(written, options), meant, written);
  }
});

t.test('a word is a program, another way to say what an option says, or a file', async (t) => {
  for (const [written, meant] of [
    ['waitt', 'wait'],
    ['side-car', 'sidecar'],
    ['validate', '--mode validate -c FILE'],
    ['verison', '--version'],
    ['bootstrap.yaml', '-c bootstrap.yaml'],
    ['etc/config', '-c etc/config'],
    ['frobnicate', undefined],
  ] as const) {
    t.equal(meantByWord(written), meant, written);
  }
});
