// What the application asked for, where the loader's other objects read it too.

#pragma once

#include "address.h"

/**
 * A redirected connection as the proxy sees its other end. One port of an application may be connected to two of the
 * proxy's: for connections and for DNS. Ports in host order.
 */
struct peer {
  struct address address;
  __u16 port;
  __u16 proxy_port;
};

/** Where it was going, and who asked. */
struct original {
  struct endpoint destination;
  __u32 uid;
  __u64 cookie;
  __u64 cgroup;
};

/**
 * By the application's socket: what it asked for. It is freed with the socket, so it cannot leak, and a connection that
 * is refused leaves nothing behind.
 */
struct {
  __uint(type, BPF_MAP_TYPE_SK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, struct original);
} sk_orig SEC(".maps");
