import t from 'tap';
import { newestOf, Shares } from '../../../proxy/http/on-demand-shares.ts';
import { seededRandom } from '../../support/cluster-fixtures.ts';

t.test('who holds nothing is not known, and who holds the most is found', async (t) => {
  const shares = new Shares<string>();
  t.equal(shares.greediest, undefined);
  t.equal(shares.heldBy('a'), 0);
  for (const item of ['1', '2']) shares.add('a', item);
  for (const item of ['3', '4', '5']) shares.add('b', item);
  t.equal(shares.heldBy('a'), 2);
  t.equal(shares.greediest?.client, 'b');
  t.equal(newestOf(shares.greediest!), '5');
  shares.delete('b', '4');
  t.equal(shares.greediest?.client, 'a', 'of two that hold as many the one that has done so for longer');
  for (const item of ['1', '2']) shares.delete('a', item);
  for (const item of ['3', '5']) shares.delete('b', item);
  t.equal(shares.greediest, undefined);
});

t.test('the one that holds the most is right after any changes', async (t) => {
  const random = seededRandom(1);
  const clients = ['a', 'b', 'c', 'd'];
  const shares = new Shares<number>();
  const model = new Map<string, number[]>(clients.map((client) => [client, []]));
  for (let item = 0; item < 5000; item++) {
    const client = clients[Math.floor(random() * clients.length)]!;
    const held = model.get(client)!;
    if (random() < 0.5 || held.length === 0) {
      held.push(item);
      shares.add(client, item);
    } else {
      const [gone] = held.splice(Math.floor(random() * held.length), 1);
      shares.delete(client, gone!);
    }
    const most = Math.max(...[...model.values()].map(({ length }) => length));
    const { greediest } = shares;
    if ((greediest?.held.size ?? 0) !== most) t.fail(`${item}: ${greediest?.held.size} beside ${most}`);
    if (greediest !== undefined && newestOf(greediest) !== model.get(greediest.client)!.at(-1))
      t.fail(`${item}: newest`);
  }
  for (const client of clients) t.equal(shares.heldBy(client), model.get(client)!.length);
});
