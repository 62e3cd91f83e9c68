import t from 'tap';
import { chooseIdentity } from '../../../proxy/command/sidecar-identity.ts';
import { readEnvironment } from '../../../proxy/sidecar/environment.ts';
import { IdentityKeeper } from '../../../xds/identity/identity-keeper.ts';
import { MountedIdentity } from '../../../xds/identity/mounted-identity.ts';
import { WorkloadApi } from '../../../xds/identity/workload-api.ts';

const lines: string[] = [];
const log = new Proxy({} as Parameters<typeof chooseIdentity>[1], {
  get: (_target, level) => (_facts: object, text: string) => lines.push(`${String(level)} ${text}`),
});
const choose = (variables: Record<string, string> = {}) => {
  const pod = { POD_NAME: 'a', POD_NAMESPACE: 'b', INSTANCE_IP: '127.0.0.1', ...variables };
  return chooseIdentity(readEnvironment({ variables: pod, readFile: () => undefined }), log);
};

t.test('the CA, unless the environment names an agent or files', async (t) => {
  t.type(choose(), IdentityKeeper);
  t.type(choose({ SPIFFE_ENDPOINT_SOCKET: 'unix:///run/spire/agent.sock', FILE_MOUNTED_CERTS: 'true' }), WorkloadApi);
  t.type(choose({ FILE_MOUNTED_CERTS: 'true' }), MountedIdentity);
});

t.test('a CA in clear text is not asked, and that is said', async (t) => {
  t.equal(choose({ CA_ADDR: 'istiod:15010' }), undefined);
  t.match(lines.at(-1), /^warn no CA is asked over a connection in clear text/);
});

t.test('the Workload API is spoken over Unix sockets only', async (t) => {
  t.throws(() => choose({ SPIFFE_ENDPOINT_SOCKET: 'tcp://10.0.0.1:8081' }), {
    message: /tcp:\/\/10\.0\.0\.1:8081 is not supported/,
  });
});
