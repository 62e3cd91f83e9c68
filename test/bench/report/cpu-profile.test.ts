// Self time from a V8 profile.
import t from 'tap';
import { selfTimes } from '../../../bench/report/cpu-profile.ts';

const node = (id: number, functionName: string, url: string) => ({
  id,
  callFrame: { functionName, url, lineNumber: 9 },
});

t.test('samples of one function at several places in the tree are one line, most first', async (t) => {
  const nodes = [node(1, 'turn', 'file:///a/loop.js'), node(2, '(idle)', ''), node(3, 'turn', 'file:///a/loop.js')];
  const times = selfTimes({ nodes, samples: [1, 2, 3, 2], timeDeltas: [300, 100, 500, 100] });
  t.same(times, [
    { name: 'turn loop.js:10', micros: 800, share: 0.8 },
    { name: '(idle)', micros: 200, share: 0.2 },
  ]);
});

t.test('a function without a name is called anonymous and keeps its place', async (t) => {
  const times = selfTimes({ nodes: [node(1, '', 'file:///a/b.js')], samples: [1], timeDeltas: [5] });
  t.equal(times[0]?.name, '(anonymous) b.js:10');
});
