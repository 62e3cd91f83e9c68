import t from 'tap';
import { nearestField, nearestName } from '../../../xds/message/nearest-name.ts';

t.test('a slip of the pen finds its name and anything else finds none', async (t) => {
  const names = ['connect_timeout', 'cleanup_interval', 'name', 'type'];
  t.equal(nearestName('conect_timeout', names), 'connect_timeout');
  t.equal(nearestName('Connect_Timeout', names), 'connect_timeout');
  t.equal(nearestName('nmae', ['name', 'dns']), undefined, 'a third of a short name is one letter');
  t.equal(nearestName('nam', names), 'name');
  t.equal(nearestName('health_checks', names), undefined);
  t.equal(nearestName('', names), undefined);
});

t.test('a field is found by its words when some are missing or too many', async (t) => {
  t.equal(nearestField('weight', ['load_balancing_weight', 'health_status']), 'load_balancing_weight');
  t.equal(nearestField('port', ['named_port', 'port_value']), 'port_value', 'that which begins alike');
  t.equal(nearestField('access_log_format', ['access_log', 'address']), 'access_log');
  t.equal(nearestField('portValue', ['namedPort', 'ipv4Compat']), undefined);
  t.equal(nearestField('conect_timeout', ['connect_timeout']), 'connect_timeout');
});
