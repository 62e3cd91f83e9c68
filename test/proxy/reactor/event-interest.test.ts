import t from 'tap';
import { EpollEvent } from '../../../native/epoll.ts';
import { EventInterest } from '../../../proxy/reactor/event-interest.ts';
import type { Reactor } from '../../../proxy/reactor/reactor.ts';

const { readable, writable, peerEnded } = EpollEvent;

t.test('epoll is told of changes only', (t) => {
  const { interest, told } = recorded();
  interest.add(readable);
  interest.add(readable);
  interest.add(writable);
  interest.remove(writable);
  interest.remove(writable);
  interest.detach();
  interest.add(readable);
  t.same(told, ['register 1', 'modify 5', 'modify 1', 'unregister', 'register 1']);
  t.end();
});

t.test('while it is held, what is asked for is remembered and told at the release', (t) => {
  const { interest, told } = recorded();
  interest.set(readable | peerEnded);
  t.equal(interest.isHeld, false);
  interest.holdTo(writable);
  t.equal(interest.isHeld, true);
  interest.remove(peerEnded);
  interest.add(writable);
  interest.holdTo(writable);
  t.same(told.slice(1), ['modify 4']);
  interest.release();
  t.equal(interest.isHeld, false);
  t.same(told.slice(2), ['modify 5'], 'what was asked for before and during it');
  t.end();
});

t.test('a hold ends with the interest', (t) => {
  const { interest, told } = recorded();
  interest.set(readable);
  interest.holdTo(writable);
  interest.detach();
  t.equal(interest.isHeld, false);
  interest.add(readable);
  t.same(told, ['register 1', 'modify 4', 'unregister', 'register 1']);
  t.end();
});

t.test('what epoll refuses is the outcome', (t) => {
  const { interest } = recorded(-12);
  t.equal(interest.set(readable), -12);
  t.end();
});

function recorded(outcome = 0): { interest: EventInterest; told: string[] } {
  const told: string[] = [];
  const note = (text: string) => {
    told.push(text);
    return outcome;
  };
  const reactor: Pick<Reactor, 'register' | 'modify' | 'unregister'> = {
    register: (_fd, events) => note(`register ${events}`),
    modify: (_fd, events) => note(`modify ${events}`),
    unregister: () => void note('unregister'),
  };
  return { interest: new EventInterest(reactor as Reactor, 5, { onEvents() {} }), told };
}
