// Labels and annotations as the downward API writes them into files: `key="value"` a line, the value quoted as Go does.
// https://kubernetes.io/docs/concepts/workloads/pods/downward-api/

/** Throws an Error that names the line which is not in that form. */
export function parsePodFile(text: string): Readonly<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    const equals = line.indexOf('=');
    const value = equals <= 0 ? undefined : unquote(line.slice(equals + 1));
    if (value === undefined) throw new Error(`line ${index + 1} is not key="value"`);
    found[line.slice(0, equals)] = value;
  }
  return found;
}

/** A string literal of Go (`strconv.Quote`). */
function unquote(literal: string): string | undefined {
  if (!/^"(?:[^"\\]|\\.)*"$/s.test(literal)) return undefined;
  return literal.slice(1, -1).replace(ESCAPE, (_whole, hex: string | undefined, simple: string | undefined) => {
    return hex === undefined
      ? (simpleEscapes[simple!] ?? simple!)
      : String.fromCodePoint(Number.parseInt(hex.slice(1), 16));
  });
}

const ESCAPE = /\\(?:(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})|(.))/gs;

const simpleEscapes: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};
