import t from 'tap';
import { decodeNameTable } from '../../../xds/decode/name-table.ts';

t.test('names have their addresses by family; services their shorter names', async (t) => {
  const table = decodeNameTable({
    table: {
      'Cart.shop.svc.cluster.local': {
        ips: ['10.0.0.1', 'fd00::1'],
        registry: 'Kubernetes',
        shortname: 'Cart',
        namespace: 'shop',
        altHosts: ['Basket.'],
      },
      'api.example.': { ips: ['240.240.0.1'], registry: 'External', altHosts: ['ignored'] },
    },
  });
  t.same(
    [...table],
    [
      [
        'cart.shop.svc.cluster.local',
        {
          ipv4: ['10.0.0.1'],
          ipv6: ['fd00::1'],
          service: { name: 'cart', namespace: 'shop' },
          aliases: ['basket'],
        },
      ],
      ['api.example', { ipv4: ['240.240.0.1'], ipv6: [], service: undefined, aliases: [] }],
    ],
  );
});

t.test('what is no address is passed over, and a name without any', async (t) => {
  const table = decodeNameTable({
    table: { a: { ips: ['10.0.0.0/8', 'fe80::1%eth0', '10.0.0.1'] }, b: { ips: ['auto'] }, c: {} },
  });
  t.same([...table.keys()], ['a']);
  t.same(table.get('a'), { ipv4: ['10.0.0.1'], ipv6: [], service: undefined, aliases: [] });
  t.equal(decodeNameTable({}).size, 0);
});
