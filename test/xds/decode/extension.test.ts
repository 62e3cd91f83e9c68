import t from 'tap';
import { Problems } from '../../../config/problems.ts';
import { extensionType } from '../../../xds/decode/extension.ts';

const expected = { what: 'HTTP filter', known: ['a.Router', 'a.Cors'] } as const;

function typeOf(typeUrl: string | undefined) {
  const problems = new Problems('filters[0]');
  const typedConfig = typeUrl === undefined ? {} : { typedConfig: { typeUrl, typeName: typeUrl.split('/').at(-1)! } };
  const type = extensionType({ name: 'a', ...typedConfig }, expected, problems);
  return { type, problems: problems.list.map(({ path, message }) => `${path}: ${message}`) };
}

t.test('the type of the configuration says which extension it is', async (t) => {
  t.same(typeOf('x/a.Cors'), { type: 'a.Cors', problems: [] });
});

t.test('an extension that is not known is refused by its type', async (t) => {
  t.same(typeOf('x/b.Rbac').problems, [
    'filters[0].typed_config: HTTP filter x/b.Rbac is not supported; supported are a.Router, a.Cors',
  ]);
});

t.test('of an extension that is refused nothing else is said', async (t) => {
  const problems = new Problems();
  problems.at('typed_config').at('x').add('is wrong');
  extensionType({ typedConfig: { typeUrl: 'x/b.C', typeName: 'b.C' } }, expected, problems);
  t.same(
    problems.list.map(({ path }) => path),
    ['typed_config'],
  );
});

t.test('a slip in the name of a type is found', async (t) => {
  t.match(typeOf('x/a.Ruoter').problems[0], /is not supported; did you mean a\.Router\?$/);
});

t.test('a name alone is no configuration', async (t) => {
  t.same(typeOf(undefined).problems, [
    'filters[0].typed_config: typed_config is required: it says which HTTP filter this is ("@type": type.googleapis.com/a.Router)',
  ]);
});
