import t, { type Test } from 'tap';
import { defaultCaptureSettings } from '../../../bpf/capture/settings.ts';
import type { LoadFailure } from '../../../bpf/loader/load-failure.ts';
import { close } from '../../../native/socket.ts';
import { AgentRedirection, type EnrolledPod } from '../../../proxy/command/agent-redirection.ts';
import { HandClock } from '../../support/discovery-fixtures.ts';
import { openDescriptors } from '../../support/reactor-fixtures.ts';
import { connectedPair } from '../../support/socket-pair.ts';

/** An agent that answers what the test has it answer. */
function agent(t: Test) {
  const time = new HandClock();
  const log: string[] = [];
  const handed: string[] = [];
  let answer: LoadFailure | null = null;
  let onChange: (state: { readonly kind: 'enrolled' } | { readonly kind: 'lost'; readonly reason: string }) => void;
  const pod: EnrolledPod = {
    setListener: async (family) => {
      handed.push(family);
      return undefined;
    },
    counters: async () => ({ captured: 5 }),
    dropListeners: () => void handed.push('dropped'),
    close: () => void handed.push('closed'),
  };
  const redirection = new AgentRedirection({
    socketPath: '/run/agent.sock',
    settings: defaultCaptureSettings,
    schedule: time.schedule,
    enrol: async (options) => {
      handed.push(`enrol ${Object.keys(options.listeners).join(' ')}`);
      onChange = options.onChange!;
      return answer ?? pod;
    },
    log: { info: (text) => void log.push(text), warn: (text) => void log.push(text) },
  });
  const descriptors = connectedPair();
  t.teardown(() => {
    redirection.release();
    for (const fd of descriptors) close(fd);
  });
  return {
    redirection,
    time,
    log,
    handed,
    fd: descriptors[0],
    refuse: (reason: LoadFailure | null) => {
      answer = reason;
    },
    change: (state: Parameters<typeof onChange>[0]) => onChange(state),
  };
}

t.test('the pod is enrolled at once, and its sockets are handed over as they come', async (t) => {
  const { redirection, handed, fd } = agent(t);
  t.match(redirection.problem, /has not answered/);
  await redirection.open();
  t.equal(redirection.problem, null);
  t.equal(redirection.setListener(4, fd), undefined);
  t.equal(redirection.setListener(6, fd), undefined);
  t.same(handed, ['enrol ', 'ipv4', 'ipv6']);
  redirection.counters();
  await Promise.resolve();
  t.same(redirection.counters(), [{ group: 'connections', counts: { captured: 5 } }]);
});

t.test('an agent that is not there is asked again, each time later, and told of once', async (t) => {
  const { redirection, handed, log, time, fd, refuse } = agent(t);
  refuse({ reason: 'nobody is there', wayOut: 'run one' });
  await redirection.open();
  t.equal(redirection.problem, 'nobody is there; run one');
  redirection.setListener(4, fd);
  t.same(time.waits, [100]);
  time.advance(100);
  await new Promise(setImmediate);
  t.same(time.waits, [200]);
  t.same(log, ['nobody is there; run one']);
  refuse(null);
  time.advance(200);
  await new Promise(setImmediate);
  t.equal(redirection.problem, null);
  t.same(handed, ['enrol ', 'enrol ipv4', 'enrol ipv4']);
});

t.test('an agent that goes away is a problem until it is back', async (t) => {
  const { redirection, log, change } = agent(t);
  await redirection.open();
  change({ kind: 'lost', reason: 'the agent ended the connection' });
  t.equal(redirection.problem, 'the agent ended the connection');
  change({ kind: 'enrolled' });
  t.equal(redirection.problem, null);
  t.same(log, ['the agent ended the connection', 'the node agent captures connections of this pod']);
});

t.test('nothing is held open after the end, whenever the agent answers', async (t) => {
  const { redirection, handed, fd } = agent(t);
  const before = openDescriptors();
  redirection.setListener(4, fd);
  redirection.setListener(4, fd);
  const opening = redirection.open();
  redirection.release();
  await opening;
  t.same(handed, ['enrol ipv4', 'closed']);
  t.equal(openDescriptors(), before);
});

t.test('when nothing is accepted any more, sockets are let go and outgoing connections stay redirected', async (t) => {
  const { redirection, handed, fd } = agent(t);
  const before = openDescriptors();
  await redirection.open();
  redirection.setListener(4, fd);
  redirection.stopListening();
  t.same(handed, ['enrol ', 'ipv4', 'dropped']);
  t.equal(openDescriptors(), before);
  t.equal(redirection.problem, null);
  const slow = agent(t);
  const opening = slow.redirection.open();
  slow.redirection.stopListening();
  await opening;
  t.same(slow.handed, ['enrol ', 'dropped'], 'also those of an enrolment that was under way');
});

t.test('an agent that refuses after the end is not asked again', async (t) => {
  const { redirection, time, log, refuse } = agent(t);
  refuse({ reason: 'nobody is there' });
  const opening = redirection.open();
  redirection.release();
  await opening;
  t.same(time.waits, []);
  t.same(log, []);
});
