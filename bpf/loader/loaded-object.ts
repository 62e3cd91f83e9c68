// An object in the kernel: its programs verified, its maps made or taken over. Nothing is attached yet (attachment.ts),
// and all of it goes when it is closed and nothing else holds it.

import { BpfMap } from '../../native/bpf-map.ts';
import { BpfObject } from '../../native/bpf-object.ts';
import { libbpfProblem } from '../../native/libbpf.ts';
import { type ConstantValues, writeConstants } from './constant-writer.ts';
import { isFailure, type LoadFailure, systemFailure } from './load-failure.ts';
import { isSameShape, reuseProblem, shapeDifference } from './map-shape.ts';
import type { ObjectFiles, ObjectName } from './object-files.ts';
import { LAYOUTS } from './object-layouts.ts';
import { verifierFailure } from './verifier-log.ts';

export interface LoadOptions {
  /** By their names in C; those that are not given keep the values of the sources. */
  readonly constants: ConstantValues;
  /** Map name → descriptor of the map to use in place of a new one. Descriptors stay the caller's. */
  readonly reuse?: Readonly<Record<string, number>> | undefined;
  /** Map name → for how many entries it is made. */
  readonly maxEntries?: Readonly<Record<string, number>> | undefined;
  /** Programs that are left out, since this kernel lacks what they need. */
  readonly without?: readonly string[] | undefined;
}

/** Loads `name`. A failure leaves nothing behind, and carries all that the verifier said if it was the one to refuse. */
export function loadObject(files: ObjectFiles, name: ObjectName, options: LoadOptions): LoadedObject | LoadFailure {
  const prepared = PreparedObject.open(files, name, options);
  return isFailure(prepared) ? prepared : prepared.load();
}

/** An object that is ready to be loaded. Whoever opens it loads or closes it. */
export class PreparedObject {
  readonly #name: ObjectName;
  readonly #open: () => BpfObject | LoadFailure;
  readonly #object: BpfObject;

  private constructor(name: ObjectName, open: () => BpfObject | LoadFailure, object: BpfObject) {
    this.#name = name;
    this.#open = open;
    this.#object = object;
  }

  /** The maps of `options.reuse` stay open until `load` has returned. */
  static open(files: ObjectFiles, name: ObjectName, options: LoadOptions): PreparedObject | LoadFailure {
    const open = () => openObject(files, name, options);
    const object = open();
    return isFailure(object) ? object : new PreparedObject(name, open, object);
  }

  /** Loading begins, on a thread of its own. */
  begin(): void {
    this.#object.beginLoading();
  }

  /** Once. As `loadObject`. */
  load(): LoadedObject | LoadFailure {
    if (this.#object.loadQuietly() === 0) return new LoadedObject(this.#name, this.#object);
    this.#object.close();
    // Again, to hear why: to listen takes buffers for each program and a callback, and few loads fail.
    const object = this.#open();
    if (isFailure(object)) return object;
    const failure = loadAndListen(object, this.#name);
    if (failure === undefined) return new LoadedObject(this.#name, object);
    object.close();
    return failure;
  }

  /** In place of `load`. */
  close(): void {
    this.#object.close();
  }
}

export class LoadedObject {
  readonly name: ObjectName;
  readonly #object: BpfObject;
  readonly #maps = new Map<string, BpfMap>();

  constructor(name: ObjectName, object: BpfObject) {
    this.name = name;
    this.#object = object;
  }

  /** Valid until `close`. A negated errno for a program that was left out. */
  programFd(program: string): number {
    return this.#object.programFd(program);
  }

  /** As `programFd`. */
  mapFd(map: string): number {
    return this.#object.mapFd(map);
  }

  /** Throws for a map that the object does not have: a fault of the caller. */
  map(name: string): BpfMap {
    const known = this.#maps.get(name);
    if (known !== undefined) return known;
    const shape = this.#object.maps.find((map) => map.name === name);
    if (shape === undefined) throw new Error(`object ${this.name} has no map ${name}`);
    const map = new BpfMap(this.mapFd(name), shape.keyBytes, shape.valueBytes);
    this.#maps.set(name, map);
    return map;
  }

  /** What is attached or pinned stays. */
  close(): void {
    this.#maps.clear();
    this.#object.close();
  }
}

function openObject(files: ObjectFiles, name: ObjectName, options: LoadOptions): BpfObject | LoadFailure {
  const problem = libbpfProblem();
  if (problem !== undefined) return { reason: `cannot load BPF objects: ${problem}` };
  const bytes = files.read(name);
  if (isFailure(bytes)) return bytes;
  const object = BpfObject.open(bytes, name);
  if (typeof object === 'number') return systemFailure(`read the BPF object ${name}`, object);
  const failure = versionProblem(object, name) ?? prepare(object, name, options);
  if (failure === undefined) return object;
  object.close();
  return failure;
}

/** Where libbpf keeps `const volatile` variables until they are loaded. */
const CONSTANTS = '.rodata';

const REBUILD = 'build the objects anew with `npm run build:bpf`, or install the package again';

/** The tables are compiled into this program, the objects lie beside it: both must be of the same sources. */
function versionProblem(object: BpfObject, name: ObjectName): LoadFailure | undefined {
  const layout = LAYOUTS[name];
  const of = `the BPF object ${name} was built of other sources than this program`;
  const missing = layout.programs.find((program) => !object.programs.some(({ name }) => name === program.name));
  if (missing !== undefined) return { reason: `${of}: it has no program ${missing.name}`, wayOut: REBUILD };
  for (const map of layout.maps) {
    const there = object.maps.find(({ name }) => name === map.name);
    if (there === undefined) return { reason: `${of}: it has no map ${map.name}`, wayOut: REBUILD };
    if (!isSameShape(map, there)) return { reason: `${of}: ${shapeDifference(map.name, map, there)}`, wayOut: REBUILD };
  }
  return undefined;
}

function prepare(object: BpfObject, name: ObjectName, options: LoadOptions): LoadFailure | undefined {
  return (
    leaveOut(object, options.without ?? []) ??
    resize(object, options.maxEntries ?? {}) ??
    takeOver(object, options) ??
    setConstants(object, name, options.constants)
  );
}

function leaveOut(object: BpfObject, programs: readonly string[]): LoadFailure | undefined {
  for (const program of programs) {
    const result = object.setAutoload(program, false);
    if (result < 0) return { reason: `cannot leave out program ${program}: the object has none of this name` };
  }
  return undefined;
}

function resize(object: BpfObject, maxEntries: Readonly<Record<string, number>>): LoadFailure | undefined {
  for (const [map, entries] of Object.entries(maxEntries)) {
    const isThere = object.maps.some(({ name }) => name === map);
    if (!isThere) return { reason: `cannot size map ${map}: the object has none of this name` };
    const result = object.setMaxEntries(map, entries);
    if (result < 0) return systemFailure(`make room for ${entries} entries in map ${map}`, result);
  }
  return undefined;
}

function takeOver(object: BpfObject, { reuse = {}, maxEntries = {} }: LoadOptions): LoadFailure | undefined {
  for (const [map, fd] of Object.entries(reuse)) {
    const shape = object.maps.find(({ name }) => name === map);
    if (shape === undefined) return { reason: `cannot take over map ${map}: the object has none of this name` };
    const problem = reuseProblem(map, { ...shape, maxEntries: maxEntries[map] ?? shape.maxEntries }, fd);
    if (problem !== undefined) return problem;
    const result = object.reuseMap(map, fd);
    if (result < 0) return systemFailure(`take over map ${map}`, result);
  }
  return undefined;
}

function setConstants(object: BpfObject, name: ObjectName, values: ConstantValues): LoadFailure | undefined {
  if (Object.keys(values).length === 0) return undefined;
  const section = object.initialValue(CONSTANTS);
  if (typeof section === 'number') return { reason: `the BPF object ${name} has no constants` };
  const failure = writeConstants(section, LAYOUTS[name].constants, values);
  if (failure !== undefined) return failure;
  const result = object.setInitialValue(CONSTANTS, section);
  return result < 0 ? systemFailure(`set the constants of ${name}`, result) : undefined;
}

function loadAndListen(object: BpfObject, name: ObjectName): LoadFailure | undefined {
  const { errno, verifierLog, warnings } = object.load();
  if (errno === 0) return undefined;
  const refused = verifierFailure(name, verifierLog);
  if (refused !== undefined) return refused;
  const failure = systemFailure(`load the BPF object ${name}`, errno);
  const told = warnings.find((warning) => warning.trim() !== '');
  return told === undefined ? failure : { ...failure, reason: `${failure.reason} (libbpf: ${told.trim()})` };
}
