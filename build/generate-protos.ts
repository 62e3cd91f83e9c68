// Writes `xds/generated/` from Envoy's proto files, limited to the messages that have a support table.
// The result is committed, and a test compares it with a new run.

import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { supportTable } from '../xds/support/all-support.ts';
import { descriptorsFile, typesFile } from './proto-output.ts';
import { readSchema } from './proto-schema.ts';

const repository = join(dirname(fileURLToPath(import.meta.url)), '..');

/** The generated files by their path in the repository. */
export function generateProtos(): ReadonlyMap<string, string> {
  const dependencies = join(repository, 'node_modules/@grpc/grpc-js-xds/deps');
  const protoRoots = [
    ...['envoy-api', 'xds', 'googleapis', 'protoc-gen-validate'].map((name) => join(dependencies, name)),
    join(repository, 'node_modules/protobufjs'),
    join(repository, 'build/protos'),
  ];
  const schema = readSchema(protoRoots, Object.keys(supportTable));
  return new Map([
    ['xds/generated/descriptors.ts', descriptorsFile(schema)],
    ['xds/generated/messages.ts', typesFile(schema)],
  ]);
}

if (import.meta.main) {
  for (const [path, content] of generateProtos()) writeFileSync(join(repository, path), content);
}
