import protobuf from 'protobufjs/minimal.js';
import t from 'tap';
import { Problems } from '../../../config/problems.ts';
import { nameTableDecoder } from '../../../xds/resource/name-table-resource.ts';

/** As istiod sends it: a name, its addresses, its registry and what it is a service of. */
function tableOf(names: readonly (readonly [name: string, ip: string])[]): Uint8Array {
  const writer = protobuf.Writer.create();
  for (const [name, ip] of names) {
    writer.uint32(10).fork().uint32(10).string(name);
    writer.uint32(18).fork().uint32(10).string(ip).uint32(18).string('Kubernetes');
    writer.uint32(26).string('shop').uint32(34).string('default').ldelim().ldelim();
  }
  return writer.finish();
}

const services = (count: number): [string, string][] =>
  Array.from({ length: count }, (_, at) => [
    `s${at}.default.svc.cluster.local.`,
    `10.${at >> 16}.${(at >> 8) & 255}.1`,
  ]);

function decode(bytes: Uint8Array) {
  const problems = new Problems();
  const table = nameTableDecoder.decode(bytes, problems);
  return { table, problems: problems.list };
}

/** Names of each step. */
function prepare(bytes: Uint8Array): number[] {
  const steps = nameTableDecoder.prepare!(bytes);
  const names: number[] = [];
  for (let step = steps?.next(); step !== undefined && step.done !== true; step = steps?.next()) {
    names.push(step.value as number);
  }
  return names;
}

t.test('a large table is decoded at most 500 names at a time, to what it is as a whole', async (t) => {
  const bytes = tableOf([...services(10_200), ['no.address', 'nowhere']]);
  const whole = decode(bytes.slice());
  const steps = prepare(bytes);
  t.equal(Math.max(...steps), 500);
  t.equal(
    steps.reduce((sum, names) => sum + names, 0),
    10_201,
  );
  const sliced = decode(bytes);
  t.equal(decode(bytes).table, sliced.table, 'it was there already');
  t.same([...sliced.table!], [...whole.table!]);
  t.equal(sliced.table!.size, 10_200);
  t.same(sliced.problems, []);
});

t.test('a small table is decoded at once', async (t) => {
  t.equal(nameTableDecoder.prepare!(tableOf(services(10))), undefined);
});

t.test('of a name that comes twice the last counts, wherever the slices end', async (t) => {
  const bytes = tableOf([['twice', '10.9.9.9'], ...services(2_000), ['twice', 'nowhere']]);
  prepare(bytes);
  const { table } = decode(bytes);
  t.equal(table!.has('twice'), false);
  t.same([...table!], [...decode(bytes.slice()).table!]);
});

t.test('bytes that are no table are refused as without slices', async (t) => {
  const good = tableOf(services(2_000));
  const damaged = Buffer.concat([good, Buffer.from([10, 200])]);
  prepare(damaged);
  const { problems } = decode(damaged);
  t.not(problems.length, 0);
  t.same(problems, decode(damaged.subarray().slice()).problems);
  const other = Buffer.concat([good, Buffer.from([0x12, 0])]);
  prepare(other);
  t.same(decode(other), decode(new Uint8Array(other)));
});
