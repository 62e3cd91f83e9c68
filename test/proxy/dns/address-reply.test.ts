import t from 'tap';
import type { NamedHost } from '../../../config/name-table.ts';
import { addressReply, asksForAddresses } from '../../../proxy/dns/address-reply.ts';
import { type DnsQuery, readQuery } from '../../../proxy/dns/dns-message.ts';
import { queryBytes, readReply, type WrittenQuery } from '../../support/dns-queries.ts';
import { noItems } from '../../support/empty-patterns.ts';

const host: NamedHost = {
  ipv4: ['10.0.0.1', '10.0.0.2'],
  ipv6: ['2001:db8::1:2'],
  service: undefined,
  aliases: [],
};

function replyTo(name: string, query: WrittenQuery = {}, found: { host?: NamedHost; searchLength?: number } = {}) {
  const message = queryBytes(name, query);
  const limits = { limitBytes: (readQuery(message) as DnsQuery).udpSizeBytes, random: () => 0.5 };
  return addressReply(message, readQuery(message) as DnsQuery, { host, searchLength: 0, ...found }, limits);
}

t.test(
  'addresses of the family that was asked for, beginning anywhere, with the question as it was sent',
  async (t) => {
    t.same(readReply(replyTo('Api.example', { id: 99 })), {
      id: 99,
      code: 0,
      isAuthoritative: true,
      isTruncated: false,
      hasEdns: false,
      answers: ['Api.example A 10.0.0.2', 'Api.example A 10.0.0.1'],
    });
    t.same(readReply(replyTo('api', { type: 28 })).answers, ['api AAAA 20010db8000000000000000000010002']);
  },
);

t.test('a name without addresses of that family exists all the same', async (t) => {
  const reply = readReply(replyTo('api.shop', { type: 28 }, { host: { ...host, ipv6: [] }, searchLength: 5 }));
  t.match(reply, { code: 0, answers: noItems });
});

t.test('what stands in front of a search domain is told as the name that was meant', async (t) => {
  const reply = replyTo('api.example.Shop.svc', {}, { searchLength: '.shop.svc'.length });
  t.same(readReply(reply).answers, [
    'api.example.Shop.svc 5 api.example',
    'api.example A 10.0.0.2',
    'api.example A 10.0.0.1',
  ]);
});

t.test('more addresses than the asker takes are cut, and that is said', async (t) => {
  const ipv4 = Array.from({ length: 100 }, (_, index) => `10.0.0.${index}`);
  const small = replyTo('api', {}, { host: { ...host, ipv4 } });
  t.ok(small.length <= 512);
  t.match(readReply(small), { isTruncated: true });
  t.ok(readReply(small).answers.length > 20);
  const large = replyTo('api', { udpSizeBytes: 4096 }, { host: { ...host, ipv4 } });
  t.match(readReply(large), { isTruncated: false, hasEdns: true });
  t.equal(readReply(large).answers.length, 100);
});

t.test('addresses are asked for by type A and AAAA of the internet', async (t) => {
  const asks = (query: WrittenQuery) => asksForAddresses(readQuery(queryBytes('a', query)) as DnsQuery);
  t.ok(asks({ type: 1 }));
  t.ok(asks({ type: 28 }));
  t.notOk(asks({ type: 65 }), 'HTTPS');
  t.notOk(asks({ type: 1, class: 3 }), 'CHAOS');
});
