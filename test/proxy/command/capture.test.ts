import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { IpAddress } from '../../../config/address.ts';
import { ConfigError } from '../../../config/problems.ts';
import { duplicate } from '../../../native/socket.ts';
import { Capture, type CaptureOptions, validateCapture } from '../../../proxy/command/capture.ts';
import { type OpeningOptions, readSettings } from '../../../proxy/command/capture-opening.ts';
import { parseFlags } from '../../../proxy/command/flags.ts';
import type { Redirection, RedirectionFailure } from '../../../proxy/command/redirection.ts';
import type { ShortcutMaps } from '../../../proxy/reactor/shortcut-exit.ts';
import { httpListener, managerOf } from '../../support/data-plane.ts';
import { noItems } from '../../support/empty-patterns.ts';
import { openDescriptors } from '../../support/open-descriptors.ts';

/** A redirection that writes down what it is told. */
function redirection(given: Partial<Redirection> = {}) {
  const calls: string[] = [];
  const made: Redirection = {
    by: 'eBPF',
    notes: [],
    shortcutMaps: null,
    problem: null,
    setListener: (family, fd) => {
      calls.push(`listener ${family} ${fd}`);
      return undefined;
    },
    counters: () => [{ group: 'outbound', counts: { captured: 3 } }],
    descriptors: () => [{ name: 'link', fd: 9 }],
    handOver: () => calls.push('hand over'),
    stopListening: () => calls.push('stop listening'),
    release: (outcome) => {
      calls.push(`release ${outcome}`);
      return undefined;
    },
    ...given,
  };
  return { made, calls };
}

async function opened(outcome: Redirection | RedirectionFailure, given: Partial<CaptureOptions> = {}) {
  const log: string[] = [];
  const asked: OpeningOptions[] = [];
  const note = (...args: readonly unknown[]): number => log.push(String(args.at(-1)));
  const capture = new Capture({
    choice: { kind: 'ebpf' },
    settingsPath: undefined,
    inherited: [],
    useShortcut: () => log.push('short-circuit'),
    log: { info: note, warn: note, error: note },
    load: async () => ({
      readSettings,
      openRedirection: async (options) => {
        asked.push(options);
        return outcome;
      },
    }),
    ...given,
  });
  await capture.open();
  return { capture, log, asked };
}

const at = (ip: string, port: number): IpAddress => ({ kind: 'ip', ip, port });

function sockets(address: IpAddress, ...numbers: number[]) {
  return { configured: address, bound: address, sockets: numbers, isInherited: false };
}

const listener = httpListener('inbound', managerOf([]));

t.test('without --capture nothing is loaded, told or taken away', async (t) => {
  const load = () => Promise.reject(new Error('loaded'));
  const { capture, log } = await opened(redirection().made, { choice: { kind: 'none' }, load });
  capture.onOpened(listener, [sockets(at('0.0.0.0', 15006), 5)]);
  capture.release();
  t.equal(capture.overview(), null);
  t.equal(capture.problem, null);
  t.same(capture.descriptors, []);
  t.same(log, []);
});

t.test('sockets at the inbound port are given what is captured for it, by family, one for all workers', async (t) => {
  const { made, calls } = redirection();
  const { capture } = await opened(made);
  capture.onOpened(listener, [sockets(at('0.0.0.0', 15006), 5, 6), sockets(at('::', 15006), 7, 8)]);
  capture.onOpened(listener, [sockets(at('0.0.0.0', 15001), 9)]);
  t.same(calls, ['listener 4 5', 'listener 6 7']);
  t.same(capture.overview()?.inbound, ['0.0.0.0:15006', '[::]:15006']);
});

t.test('a socket of IPv6 that takes IPv4 peers serves both families', async (t) => {
  const { made, calls } = redirection();
  const { capture } = await opened(made);
  capture.onOpened({ ...listener, ipv4Compatible: true }, [sockets(at('::', 15006), 7)]);
  t.same(calls, ['listener 4 7', 'listener 6 7']);
});

t.test('a socket that cannot be given them is told, and not shown', async (t) => {
  const { capture, log } = await opened(redirection({ setListener: () => 'no such map' }).made);
  capture.onOpened(listener, [sockets(at('0.0.0.0', 15006), 5)]);
  t.equal(log.at(-1), 'inbound connections are not given to 0.0.0.0:15006: no such map');
  t.same(capture.overview()?.inbound, []);
});

t.test('the overview has who captures and what was counted', async (t) => {
  const { capture, log } = await opened(redirection({ notes: ['Something is slower.'] }).made);
  t.same(capture.overview(), {
    asked: 'ebpf',
    by: 'eBPF',
    problem: null,
    notes: ['Something is slower.'],
    policy: 'closed',
    inbound: [],
    counters: [{ group: 'outbound', counts: { captured: 3 } }],
  });
  t.same(log, ['Something is slower.', 'connections are captured by eBPF']);
});

t.test('capture that cannot be done leaves the proxy not ready, and says why', async (t) => {
  const { capture, log } = await opened({ problem: 'no cgroup2 is mounted', notes: [] });
  capture.onOpened(listener, [sockets(at('0.0.0.0', 15006), 5)]);
  capture.release();
  t.equal(capture.problem, 'no cgroup2 is mounted');
  t.match(capture.overview(), { by: null, problem: 'no cgroup2 is mounted', counters: noItems });
  t.same(log, ['nothing is captured, so this proxy is not ready: no cgroup2 is mounted']);
});

t.test('with a short-circuit workers copy, before anything is served', async (t) => {
  const { log } = await opened(redirection({ shortcutMaps: {} as ShortcutMaps }).made);
  t.equal(log[0], 'short-circuit');
});

t.test('at the end a closed policy leaves in place what can stay, an open one takes it away', async (t) => {
  const closed = redirection();
  (await opened(closed.made)).capture.release();
  t.same(closed.calls, ['release stay']);
  const open = redirection();
  const settingsPath = settingsFile(t, 'capture: { policy: open }');
  (await opened(open.made, { settingsPath })).capture.release();
  t.same(open.calls, ['release detach']);
});

t.test('a process that handed over takes nothing away, and its successor gets what it had', async (t) => {
  const { made, calls } = redirection();
  const settingsPath = settingsFile(t, 'capture: { policy: open }');
  const { capture } = await opened(made, { settingsPath });
  t.same(capture.descriptors, [{ name: 'link', fd: 9 }]);
  capture.handOver();
  capture.release();
  t.same(calls, ['hand over', 'release stay']);
  const inherited = [{ name: 'link', fd: duplicate(0) }];
  const { asked } = await opened(redirection().made, { inherited });
  t.same(asked[0]?.inherited, inherited);
});

t.test(
  'what a process before handed over is closed once it was looked at, also when nothing is captured',
  async (t) => {
    const before = openDescriptors();
    const inherited = () => [{ name: 'link', fd: duplicate(0) }];
    await opened(redirection().made, { inherited: inherited() });
    await opened(redirection().made, { inherited: inherited(), choice: { kind: 'none' } });
    const load = () => Promise.reject(new Error('not there'));
    await t.rejects(opened(redirection().made, { inherited: inherited(), load }), { message: 'not there' });
    t.equal(openDescriptors(), before);
  },
);

function settingsFile(t: Test, text: string): string {
  const path = join(t.testdir(), 'capture.yaml');
  writeFileSync(path, text);
  return path;
}

t.test('settings of a file are used, and refused with their path', async (t) => {
  const settingsPath = settingsFile(t, 'capture: { inbound: { port: 16006 } }');
  const { asked } = await opened(redirection().made, { settingsPath });
  t.equal(asked[0]?.settings.inbound.port, 16006);
  for (const [text, problem] of [
    ['capture: { inbound: { prt: 16006 } }', /capture\.inbound\.prt/],
    ['capture: [', /capture\.yaml/],
  ] as const) {
    const wrong = settingsFile(t, text);
    await t.rejects(opened(redirection().made, { settingsPath: wrong }), problem);
    await t.rejects(
      validateCapture(parseFlags(['-c', 'x', '--capture', 'auto', '--capture-settings', wrong])),
      problem,
    );
  }
  const absent = join(t.testdir(), 'absent.yaml');
  await t.rejects(opened(redirection().made, { settingsPath: absent }), new ConfigError(absent, []).constructor);
});
