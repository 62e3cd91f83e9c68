import t, { type Test } from 'tap';
import type { EnrolmentState } from '../../../bpf/agent/agent-client.ts';
import { defaultCaptureSettings } from '../../../bpf/capture/settings.ts';
import type { LoadFailure } from '../../../bpf/loader/load-failure.ts';
import { AgentRedirection, type PodEnrolment } from '../../../proxy/command/agent-redirection.ts';
import { HandClock } from '../../support/discovery-fixtures.ts';

/** An agent that answers what the test has it answer. */
function agent(t: Test) {
  const time = new HandClock();
  const log: string[] = [];
  const asked: string[] = [];
  let answer: LoadFailure | undefined;
  let isHeld = false;
  let onChange: (state: EnrolmentState) => void;
  const enrolment: PodEnrolment = {
    open: async () => {
      asked.push('enrol');
      const failure = answer;
      await undefined;
      if (failure === undefined) onChange({ kind: 'enrolled' });
      return failure;
    },
    setListener: async (family) => {
      asked.push(family);
      return isHeld ? { reason: 'it is held by somebody else' } : undefined;
    },
    counters: async () => ({ captured: 5 }),
    dropListeners: () => void asked.push('dropped'),
    close: () => void asked.push('closed'),
  };
  const redirection = new AgentRedirection({
    socketPath: '/run/agent.sock',
    settings: defaultCaptureSettings,
    schedule: time.schedule,
    enrolment: (options) => {
      onChange = options.onChange!;
      return enrolment;
    },
    log: { info: (text) => void log.push(text), warn: (text) => void log.push(text) },
  });
  t.teardown(() => redirection.release());
  return {
    redirection,
    time,
    log,
    asked,
    refuse: (reason: LoadFailure | undefined) => {
      answer = reason;
    },
    hold: () => {
      isHeld = true;
    },
    change: (state: EnrolmentState) => onChange(state),
  };
}

t.test('the pod is enrolled at once, and its sockets are handed over as they come', async (t) => {
  const { redirection, asked } = agent(t);
  t.match(redirection.problem, /has not answered/);
  await redirection.open();
  t.equal(redirection.problem, null);
  t.equal(redirection.setListener(4, 11), undefined);
  t.equal(redirection.setListener(6, 12), undefined);
  t.same(asked, ['enrol', 'ipv4', 'ipv6']);
  redirection.counters();
  await Promise.resolve();
  t.same(redirection.counters(), [{ group: 'connections', counts: { captured: 5 } }]);
});

t.test('a socket that the agent does not take is a problem', async (t) => {
  const { redirection, log, hold } = agent(t);
  await redirection.open();
  hold();
  redirection.setListener(4, 11);
  await new Promise(setImmediate);
  t.equal(redirection.problem, 'it is held by somebody else');
  t.equal(log.at(-1), 'it is held by somebody else');
});

t.test('an agent that is not there is asked again, each time later, and told of once', async (t) => {
  const { redirection, asked, log, time, refuse } = agent(t);
  refuse({ reason: 'nobody is there', wayOut: 'run one' });
  await redirection.open();
  t.equal(redirection.problem, 'nobody is there; run one');
  t.same(time.waits, [100]);
  time.advance(100);
  await new Promise(setImmediate);
  t.same(time.waits, [200]);
  t.same(log, ['nobody is there; run one']);
  refuse(undefined);
  time.advance(200);
  await new Promise(setImmediate);
  t.equal(redirection.problem, null);
  t.same(time.waits, []);
  t.same(asked, ['enrol', 'enrol', 'enrol']);
});

t.test('an agent that goes away is a problem until it is back', async (t) => {
  const { redirection, log, change } = agent(t);
  await redirection.open();
  change({ kind: 'lost', reason: 'the agent ended the connection' });
  t.equal(redirection.problem, 'the agent ended the connection');
  change({ kind: 'enrolled' });
  t.equal(redirection.problem, null);
  t.same(log.slice(1), ['the agent ended the connection', 'the node agent captures connections of this pod']);
});

t.test('when nothing is accepted any more, sockets are let go and outgoing connections stay redirected', async (t) => {
  const { redirection, asked } = agent(t);
  await redirection.open();
  redirection.stopListening();
  t.same(asked, ['enrol', 'dropped']);
  t.equal(redirection.problem, null);
  redirection.release();
  t.same(asked, ['enrol', 'dropped', 'closed']);
});

t.test('what was handed over to a successor is not held any more', async (t) => {
  const { redirection, asked, log } = agent(t);
  await redirection.open();
  redirection.handOver();
  t.same(asked, ['enrol', 'closed']);
  t.equal(log.length, 1, 'which is no problem to tell');
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
