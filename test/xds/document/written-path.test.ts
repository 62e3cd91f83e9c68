import t from 'tap';
import { inDocumentOrder, writtenPath } from '../../../xds/document/written-path.ts';

t.test('a path has the spelling of the document, field by field', async (t) => {
  const document = { static_resources: { clusters: [{}, { loadAssignment: { endpoints: [{ priority: 1 }] } }] } };
  t.equal(
    writtenPath('static_resources.clusters[1].load_assignment.endpoints[0].priority', document),
    'static_resources.clusters[1].loadAssignment.endpoints[0].priority',
  );
  t.equal(
    writtenPath('static_resources.clusters[0].connect_timeout', document),
    'static_resources.clusters[0].connect_timeout',
  );
  t.equal(writtenPath('', document), '');
  t.equal(writtenPath('a.b[3].c', null), 'a.b[3].c');
});

t.test('keys of maps stay as they are', async (t) => {
  const document = { typedConfigs: { 'a.b[0]"': { someField: 1 } } };
  t.equal(writtenPath('typed_configs["a.b[0]\\""].some_field', document), 'typedConfigs["a.b[0]\\""].someField');
});

t.test('fields of a TypedStruct are below its value', async (t) => {
  const document = {
    typed_config: { '@type': 'type.googleapis.com/udpa.type.v1.TypedStruct', value: { statPrefix: 'a' } },
  };
  t.equal(writtenPath('typed_config.stat_prefix', document), 'typed_config.value.statPrefix');
});

t.test('problems are listed in the order of the document, what is missing after what is there', async (t) => {
  const document = { b: [{ y: 1, x: { k: 1 } }, {}], a: 2 };
  const paths = ['a', 'b[1].z', 'b[0].missing', 'b[0].x["k"]', 'b[0].y', 'c', 'b[0]', ''];
  const problems = paths.map((path) => ({ path, message: '' }));
  t.same(
    inDocumentOrder(problems, document).map(({ path }) => path),
    ['', 'b[0]', 'b[0].y', 'b[0].x["k"]', 'b[0].missing', 'b[1].z', 'a', 'c'],
  );
});
