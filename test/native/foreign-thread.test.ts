import koffi from 'koffi';
import t from 'tap';
import { ForeignThread } from '../../native/foreign-thread.ts';
import { NativeBuffer } from '../../native/native-buffer.ts';

const library = koffi.load(null);
const addressOf = (name: string) => Number(koffi.address(library.symbol(name)));

const wait = addressOf('sem_wait');
const post = library.func('sem_post', 'int', ['uint64_t']);
const init = library.func('sem_init', 'int', ['uint64_t', 'int', 'uint']);

function semaphore(): NativeBuffer {
  const memory = new NativeBuffer(64); // sem_t
  init(memory.address, 0, 0);
  return memory;
}

t.test('it calls the function with its argument, and has what it returned', (t) => {
  const text = new NativeBuffer(4);
  text.bytes.write('-42\0', 'latin1');
  const thread = ForeignThread.begin(addressOf('atoi'), text.address)!;
  t.equal(thread.end(), -42);
  t.equal(thread.end(), -42, 'every time');
  t.end();
});

t.test('this thread goes on while it runs', (t) => {
  const [first, second] = [semaphore(), semaphore()];
  const threads = [first, second].map(({ address }) => ForeignThread.begin(wait, address)!);
  // Neither returns before this.
  post(second.address);
  t.equal(threads[1]!.end(), 0);
  post(first.address);
  t.equal(threads[0]!.end(), 0);
  t.end();
});

t.test('all that were begun can be waited for', (t) => {
  const texts = ['1', '20', '300'].map((digits) => {
    const text = new NativeBuffer(4);
    text.bytes.write(`${digits}\0`, 'latin1');
    return text;
  });
  const threads = texts.map(({ address }) => ForeignThread.begin(addressOf('atoi'), address)!);
  ForeignThread.waitForAll();
  t.same(
    threads.map((thread) => thread.end()),
    [1, 20, 300],
  );
  ForeignThread.waitForAll();
  t.end();
});
