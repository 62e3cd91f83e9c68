import t from 'tap';
import { generateProtos } from '../../build/generate-protos.ts';
import { textOf } from '../house/source-tree.ts';

t.test('the generated files are what `npm run generate` makes of the proto files', async (t) => {
  const files = generateProtos();
  t.equal(files.size, 2);
  for (const [path, content] of files) t.ok(textOf(path) === content, `${path} is up to date`);
});
