import t from 'tap';
import { nearestName } from '../../xds/nearest-name.ts';

t.test('a slip of the pen finds its name and anything else finds none', async (t) => {
  const names = ['connect_timeout', 'cleanup_interval', 'name', 'type'];
  t.equal(nearestName('conect_timeout', names), 'connect_timeout');
  t.equal(nearestName('Connect_Timeout', names), 'connect_timeout');
  t.equal(nearestName('nmae', ['name', 'dns']), undefined, 'a third of a short name is one letter');
  t.equal(nearestName('nam', names), 'name');
  t.equal(nearestName('health_checks', names), undefined);
  t.equal(nearestName('', names), undefined);
});
