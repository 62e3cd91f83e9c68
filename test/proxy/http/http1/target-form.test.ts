import t from 'tap';
import { readTarget } from '../../../../proxy/http/http1/target-form.ts';
import { RequestHead } from '../../../../proxy/http/message.ts';

const options = { allowAbsoluteUrl: true, rejectPathWithFragment: true };

function read(method: string, target: string, given = options): string {
  const head = Object.assign(new RequestHead(), { method });
  const error = readTarget(target, head, given);
  return error === null ? `${head.scheme} ${head.authority} ${head.path}` : error.details;
}

t.test('every form becomes scheme, authority and path', async (t) => {
  const forms = [
    ['GET', '/a?b', 'http  /a?b'],
    ['GET', 'http://h', 'http h /'],
    ['GET', 'HTTPS://h:8443/a?b', 'https h:8443 /a?b'],
    ['GET', 'http://h?b', 'http h /?b'],
    ['GET', 'http://[::1]:80/', 'http [::1]:80 /'],
    ['OPTIONS', '*', 'http  *'],
    ['OPTIONS', 'http://h', 'http h *'],
    ['CONNECT', 'h:443', 'http h:443 '],
    ['CONNECT', '[::1]:443', 'http [::1]:443 '],
  ] as const;
  for (const [method, target, expected] of forms) t.equal(read(method, target), expected, target);
});

t.test('what is none of them is refused', async (t) => {
  const targets = [
    ...['', 'a', '?q', '*a', 'ftp://h/', 'http:/h', 'http://', 'http://h:x/', 'http://u@h/', 'http://a,b/'].map(
      (target) => ['GET', target] as const,
    ),
    ['GET', '*'],
    ...['h', 'h:', ':1', '[::1]', 'http://h:1', '/', 'h:70000', 'u@h:1'].map((target) => ['CONNECT', target] as const),
  ] as const;
  for (const [method, target] of targets) t.equal(read(method, target), 'http1.invalid_url', `${method} ${target}`);
});

t.test('fragments and absolute targets are as configured', async (t) => {
  t.equal(read('GET', '/a#b'), 'path_normalization_failed');
  t.equal(read('GET', '/a#b#c', { ...options, rejectPathWithFragment: false }), 'http  /a');
  t.equal(read('GET', 'http://h/', { ...options, allowAbsoluteUrl: false }), 'absolute_path_rejected');
});
