import { execFileSync } from 'node:child_process';
import t from 'tap';
import {
  clearOpensslErrors,
  declareOpenssl,
  findProblem,
  lastOpensslError,
  OpensslPart,
  opensslProblem,
  partOf,
  takeLastOpensslProblem,
  takeOpensslProblem,
} from '../../native/openssl.ts';

const newSession = declareOpenssl('uint64_t', 'SSL_new', ['uint64_t']);
const useNoKey = declareOpenssl('int', 'SSL_CTX_use_PrivateKey', ['uint64_t', 'uint64_t']);

const opensslOf = (text: string) => `OpenSSL ${text} 1 Jan 2026`;

t.test('the OpenSSL of this node is usable', (t) => {
  t.equal(opensslProblem(), undefined);
  t.end();
});

t.test('a library that was not tested is refused with its name and the way out', (t) => {
  for (const linked of [opensslOf('3.0.19'), opensslOf('3.4.9'), opensslOf('4.0.0'), 'BoringSSL', 'OpenSSL'])
    t.match(findProblem(linked, undefined), new RegExp(`TLS needs OpenSSL 3\\.5 .*"${linked}".*Node\\.js 24`));
  t.equal(findProblem(opensslOf('3.5.8'), '3.5.8'), undefined);
  t.equal(findProblem(opensslOf('3.6.0-beta1'), '3.6.0-beta1'), undefined);
  t.equal(findProblem(opensslOf('3.5.8'), '3.5.8+quic'), undefined, 'as a fork of it calls itself');
  t.end();
});

t.test('a node without its functions is refused', (t) => {
  t.match(findProblem(undefined, '3.5.8'), /does not export OpenSSL's functions: use an official build/);
  t.end();
});

t.test("functions of another library in front of node's own are refused", (t) => {
  t.match(findProblem(opensslOf('3.5.2'), '3.5.8'), /made with OpenSSL 3\.5\.8, .* "OpenSSL 3\.5\.2/);
  t.end();
});

t.test('what failed is one sentence, told once', (t) => {
  clearOpensslErrors();
  t.equal(takeOpensslProblem(), undefined);
  failToMakeSession();
  t.equal(partOf(lastOpensslError()), OpensslPart.ssl);
  t.equal(takeOpensslProblem(), 'null ssl ctx');
  t.equal(takeOpensslProblem(), undefined, 'the queue is empty');
  t.equal(lastOpensslError(), 0);
  t.end();
});

t.test('the same reason is named once, and there is an end to it', (t) => {
  clearOpensslErrors();
  for (let count = 0; count < 20; count++) failToMakeSession();
  t.equal(takeOpensslProblem(), 'null ssl ctx');
  t.equal(lastOpensslError(), 0);
  t.end();
});

t.test('the newest reason can be told alone', (t) => {
  clearOpensslErrors();
  t.equal(takeLastOpensslProblem(), 'no reason is known');
  useNoKey()(0, 0);
  failToMakeSession();
  t.equal(takeLastOpensslProblem(), 'null ssl ctx');
  t.equal(lastOpensslError(), 0);
  t.end();
});

t.test('nothing is declared before it is needed, and what is not there says so', (t) => {
  const absent = declareOpenssl('int', 'SSL_is_not_there', []);
  t.throws(() => absent(), /SSL_is_not_there/);
  t.end();
});

t.test('the process is as it was: loading it adds no library', (t) => {
  const program = `
    import { readFileSync } from 'node:fs';
    import { opensslProblem } from '${new URL('../../native/openssl.ts', import.meta.url).pathname}';
    opensslProblem();
    console.log(/lib(ssl|crypto)\\.so/.test(readFileSync('/proc/self/maps', 'latin1')));
  `;
  t.equal(execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' }).trim(), 'false');
  t.end();
});

function failToMakeSession(): void {
  newSession()(0);
}
