import t from 'tap';
import { decodeHeaderMutations, type HeaderMutationFields } from '../../../xds/decode/header-mutation.ts';
import { decodedAs } from '../../support/config-fixtures.ts';

const mutations = (yaml: string) =>
  decodedAs(
    'envoy.config.route.v3.Route',
    `{match: {prefix: /}, redirect: {}, ${yaml}}`,
    (message: HeaderMutationFields, problems) => decodeHeaderMutations(message, problems),
  );

t.test('four lists, empty unless given', async (t) => {
  t.same(mutations('name: a').value, { requestAdd: [], requestRemove: [], responseAdd: [], responseRemove: [] });
  t.same(mutations('response_headers_to_remove: [X-A], request_headers_to_remove: [b]').value, {
    requestAdd: [],
    requestRemove: ['b'],
    responseAdd: [],
    responseRemove: ['X-A'],
  });
});

t.test('the action, the older append too', async (t) => {
  const added = (option: string) => mutations(`request_headers_to_add: [{header: {key: X-A, value: v}, ${option}}]`);
  const rows: readonly [option: string, action: string][] = [
    ['keep_empty_value: false', 'append'],
    ['append: true', 'append'],
    ['append: false', 'overwrite'],
    ['append_action: ADD_IF_ABSENT', 'add-if-absent'],
    ['append_action: OVERWRITE_IF_EXISTS_OR_ADD', 'overwrite'],
    ['append_action: OVERWRITE_IF_EXISTS', 'overwrite-if-exists'],
  ];
  for (const [option, action] of rows) {
    t.same(added(option).value.requestAdd, [{ name: 'X-A', value: 'v', action, keepEmptyValue: false }], option);
  }
  t.match(added('append: true, append_action: ADD_IF_ABSENT').problems[0], /^request_headers_to_add\[0\]\.append: /);
});

t.test('what routing decides on is not modified', async (t) => {
  for (const name of ['":path"', 'Host']) {
    t.match(
      mutations(`request_headers_to_add: [{header: {key: ${name}, value: v}}]`).problems[0],
      /header\.key: .* may not be modified/,
    );
    t.match(mutations(`response_headers_to_remove: [${name}]`).problems[0], /remove\[0\]: .* may not be modified/);
  }
});

t.test('what frames a message or belongs to a connection is not modified', async (t) => {
  for (const name of ['Content-Length', 'transfer-encoding', 'connection', 'keep-alive', 'upgrade', 'te', 'trailer']) {
    const problem = `${name} is not supported; it belongs to the connection and its framing`;
    t.same(mutations(`response_headers_to_add: [{header: {key: ${name}, value: v}}]`).problems, [
      `response_headers_to_add[0].header.key: modifying ${problem}`,
    ]);
    t.same(mutations(`request_headers_to_remove: [${name}]`).problems, [
      `request_headers_to_remove[0]: modifying ${problem}`,
    ]);
  }
});

t.test('a value that cannot be formatted is a problem', async (t) => {
  const value = (text: string) => mutations(`request_headers_to_add: [{header: {key: a, value: "${text}"}}]`).problems;
  t.same(value('%PROTOCOL% 100%%'), []);
  t.match(value('%NO_SUCH%')[0], /^request_headers_to_add\[0\]\.header\.value: %NO_SUCH% is not a supported command/);
});
