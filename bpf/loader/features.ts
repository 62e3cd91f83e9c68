// What redirection, the short-circuit and events need of a machine: what each is for, what does not work without it, and
// what somebody can do about it. Versions are for people, who decide about kernels; the program itself asks the kernel
// (probes.ts), since distributions move features back.

/** What a feature is needed for. `pins`: that capture outlives the process. */
export type Use = 'outbound' | 'inbound' | 'dns' | 'shortcut' | 'events' | 'pins';

export type FeatureName =
  | 'libbpf'
  | 'capabilities'
  | 'cgroup2'
  | 'bpffs'
  | 'connect'
  | 'sockops'
  | 'getsockopt'
  | 'getpeername'
  | 'sendmsg'
  | 'recvmsg'
  | 'sk-storage'
  | 'socket-lookup'
  | 'netns-cookie'
  | 'ancestor-cgroup'
  | 'lru-hash'
  | 'lpm-trie'
  | 'mapped-array'
  | 'sockmap'
  | 'sk-lookup'
  | 'ingress-ifindex'
  | 'sockhash'
  | 'sk-msg'
  | 'sockmap-link'
  | 'ring-buffer'
  | 'kernel-btf';

export interface Feature {
  readonly name: FeatureName;
  /** In a few words. */
  readonly title: string;
  /** These do not work without it. */
  readonly neededFor: readonly Use[];
  /** What it is for. */
  readonly purpose: string;
  /** What its absence means. */
  readonly absence: string;
  readonly wayOut: string;
  /** Programs that are left out without it. */
  readonly programs?: readonly string[];
}

const KERNEL = (version: string) => `run a kernel that has it (Linux ${version}), or capture with iptables`;

/** In the order in which it makes sense to mend them. */
export const FEATURES: readonly Feature[] = [
  {
    name: 'libbpf',
    title: 'libbpf 1.x',
    neededFor: ['outbound', 'inbound', 'dns', 'shortcut', 'events', 'pins'],
    purpose: 'loads programs into the kernel',
    absence: 'nothing of eBPF works; capture falls back to iptables',
    wayOut: 'install libbpf 1.x (libbpf1 on Debian and Ubuntu, libbpf on Fedora and Alpine)',
  },
  {
    name: 'capabilities',
    title: 'CAP_BPF and CAP_NET_ADMIN',
    neededFor: ['outbound', 'inbound', 'dns', 'shortcut', 'events', 'pins'],
    purpose: 'lets a process load and attach programs without being root',
    absence: 'the kernel refuses every program',
    wayOut:
      'run with CAP_BPF and CAP_NET_ADMIN (securityContext.capabilities.add: [BPF, NET_ADMIN]); CAP_SYS_ADMIN before Linux 5.8',
  },
  {
    name: 'cgroup2',
    title: 'cgroup v2',
    neededFor: ['outbound', 'dns', 'shortcut', 'events'],
    purpose: 'the place where connections of an application are seen',
    absence: 'outbound connections cannot be captured by eBPF',
    wayOut: 'mount it (mount -t cgroup2 none /sys/fs/cgroup/unified) or boot with systemd.unified_cgroup_hierarchy=1',
  },
  {
    name: 'bpffs',
    title: 'bpffs, writable',
    neededFor: ['pins'],
    purpose: 'keeps capture in place while the sidecar restarts',
    absence: 'capture ends with the process: connections made in between bypass the sidecar',
    wayOut:
      'mount it (mount -t bpf bpf /sys/fs/bpf; in Kubernetes a hostPath volume), or let the node agent keep the pins',
  },
  {
    name: 'connect',
    title: 'programs at connect(2)',
    neededFor: ['outbound', 'dns'],
    purpose: 'sends connections of the application to the sidecar',
    absence: 'outbound connections cannot be captured by eBPF',
    wayOut: KERNEL('4.17 with CONFIG_CGROUP_BPF'),
  },
  {
    name: 'sockops',
    title: 'programs at the life of sockets',
    neededFor: ['outbound', 'shortcut', 'events'],
    purpose: 'notes where a connection was going before it leaves',
    absence: 'the sidecar could not learn the original destination',
    wayOut: KERNEL('4.13 with CONFIG_CGROUP_BPF'),
  },
  {
    name: 'getsockopt',
    title: 'programs at getsockopt(2)',
    neededFor: ['outbound', 'inbound'],
    purpose: 'answers SO_ORIGINAL_DST as iptables does',
    absence: 'the sidecar could not learn the original destination',
    wayOut: KERNEL('5.3 with CONFIG_CGROUP_BPF'),
  },
  {
    name: 'getpeername',
    title: 'programs at getpeername(2)',
    neededFor: [],
    purpose: 'shows the application the address that it asked for',
    absence: "applications see the sidecar's address as their peer's; few look",
    wayOut: KERNEL('5.8'),
    programs: ['or_peer4', 'or_peer6'],
  },
  {
    name: 'sendmsg',
    title: 'programs at sendmsg(2)',
    neededFor: ['dns'],
    purpose: 'sends DNS queries to the sidecar',
    absence: 'queries of resolvers that do not connect their sockets go out as they are',
    wayOut: KERNEL('4.18'),
    programs: ['or_send4', 'or_send6', 'or_recv4', 'or_recv6'],
  },
  {
    name: 'recvmsg',
    title: 'programs at recvmsg(2)',
    neededFor: ['dns'],
    purpose: 'shows a resolver the answer of the server that it asked',
    absence: 'resolvers discard the answers of the sidecar, so DNS is not captured',
    wayOut: KERNEL('5.2'),
    programs: ['or_send4', 'or_send6', 'or_recv4', 'or_recv6'],
  },
  {
    name: 'sk-storage',
    title: 'storage of sockets',
    neededFor: ['outbound', 'dns', 'shortcut', 'events'],
    purpose: 'keeps what was asked for with the socket, as long as it lives',
    absence: 'outbound connections cannot be captured by eBPF',
    wayOut: KERNEL('5.8'),
  },
  {
    name: 'socket-lookup',
    title: 'asking for listeners (bpf_sk_lookup_tcp)',
    neededFor: ['outbound'],
    purpose: 'finds out whether the sidecar listens, for the policy open or closed',
    absence: 'outbound connections cannot be captured by eBPF',
    wayOut: KERNEL('4.20'),
  },
  {
    name: 'netns-cookie',
    title: 'cookies of network namespaces',
    neededFor: ['outbound'],
    purpose: 'tells the pod from others below the same cgroup',
    absence: 'outbound connections cannot be captured by eBPF',
    wayOut: KERNEL('5.7'),
  },
  {
    name: 'ancestor-cgroup',
    title: 'cgroups above a process',
    neededFor: ['outbound'],
    purpose: "tells the application's processes from the sidecar's, however deep they are",
    absence: 'outbound connections cannot be captured by eBPF',
    wayOut: KERNEL('5.7'),
  },
  {
    name: 'lru-hash',
    title: 'hash maps that drop the oldest',
    neededFor: ['outbound'],
    purpose: 'original destinations, in bounded memory',
    absence: 'outbound connections cannot be captured by eBPF',
    wayOut: KERNEL('4.10'),
  },
  {
    name: 'lpm-trie',
    title: 'maps of prefixes',
    neededFor: ['outbound'],
    purpose: 'ranges of addresses that are included and excluded',
    absence: 'outbound connections cannot be captured by eBPF',
    wayOut: KERNEL('4.11'),
  },
  {
    name: 'mapped-array',
    title: 'arrays that are mapped into memory',
    neededFor: ['outbound', 'inbound', 'shortcut', 'events'],
    purpose: 'counters that are read without a system call',
    absence: 'no program of ours loads',
    wayOut: KERNEL('5.5'),
  },
  {
    name: 'sockmap',
    title: 'maps of sockets',
    neededFor: ['inbound'],
    purpose: "holds the sidecar's listeners",
    absence: 'inbound connections cannot be captured by eBPF',
    wayOut: KERNEL('5.9 with CONFIG_NET_SOCK_MSG'),
  },
  {
    name: 'sk-lookup',
    title: 'programs at the choice of a listener (sk_lookup)',
    neededFor: ['inbound'],
    purpose: 'gives inbound connections to the sidecar',
    absence: 'inbound connections cannot be captured by eBPF',
    wayOut: KERNEL('5.9'),
  },
  {
    name: 'ingress-ifindex',
    title: 'the interface of an inbound connection',
    neededFor: [],
    purpose: 'tells connections over loopback from others',
    absence: 'connections between addresses of the pod itself count as inbound only by their addresses',
    wayOut: KERNEL('5.17'),
  },
  {
    name: 'sockhash',
    title: 'hash maps of sockets',
    neededFor: ['shortcut'],
    purpose: 'finds the other end of a local connection',
    absence: 'no short-circuit: local bytes take the way through TCP',
    wayOut: KERNEL('4.18 with CONFIG_NET_SOCK_MSG'),
  },
  {
    name: 'sk-msg',
    title: 'programs at sending (sk_msg)',
    neededFor: ['shortcut'],
    purpose: 'hands bytes to the other end without TCP',
    absence: 'no short-circuit: local bytes take the way through TCP',
    wayOut: KERNEL('4.18 with CONFIG_NET_SOCK_MSG'),
  },
  {
    name: 'sockmap-link',
    title: 'links to maps of sockets',
    neededFor: [],
    purpose: 'detaches the short-circuit whenever the process ends, and lets it be pinned',
    absence: 'the short-circuit is attached to its map and ends with it; it cannot be pinned',
    wayOut: 'nothing needs to be done (Linux 6.10 has it)',
  },
  {
    name: 'ring-buffer',
    title: 'ring buffers',
    neededFor: ['events'],
    purpose: 'brings events to user space without copies',
    absence: 'no events of connections',
    wayOut: 'run a kernel that has it (Linux 5.8); capture does not need it',
  },
  {
    name: 'kernel-btf',
    title: 'types of the kernel (BTF)',
    neededFor: [],
    purpose: 'building the programs on this machine',
    absence: 'programs cannot be built here; those of the package load nevertheless',
    wayOut: 'build on a kernel with CONFIG_DEBUG_INFO_BTF',
  },
];
