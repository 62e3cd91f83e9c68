// Where a text stops being JSON (RFC 8259), in words for people. What V8 says has a place for some errors only, and none for a
// file that was cut off.

/** Of a text that `JSON.parse` refuses: `line 3, column 17: expected …, found ","`. */
export function jsonProblem(text: string): string {
  const scan: Scan = { text, at: 0 };
  const wanted = value(scan) ?? end(scan);
  const before = text.slice(0, scan.at);
  const line = before.split('\n').length;
  const column = scan.at - before.lastIndexOf('\n');
  return `line ${line}, column ${column}: expected ${wanted}, found ${foundAt(scan)}`;
}

interface Scan {
  readonly text: string;
  /** Offset of what is looked at: behind all that is right so far. */
  at: number;
}

/** What was expected where it went wrong; undefined behind a value. Not recursive: a file may be nested deeper than a stack is. */
function value(scan: Scan): string | undefined {
  const open: string[] = [];
  for (let isFirst = false; ; ) {
    const inside = open.at(-1);
    const isEmpty = isFirst && next(scan) === endOf(inside);
    if (!isEmpty) {
      const wanted = inside === '{' ? key(scan, isFirst) : undefined;
      if (wanted !== undefined) return wanted;
      const begun = next(scan);
      if (begun === '{' || begun === '[') {
        scan.at++;
        open.push(begun);
        isFirst = true;
        continue;
      }
      if (begun === '"' && !takeString(scan)) return badString(scan);
      if (begun !== '"' && !take(scan, scalar)) return 'a value';
    }
    const wanted = close(scan, open);
    if (wanted !== undefined) return wanted;
    if (open.length === 0) return undefined;
    isFirst = false;
  }
}

function endOf(begun: string | undefined): string {
  return begun === '{' ? '}' : ']';
}

function end(scan: Scan): string {
  take(scan, space);
  return 'the end of the file';
}

/** Behind an element: all that ends there, and the comma before the next. */
function close(scan: Scan, open: string[]): string | undefined {
  for (;;) {
    const inside = open.at(-1);
    if (inside === undefined) return undefined;
    const end = endOf(inside);
    const found = next(scan);
    if (found === ',') {
      scan.at++;
      return undefined;
    }
    if (found !== end) return `"," or "${end}"`;
    scan.at++;
    open.pop();
  }
}

function key(scan: Scan, isFirst: boolean): string | undefined {
  const first = next(scan);
  if (!takeString(scan)) {
    if (first === '"') return badString(scan);
    return isFirst ? 'a name in double quotes, or "}"' : 'another name in double quotes';
  }
  if (next(scan) !== ':') return '":"';
  scan.at++;
  return undefined;
}

function takeString(scan: Scan): boolean {
  const { at } = scan;
  takeStringStart(scan);
  if (take(scan, quote)) return true;
  scan.at = at;
  return false;
}

// Piece by piece: V8 keeps a place to go back to for each turn of a pattern, and a string of megabytes has too many.
function takeStringStart(scan: Scan): void {
  if (take(scan, quote)) while (take(scan, characters));
}

/** Moves to what is wrong in a string, which may be that it does not end. */
function badString(scan: Scan): string {
  takeStringStart(scan);
  if (take(scan, brokenEscape)) return 'an escape of JSON behind \\';
  return 'a string to end in its line (")';
}

function next(scan: Scan): string {
  take(scan, space);
  return scan.text[scan.at] ?? '';
}

function take(scan: Scan, pattern: RegExp): boolean {
  pattern.lastIndex = scan.at;
  const matches = pattern.test(scan.text);
  if (matches) scan.at = pattern.lastIndex;
  return matches;
}

const space = /[ \t\r\n]*/y;
const quote = /"/y;
const characters = /(?:[^"\\\p{Cc}]|[\x7f-\x9f]|\\(?:["\\/bfnrt]|u[\dA-Fa-f]{4})){1,1000}/uy;
const brokenEscape = /\\(?:u[\dA-Fa-f]*)?/y;
const scalar = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;

const shownLength = 20;

function foundAt({ text, at }: Scan): string {
  if (at >= text.length) return 'the end of the file';
  return JSON.stringify(/^(?:[\w.+-]+|.)/su.exec(text.slice(at, at + shownLength))![0]);
}
