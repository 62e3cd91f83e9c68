import t from 'tap';
import { DnsResponder } from '../../../proxy/dns/dns-responder.ts';
import { NameLookup } from '../../../proxy/dns/name-lookup.ts';
import { dnsStats } from '../../../proxy/telemetry/dns-stats.ts';
import { WorkerStats } from '../../../proxy/telemetry/worker-stats.ts';
import { queryBytes, readReply } from '../../support/dns-queries.ts';
import { noItems } from '../../support/empty-patterns.ts';
import { onlyItems } from '../../support/only-items.ts';

function startResponder({ answer = undefined as Buffer | undefined, returned = false } = {}) {
  const lookup = new NameLookup({ namespace: 'shop', domain: 'svc.cluster.local', searchDomains: [] });
  const forwarded: string[] = [];
  const responder = new DnsResponder({
    lookup,
    forwarder: {
      ask: ({ transport, id }, onAnswer) => {
        forwarded.push(`${transport} ${id}`);
        onAnswer(answer);
      },
      takeReturned: () => returned,
    },
    random: () => 0,
    stats: new WorkerStats(() => undefined).block(dnsStats),
  });
  const ask = (message: Buffer, transport: 'udp' | 'tcp' = 'udp'): Buffer | undefined => {
    const replies: (Buffer | undefined)[] = [];
    responder.answer({ message, transport, port: 1 }, (reply) => replies.push(reply));
    t.equal(replies.length, 1, 'each is told of once');
    return replies[0];
  };
  const useNames = (count = 1): void => {
    const ipv4 = Array.from({ length: count }, (_, index) => `10.0.0.${index % 250}`);
    lookup.use(new Map([['api.example', { ipv4, ipv6: [], service: undefined, aliases: [] }]]));
  };
  return { ask, useNames, forwarded };
}

t.test('names of the mesh are answered here, for either family', async (t) => {
  const { ask, useNames, forwarded } = startResponder();
  useNames();
  t.match(readReply(ask(queryBytes('api.example'))!), { code: 0, answers: onlyItems('api.example A 10.0.0.0') });
  t.match(readReply(ask(queryBytes('api.example', { type: 28 }))!), { code: 0, answers: noItems });
  t.same(forwarded, []);
});

t.test('everything else goes on: other names, and what else is asked of a name of the mesh', async (t) => {
  const answer = Buffer.from('an answer');
  const { ask, useNames, forwarded } = startResponder({ answer });
  useNames();
  t.equal(ask(queryBytes('example.com', { id: 1 })), answer);
  t.equal(ask(queryBytes('api.example', { id: 2, type: 65 }), 'tcp'), answer);
  t.same(forwarded, ['udp 1', 'tcp 2']);
});

t.test('before the names have come, and where no server answers, the asker is told of a failure', async (t) => {
  const { ask, useNames, forwarded } = startResponder();
  t.match(readReply(ask(queryBytes('api.example', { id: 5 }))!), { id: 5, code: 2, answers: noItems });
  t.same(forwarded, [], 'a name of the mesh may be another’s elsewhere');
  useNames();
  t.match(readReply(ask(queryBytes('example.com'))!), { code: 2, answers: noItems });
});

t.test('what is no query has no answer, and what is malformed an empty one', async (t) => {
  const { ask, useNames } = startResponder();
  useNames();
  t.equal(ask(Buffer.alloc(5)), undefined);
  const reply = ask(queryBytes('a', { id: 9 }).subarray(0, 14))!;
  t.match(readReply(reply), { id: 9, code: 1, answers: noItems });
  t.equal(reply.length, 12);
});

t.test('a query of our own that comes back is not answered', async (t) => {
  const { ask, useNames, forwarded } = startResponder({ returned: true });
  useNames();
  t.equal(ask(queryBytes('example.com')), undefined);
  t.same(forwarded, []);
});

t.test('over TCP an answer has all addresses', async (t) => {
  const { ask, useNames } = startResponder();
  useNames(500);
  t.equal(readReply(ask(queryBytes('api.example'))!).isTruncated, true);
  t.equal(readReply(ask(queryBytes('api.example'), 'tcp')!).answers.length, 500);
});
