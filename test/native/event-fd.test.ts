import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import { Epoll, EpollEvent } from '../../native/epoll.ts';
import { Errno } from '../../native/errno.ts';
import { createEventFd, drainEventFd, signalEventFd } from '../../native/event-fd.ts';
import { close } from '../../native/socket.ts';

t.test('many signals before a drain are one', (t) => {
  const fd = createEventFd();
  t.equal(drainEventFd(fd), -Errno.EAGAIN);
  signalEventFd(fd);
  signalEventFd(fd);
  t.equal(drainEventFd(fd), 8);
  t.equal(drainEventFd(fd), -Errno.EAGAIN);
  close(fd);
  t.end();
});

t.test('a thread that waits in epoll is woken by another thread', async (t) => {
  const fd = createEventFd();
  const epoll = new Epoll();
  epoll.add(fd, 1, EpollEvent.readable);
  const module = new URL('../../native/event-fd.ts', import.meta.url);
  const code = `import { signalEventFd } from '${module}'; signalEventFd(${fd});`;
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`));
  // Blocks this thread: only the wake-up ends it, and now and then a signal, as to a process that was stopped.
  let count = 0;
  for (let interrupted = 0; count === 0 && interrupted < 1000; interrupted++) count = epoll.wait(-1);
  t.equal(count, 1);
  await once(worker, 'exit');
  epoll.close();
  close(fd);
});
