// Who has the memory of a record that waits, and what of it is told to whom.

import t from 'tap';
import { NativeBuffer } from '../../native/native-buffer.ts';
import { MAX_RECORD_BYTES, UnfinishedRecord } from '../../native/tls-unfinished-record.ts';

const source = new NativeBuffer(MAX_RECORD_BYTES);

t.test('it is a copy, which stays where it is', (t) => {
  const record = new UnfinishedRecord();
  source.bytes.fill('a');
  record.keep(source, 10, 100);
  const { address } = record;
  source.bytes.fill('b');
  t.same([record.lengthBytes, record.address === address, address === source.address], [100, true, false]);
  record.giveBack();
  t.equal(record.lengthBytes, 0);
  t.end();
});

t.test('two that wait never share memory, whoever gave theirs back before, and how often', (t) => {
  const first = new UnfinishedRecord();
  first.keep(source, 0, 1);
  first.giveBack();
  first.giveBack();
  first.onSent(1);
  const records = Array.from({ length: 80 }, () => new UnfinishedRecord());
  for (const record of records) record.keep(source, 0, MAX_RECORD_BYTES);
  t.equal(new Set(records.map(({ address }) => address)).size, 80);
  for (const record of records) record.giveBack();
  for (const record of records) record.keep(source, 0, 1);
  t.equal(new Set(records.map(({ address }) => address)).size, 80, 'also of more than are kept for later');
  for (const record of records) record.giveBack();
  t.end();
});

t.test('what was sent of it is told once, in pieces of any length', (t) => {
  const record = new UnfinishedRecord();
  t.equal(record.tell(5), 0);
  record.keep(source, 0, 100);
  record.onSent(60);
  t.equal(record.lengthBytes, 0, 'the rest was not encrypted');
  t.same([record.tell(50), record.tell(50), record.tell(50)], [50, 10, 0]);
  t.end();
});
