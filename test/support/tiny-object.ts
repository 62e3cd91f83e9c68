// A BPF object of a few instructions, for tests of the calls themselves. It includes no header of the kernel's, so that
// clang is all it needs.

import { execFileSync } from 'node:child_process';
import type { Test } from 'tap';
import { BpfObject } from '../../native/bpf-object.ts';

/** `tn_connect4` adds `step` to the first of the counters and lets pass; `tn_lookup` passes or drops by `verdict`. */
export const TINY_SOURCE = `
#define SEC(name) __attribute__((section(name), used))
#define __uint(name, value) int (*name)[value]
#define __type(name, type) typeof(type) *name
static void *(*bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
struct {
  __uint(type, 2); __uint(max_entries, 4); __uint(map_flags, 1 << 10);
  __type(key, unsigned int); __type(value, unsigned long long);
} counters SEC(".maps");
struct { __uint(type, 27); __uint(max_entries, 4096); } events SEC(".maps");
const volatile unsigned int step = 1;
const volatile unsigned int verdict = 1;
SEC("cgroup/connect4") int tn_connect4(void *ctx) {
  unsigned int key = 0;
  unsigned long long *counter = bpf_map_lookup_elem(&counters, &key);
  if (counter) __sync_fetch_and_add(counter, step);
  return 1;
}
SEC("sk_lookup") int tn_lookup(void *ctx) { return verdict; }
char _license[] SEC("license") = "Dual BSD/GPL";
`;

/** The first counter may be missing, as far as the verifier knows. */
export const REFUSED_SOURCE = TINY_SOURCE.replace('if (counter) ', '').replace('key = 0', 'key = 9');

/** The bytes of an object file, made by clang. */
export function compiled(source = TINY_SOURCE): Buffer {
  const known = objects.get(source);
  if (known !== undefined) return known;
  const bytes = execFileSync('clang', ['-O2', '-g', '-target', 'bpf', '-c', '-x', 'c', '-', '-o', '-'], {
    input: source,
  });
  objects.set(source, bytes);
  return bytes;
}

/** An object that is open until the end of `t`. */
export function openedObject(t: Test, bytes: Uint8Array = compiled()): BpfObject {
  const object = BpfObject.open(bytes, 'tiny');
  if (typeof object === 'number') throw new Error(`the object cannot be opened: ${object}`);
  t.teardown(() => object.close());
  return object;
}

/** As `openedObject`, and in the kernel. */
export function loadedObject(t: Test): BpfObject {
  const object = openedObject(t);
  const { errno, verifierLog } = object.load();
  if (errno !== 0) throw new Error(`the object cannot be loaded: ${errno} ${verifierLog}`);
  return object;
}

const objects = new Map<string, Buffer>();
