import t, { type Test } from 'tap';
import { Epoll, EpollEvent } from '../../native/epoll.ts';
import { Errno } from '../../native/errno.ts';
import { createEventFd, signalEventFd } from '../../native/event-fd.ts';
import { close } from '../../native/socket.ts';

function epollFor(t: Test): Epoll {
  const epoll = new Epoll();
  t.teardown(() => epoll.close());
  return epoll;
}

function signalled(): number {
  const fd = createEventFd();
  signalEventFd(fd);
  return fd;
}

t.test('an event tells the descriptor, the generation and what happened', (t) => {
  const epoll = epollFor(t);
  const fd = signalled();
  t.equal(epoll.add(fd, 0xfffffffe, EpollEvent.readable | EpollEvent.writable), 0);
  t.equal(epoll.wait(0), 1);
  t.equal(epoll.descriptor(0), fd);
  t.equal(epoll.generation(0), 0xfffffffe);
  t.equal(epoll.events(0), EpollEvent.readable | EpollEvent.writable);
  close(fd);
  t.end();
});

t.test('a batch holds events of a closed descriptor whose number is another socket’s by now', (t) => {
  const epoll = epollFor(t);
  const first = signalled();
  const second = signalled();
  epoll.add(first, 1, EpollEvent.readable);
  epoll.add(second, 2, EpollEvent.readable);
  t.equal(epoll.wait(0), 2);
  close(second);
  const successor = createEventFd();
  t.equal(successor, second, 'the kernel gives the number away at once');
  epoll.add(successor, 3, EpollEvent.readable);
  const stale = [0, 1].find((index) => epoll.descriptor(index) === successor)!;
  t.equal(epoll.generation(stale), 2, 'the generation tells that the event is not for the successor');
  t.equal(epoll.wait(0), 1, 'and the successor has none of its own');
  t.equal(epoll.descriptor(0), first);
  close(first);
  close(successor);
  t.end();
});

t.test('edge-triggered, what is ready is told again only when more is', (t) => {
  const epoll = epollFor(t);
  const fd = signalled();
  epoll.add(fd, 1, EpollEvent.readable | EpollEvent.edgeTriggered);
  t.equal(epoll.wait(0), 1);
  t.equal(epoll.events(0), EpollEvent.readable);
  t.equal(epoll.wait(0), 0);
  signalEventFd(fd);
  t.equal(epoll.wait(0), 1);
  close(fd);
  t.end();
});

t.test('interest is changed and taken back', (t) => {
  const epoll = epollFor(t);
  const fd = signalled();
  epoll.add(fd, 1, EpollEvent.readable);
  t.equal(epoll.modify(fd, 2, 0), 0);
  t.equal(epoll.wait(0), 0);
  epoll.modify(fd, 2, EpollEvent.readable);
  t.equal(epoll.wait(0), 1);
  t.equal(epoll.generation(0), 2);
  t.equal(epoll.remove(fd), 0);
  t.equal(epoll.wait(0), 0);
  close(fd);
  t.end();
});

t.test('what cannot be done is a negated errno', (t) => {
  const epoll = epollFor(t);
  const fd = createEventFd();
  t.equal(epoll.modify(fd, 1, 0), -Errno.ENOENT);
  epoll.add(fd, 1, 0);
  t.equal(epoll.add(fd, 1, 0), -Errno.EEXIST);
  close(fd);
  t.equal(epoll.add(fd, 1, 0), -Errno.EBADF);
  t.end();
});

t.test('closing twice does not close the descriptor of another', (t) => {
  const epoll = new Epoll();
  epoll.close();
  const successor = createEventFd();
  epoll.close();
  t.equal(signalEventFd(successor), 8, 'still open');
  close(successor);
  t.end();
});
