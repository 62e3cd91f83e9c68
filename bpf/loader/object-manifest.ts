// bpf/objects/manifest.json: which objects were built, of what, and how they hash (build/bpf-programs.ts writes it). What
// runs in the kernel is only what this names.

export interface ObjectManifest {
  /** What compiled them, such as `clang 14.0.6`. */
  readonly compiler: string;
  /** sha256 over all sources, in hex. */
  readonly sources: string;
  readonly objects: ReadonlyMap<string, ManifestObject>;
}

export interface ManifestObject {
  /** Beside the manifest. */
  readonly file: string;
  readonly sha256: string;
  readonly bytes: number;
  readonly programs: readonly string[];
}

/** The manifest, or what is wrong with its text. */
export function parseManifest(text: string): ObjectManifest | string {
  let tree: unknown;
  try {
    tree = JSON.parse(text);
  } catch (error) {
    return `not JSON: ${(error as Error).message}`;
  }
  if (!isRecord(tree)) return 'not an object';
  const { compiler, sources, objects } = tree;
  if (typeof compiler !== 'string') return 'compiler: a text is needed';
  if (!isHash(sources)) return 'sources: a sha256 in hexadecimal is needed';
  if (!isRecord(objects)) return 'objects: a mapping is needed';
  const wrong = Object.entries(objects).find(([, object]) => !isManifestObject(object));
  if (wrong !== undefined) return `objects.${wrong[0]}: file, sha256, bytes and programs are needed`;
  return { compiler, sources, objects: new Map(Object.entries(objects as Record<string, ManifestObject>)) };
}

function isManifestObject(value: unknown): value is ManifestObject {
  if (!isRecord(value)) return false;
  const { file, sha256, bytes, programs } = value;
  const isNamed = typeof file === 'string' && /^[a-z0-9][a-z0-9.-]*\.o$/.test(file);
  const hasPrograms = Array.isArray(programs) && programs.every((program) => typeof program === 'string');
  return isNamed && isHash(sha256) && Number.isSafeInteger(bytes) && hasPrograms;
}

function isHash(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{64}$/.test(value);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
