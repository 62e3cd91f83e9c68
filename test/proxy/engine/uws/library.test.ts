import t from 'tap';
import { loadUws } from '../../../../proxy/engine/uws/library.ts';

/** Packages by name: what is exported, or the error of loading it. */
function loader(packages: Readonly<Record<string, unknown>>): (name: string) => unknown {
  return (name) => {
    const found = packages[name];
    if (found instanceof Error) throw found;
    if (found === undefined)
      throw Object.assign(new Error(`Cannot find module '${name}'`), { code: 'MODULE_NOT_FOUND' });
    return found;
  };
}

function fakeLibrary(): { App: () => void; _cfg: (option: string) => void; readonly options: string[] } {
  const options: string[] = [];
  return { App: () => undefined, _cfg: (option) => void options.push(option), options };
}

t.test('the official package comes before the copy, and is told to be silent', (t) => {
  const [official, copy] = [fakeLibrary(), fakeLibrary()];
  t.equal(loadUws(loader({ 'uWebSockets.js': official, '@btc-vision/uwebsockets.js': copy })), official);
  t.same([official.options, copy.options], [['silent'], []]);
  t.equal(loadUws(loader({ '@btc-vision/uwebsockets.js': copy })), copy);
  t.end();
});

t.test('an error says what is missing and what helps', (t) => {
  t.throws(() => loadUws(loader({})), /uWebSockets\.js, which is not installed: npm install/);
  const old = new Error("libc.so.6: version `GLIBC_2.38' not found (required by uws.node)");
  t.throws(
    () => loadUws(loader({ '@btc-vision/uwebsockets.js': old })),
    /needs glibc 2\.38, this system has .*Debian 13/,
  );
  const other = new Error('no such processor');
  t.throws(() => loadUws(loader({ 'uWebSockets.js': other })), /uWebSockets\.js cannot be loaded: no such processor/);
  t.throws(() => loadUws(loader({ 'uWebSockets.js': {} })), /has no App/);
  t.end();
});
