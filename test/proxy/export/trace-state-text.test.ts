import t from 'tap';
import { traceStateText } from '../../../proxy/export/trace-state-text.ts';

t.test('the threshold comes first, other keys and members behind it', (t) => {
  t.equal(traceStateText('c', '', ''), 'ot=th:c');
  t.equal(traceStateText('0', 'rv:6e6d1a75832a2f;k:v', ''), 'ot=th:0;rv:6e6d1a75832a2f;k:v');
  t.equal(traceStateText('c', '', 'a=1,b=2'), 'ot=th:c,a=1,b=2');
  t.end();
});

t.test('a threshold that is not known is not said', (t) => {
  t.equal(traceStateText(null, '', ''), '');
  t.equal(traceStateText(null, 'rv:6e6d1a75832a2f', 'a=1'), 'ot=rv:6e6d1a75832a2f,a=1');
  t.equal(traceStateText(null, '', 'a=1'), 'a=1');
  t.end();
});

t.test('a member that would be too long keeps what belongs to the threshold', (t) => {
  const long = `k:${'v'.repeat(240)}`;
  t.equal(traceStateText('fd70a4', long, ''), `ot=th:fd70a4;${long}`);
  t.equal(traceStateText('fd70a4', `${long}${'v'.repeat(20)}`, ''), 'ot=th:fd70a4');
  t.equal(traceStateText('fd70a4', `rv:6e6d1a75832a2f;${long}`, ''), 'ot=th:fd70a4;rv:6e6d1a75832a2f');
  t.end();
});
