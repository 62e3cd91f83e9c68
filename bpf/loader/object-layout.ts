// What bpf/generated/ says of each object, made from its BTF (build/bpf-layouts.ts). The loader knows programs, maps and
// constants by these tables only: one added in C can be set from TypeScript at once.

export interface ObjectLayout {
  readonly programs: readonly ProgramLayout[];
  readonly maps: readonly MapLayout[];
  /** `const volatile` variables: what can be set before the object is loaded, and never after. */
  readonly constants: readonly ConstantLayout[];
}

export interface ProgramLayout {
  readonly name: string;
  /** As in SEC(), such as `cgroup/connect4`. */
  readonly section: string;
}

export interface MapLayout {
  readonly name: string;
  /** BPF_MAP_TYPE_*. */
  readonly type: number;
  readonly keyBytes: number;
  readonly valueBytes: number;
  readonly maxEntries: number;
}

export interface ConstantLayout {
  readonly name: string;
  /** In .rodata. */
  readonly offset: number;
  /** 1, 2, 4 or 8. */
  readonly bytes: number;
  readonly signed: boolean;
}
