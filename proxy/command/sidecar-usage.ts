// What `--help` says of the programs that stand in the place of Istio's agent. Asked for before anything else is: who tries one
// on a machine of his own has none of the variables that a pod has.

const sidecar = `outrigger sidecar [ISTIO'S ARGUMENTS] [option…]

Serves as the sidecar of an Istio pod, without a bootstrap and without Istio's agent. It takes the arguments that Istio's
injector writes (--domain, --proxyLogLevel, --concurrency …), and the options of outrigger --help.

Required in the environment, from the downward API: POD_NAME, POD_NAMESPACE, INSTANCE_IP (or INSTANCE_IPS).
Where the control plane is: discoveryAddress in PROXY_CONFIG. All variables, and ports: docs/sidecar.md
`;

const wait = `outrigger wait [option…]

Ends with 0 when the sidecar is ready, with 1 and the reason when the time is over.

  --url URL                    what answers 200 then; default http://localhost:15021/healthz/ready
  --timeoutSeconds N           the time; default 60
  --requestTimeoutMillis N     of one question; default 500
  --periodMillis N             between two; default 500
`;

const request = `outrigger request [--debug-port PORT] METHOD PATH [BODY]

Asks the sidecar beside it and prints the answer; a status from 400 on is an error.

  --debug-port PORT            15000, the admin interface and the default; 15004, 15020 or 15021
`;

const usages: ReadonlyMap<string, string> = new Map([
  ['sidecar', sidecar],
  ['proxy', sidecar],
  ['wait', wait],
  ['request', request],
]);

/** Undefined for another program, and where nobody asks. */
export function requestedUsage([program = '', ...args]: readonly string[]): string | undefined {
  return args.includes('--help') || args.includes('-h') ? usages.get(program) : undefined;
}
