// The bench command line.
import t from 'tap';
import { parseCommand } from '../../bench/arguments.ts';
import { noItems } from '../support/empty-patterns.ts';
import { onlyItems } from '../support/only-items.ts';

t.test('engine runs everything unless told otherwise', async (t) => {
  t.match(parseCommand(['engine']), {
    kind: 'engine',
    options: { only: noItems, rounds: 5, slotSeconds: 2, write: false },
  });
  t.match(parseCommand(['engine', '--quick']), { options: { quick: true, rounds: 1, slotSeconds: 1 } });
});

t.test('axes and peers are lists of known names', async (t) => {
  const command = parseCommand([
    'engine',
    '--only',
    'small,start',
    '--peers',
    'envoy,nginx',
    '--rounds',
    '7',
    '--write',
  ]);
  t.match(command, {
    options: { only: onlyItems('small', 'start'), peers: onlyItems('envoy', 'nginx'), rounds: 7, write: true },
  });
  t.throws(() => parseCommand(['engine', '--only', 'smal']), /unknown name: smal/);
  t.throws(() => parseCommand(['engine', '--peers', 'apache']), /unknown name: apache/);
});

t.test('xds takes the peers that follow a control plane', async (t) => {
  t.strictSame(parseCommand(['xds']), {
    kind: 'xds',
    options: { rounds: 3, peers: ['envoy', 'outrigger'], write: false },
  });
  t.match(parseCommand(['xds', '--peers', 'envoy', '--rounds', '1']), {
    options: { rounds: 1, peers: onlyItems('envoy') },
  });
  t.throws(() => parseCommand(['xds', '--peers', 'nginx']), /unknown name: nginx/);
  t.match(parseCommand(['xds', '--only', 'minute']), { kind: 'xds-minute', options: { turns: 6 } });
  t.match(parseCommand(['xds', '--only', 'minute', '--write']), { options: { write: true } });
  t.throws(() => parseCommand(['xds', '--only', 'hour']), /unknown name: hour/);
});

t.test('telemetry runs as long as engine', async (t) => {
  t.match(parseCommand(['telemetry']), { kind: 'telemetry', options: { rounds: 5, slotSeconds: 2, write: false } });
});

t.test('bpf measures everything unless told otherwise', async (t) => {
  const all = ['loading', 'events', 'capture', 'shortcut'];
  t.strictSame(parseCommand(['bpf']), {
    kind: 'bpf',
    options: { parts: all, rounds: 5, slotSeconds: 2, write: false },
  });
  t.match(parseCommand(['bpf', '--only', 'events,capture']), { options: { parts: onlyItems('events', 'capture') } });
  t.throws(() => parseCommand(['bpf', '--only', 'small']), /unknown name: small/);
});

t.test('numbers are whole and above zero', async (t) => {
  t.throws(() => parseCommand(['engine', '--rounds', '0']), /--rounds takes a whole number/);
  t.throws(() => parseCommand(['soak', '--minutes', 'x']), /--minutes takes a whole number/);
  t.throws(() => parseCommand(['soak', '--minutes', '1']), /--minutes takes at least 2/);
});

t.test('an unknown command and an unknown option are refused', async (t) => {
  t.throws(() => parseCommand(['race']), /unknown command: race/);
  t.throws(() => parseCommand(['engine', '--fast']), /--fast/);
});
