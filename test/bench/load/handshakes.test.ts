import t from 'tap';
import { parseHandshakes } from '../../../bench/load/handshakes.ts';

t.test('connections are counted by the wall clock of s_time, and none is a failure', (t) => {
  const text =
    '190 connections in 0.31s; 612.90 connections/user sec, bytes read 0\n190 connections in 2 real seconds, 0 bytes\n';
  t.equal(parseHandshakes(text), 190);
  t.throws(() => parseHandshakes('0 connections in 2 real seconds, 0 bytes'), /no connection/);
  t.throws(() => parseHandshakes('ERROR'), /ERROR/);
  t.end();
});
