// Loaded ahead of a bundle, in each of its threads: what V8 has compiled of a script by the end of the thread is left beside
// it (`compiled-code.ts`).

import { writeFileSync } from 'node:fs';
import v8 from 'node:v8';
import vm from 'node:vm';

const { Script } = vm;

function keptScript(source: string, options: vm.ScriptOptions & { readonly filename: string }): vm.Script {
  const script = new Script(source, options);
  const file = options.filename.replace(/js$/, `${process.arch}.compiled`);
  process.once('exit', () => writeFileSync(file, script.createCachedData()));
  return script;
}

// `new` gives what the function returns. A start that takes a second gives its garbage back, for which it asks V8 for a flag
// and then for `gc` (`proxy/command/heap-return.ts`); with the flag the code would be for another V8.
Object.assign(vm, { Script: keptScript, runInNewContext: () => () => undefined });
// Code is for the flags that V8 has when it is kept, and those of a start are Node's own (`proxy/command/inlining.ts`).
Object.assign(v8, { setFlagsFromString: () => undefined });
