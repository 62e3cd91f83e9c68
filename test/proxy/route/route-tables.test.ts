import t from 'tap';
import type { RouteTable } from '../../../proxy/route/route-table.ts';
import { RouteTables } from '../../../proxy/route/route-tables.ts';
import { matchContext, request, route, routeConfiguration, virtualHost } from '../../support/route-fixtures.ts';

const plain = { suppressEnvoyHeaders: false };

/** A connection manager that uses a table by name. */
class User {
  table: RouteTable;
  readonly #tables: RouteTables;

  constructor(tables: RouteTables, context = plain) {
    this.#tables = tables;
    this.table = tables.use('a', this, context);
  }

  setRoutes(table: RouteTable): void {
    this.table = table;
  }

  release(): void {
    this.#tables.release('a', this);
  }

  get routeName(): string | undefined {
    return this.table.match(request(), matchContext())?.name;
  }
}

const set = (name: string, routeName: string) => {
  const config = routeConfiguration({ name, virtualHosts: [virtualHost({ routes: [route({ name: routeName })] })] });
  return { set: [[name, { kind: 'whole', config }] as const], removed: [] };
};

t.test('a name without a table has no route', (t) => {
  const user = new User(new RouteTables());
  t.equal(user.routeName, undefined);
  t.equal(user.table.config.name, 'a');
  t.end();
});

t.test('those who use a name get its tables as they come and go', (t) => {
  const tables = new RouteTables();
  const early = new User(tables);
  tables.apply(set('a', 'one'));
  const late = new User(tables);
  t.equal(early.routeName, 'one');
  t.equal(late.table, early.table, 'compiled once');
  tables.apply(set('b', 'other'));
  t.equal(early.routeName, 'one');
  tables.apply(set('a', 'two'));
  t.same([early.routeName, late.routeName], ['two', 'two']);
  tables.apply({ set: [], removed: ['a'] });
  t.equal(early.routeName, undefined);
  t.end();
});

t.test('routers that differ in what they add to requests have tables of their own', (t) => {
  const tables = new RouteTables();
  tables.apply(set('a', 'one'));
  const user = new User(tables);
  const quiet = new User(tables, { suppressEnvoyHeaders: true });
  t.not(quiet.table, user.table);
  tables.apply(set('a', 'two'));
  t.not(quiet.table, user.table);
  t.same([user.routeName, quiet.routeName], ['two', 'two']);
  t.end();
});

t.test('who has let a name go hears of it no more', (t) => {
  const tables = new RouteTables();
  const user = new User(tables);
  const other = new User(tables);
  user.release();
  tables.apply(set('a', 'one'));
  t.same([user.routeName, other.routeName], [undefined, 'one']);
  other.release();
  other.release();
  t.equal(new User(tables).routeName, 'one', 'the table itself stays');
  t.end();
});

t.test('of a large table only the virtual hosts that changed are taken, by all who use it', (t) => {
  const tables = new RouteTables();
  const hosts = ['a', 'b', 'c'].map((name) => virtualHost({ name, domains: [name], routes: [route({ name })] }));
  const config = routeConfiguration({ name: 'a', virtualHosts: hosts });
  tables.apply({ set: [['a', { kind: 'whole', config }]], removed: [] });
  const [user, quiet] = [new User(tables), new User(tables, { suppressEnvoyHeaders: true })];
  const routesOf = ({ table }: User) =>
    ['a', 'b', 'c', 'd'].map((authority) => table.match(request({ authority }), matchContext())?.name);
  t.same(routesOf(user), ['a', 'b', 'c', undefined]);
  const changed = virtualHost({ name: 'b', domains: ['b', 'd'], routes: [route({ name: 'other' })] });
  const before = user.table;
  tables.apply({ set: [['a', { kind: 'virtual-hosts', set: [changed], removed: ['c'] }]], removed: [] });
  t.equal(user.table, before);
  for (const each of [user, quiet, new User(tables)]) t.same(routesOf(each), ['a', 'other', undefined, 'other']);
  t.same(
    user.table.config.virtualHosts.map(({ name }) => name),
    ['a', 'b'],
  );
  t.end();
});
