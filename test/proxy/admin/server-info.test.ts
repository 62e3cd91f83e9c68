import t from 'tap';
import { parseFlags } from '../../../proxy/command/flags.ts';
import { startAdmin } from '../../support/admin-fixtures.ts';

t.test('server_info says what runs, since when, and how it was started', async (t) => {
  const admin = await startAdmin();
  t.teardown(admin.stop);
  admin.state.onApplied(1, []);
  t.match(JSON.parse((await admin.get('/server_info')).text), {
    version: 'outrigger/1.2.3',
    state: 'LIVE',
    uptime_current_epoch: /^\d+s$/,
    node: { id: 'n', cluster: 'c', locality: { region: 'r', zone: 'z' } },
    command_line_options: {
      concurrency: 1,
      config_path: 'bootstrap.yaml',
      drain_time: '0s',
      mode: 'Serve',
      drain_strategy: 'Gradual',
    },
  });
});

t.test('server_info has the options and the node as Envoy shows them', async (t) => {
  const admin = await startAdmin({ options: { flags: parseFlags(['-c', 'x', '--file-flush-interval-msec', '50']) } });
  t.teardown(admin.stop);
  t.match(JSON.parse((await admin.get('/server_info')).text), {
    hot_restart_initializing: false,
    node: {
      user_agent_name: 'outrigger',
      user_agent_build_version: { version: { major_number: 1, minor_number: 2, patch: 3 } },
    },
    command_line_options: {
      file_flush_interval: '0.050s',
      parent_shutdown_time: '900s',
      local_address_ip_version: 'v4',
    },
  });
});

t.test('server_info does not tell a configuration of the command line, which may have keys in it', async (t) => {
  const flags = parseFlags(['--config-yaml', 'admin: {} # a secret']);
  const admin = await startAdmin({ options: { flags } });
  t.teardown(admin.stop);
  const { text } = await admin.get('/server_info');
  t.match(JSON.parse(text), { command_line_options: { config_path: '', config_yaml: '[redacted]' } });
  t.notMatch(text, 'secret');
});

t.test('listeners are lines or JSON, with the ports that the kernel gave', async (t) => {
  const admin = await startAdmin();
  t.teardown(admin.stop);
  admin.state.onApplied(1, [
    { name: 'four', address: '127.0.0.1:8080' },
    { name: 'six', address: '[::1]:8081' },
    { name: 'pipe', address: '/run/x.sock' },
  ]);
  t.equal((await admin.get('/listeners')).text, 'four::127.0.0.1:8080\nsix::[::1]:8081\npipe::/run/x.sock\n');
  t.strictSame(JSON.parse((await admin.get('/listeners?format=json')).text).listener_statuses, [
    { name: 'four', local_address: { socket_address: { address: '127.0.0.1', port_value: 8080 } } },
    { name: 'six', local_address: { socket_address: { address: '::1', port_value: 8081 } } },
    { name: 'pipe', local_address: { pipe: { path: '/run/x.sock' } } },
  ]);
});

t.test('memory is in bytes, as text', async (t) => {
  const admin = await startAdmin();
  t.teardown(admin.stop);
  const memory = JSON.parse((await admin.get('/memory')).text);
  for (const name of ['allocated', 'heap_size', 'total_physical_bytes']) t.ok(Number(memory[name]) > 1e6, name);
  t.type(memory.allocated, 'string');
});
