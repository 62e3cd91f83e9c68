import t from 'tap';
import { Errno } from '../../../native/errno.ts';
import { listenerFailureText, workerFailureText } from '../../../proxy/command/failure-text.ts';

t.test('a listener with the address of the admin interface is told of that', async (t) => {
  const admin = { kind: 'ip', ip: '127.0.0.1', port: 9901 } as const;
  const text = (address: string, errno?: number) =>
    listenerFailureText('l', { address, reason: 'why', ...(errno !== undefined && { errno }) }, admin);
  t.equal(
    text('127.0.0.1:9901', Errno.EADDRINUSE),
    'listener l cannot listen on 127.0.0.1:9901: it is the address of the admin interface; give one of them another',
  );
  t.equal(text('127.0.0.1:9902', Errno.EADDRINUSE), 'listener l cannot listen on 127.0.0.1:9902: why');
  t.equal(text('127.0.0.1:9901', Errno.EACCES), 'listener l cannot listen on 127.0.0.1:9901: why');
  t.equal(text('127.0.0.1:9901'), 'listener l cannot listen on 127.0.0.1:9901: why', 'nobody asked the kernel');
});

t.test('a worker for which no descriptors are left says how to have more, any other has its stack', async (t) => {
  const short = Object.assign(new Error('Worker initialization failure: EMFILE'), { code: 'ERR_WORKER_INIT_FAILED' });
  t.equal(
    workerFailureText(1, short),
    'worker 1 cannot begin: this process has as many files open as it may; raise its limit (ulimit -n)',
  );
  const fault = new Error('a fault');
  t.equal(
    workerFailureText(0, fault),
    `worker 0 died and with it all its connections; the process ends: ${fault.stack}`,
  );
});
