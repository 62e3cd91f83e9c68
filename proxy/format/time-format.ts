// Times of START_TIME: ISO 8601 by default, else a strftime pattern in UTC with Envoy's sub-second specifiers
// (`%f` nanoseconds, `%3f` milliseconds … `%9f`). The part that changes once a second is made once a second, because
// formatting a date costs more than everything else in a log line.

/** Writes a wall-clock time given in milliseconds since the epoch, with fraction. */
export type TimeFormat = (wallMs: number) => string;

/** `2026-11-21T12:43:25.123Z`. */
export function compileIsoTime(): TimeFormat {
  let cachedSecond = -1;
  let prefix = '';
  return (wallMs) => {
    const second = Math.floor(wallMs / 1000);
    if (second !== cachedSecond) {
      cachedSecond = second;
      prefix = new Date(second * 1000).toISOString().slice(0, -4);
    }
    return `${prefix}${threeDigits[Math.floor(wallMs) - second * 1000]!}Z`;
  };
}

/** The default of local times: ISO 8601 with the zone. */
export const localIsoTime = '%Y-%m-%dT%H:%M:%S.%3f%z';

/** A strftime pattern in UTC; a specifier that is not known is kept as it is written. */
export function compileTimePattern(pattern: string): TimeFormat {
  return compileParts(parsePattern(pattern, fields), (second) => new Date(second * 1000));
}

/** The same in the time zone of the process (`TZ`). */
export function compileLocalTimePattern(pattern: string): TimeFormat {
  // The fields read UTC, so they are given a moment whose UTC is the local time.
  const localFields = { ...fields, z: zoneOffset, Z: zoneName };
  return compileParts(parsePattern(pattern, localFields), (second) => {
    const date = new Date(second * 1000);
    return new Date(second * 1000 - date.getTimezoneOffset() * 60_000);
  });
}

function compileParts(parts: readonly PatternPart[], dateOf: (second: number) => Date): TimeFormat {
  let cachedSecond = -1;
  const texts: string[] = new Array(parts.length).fill('');
  return (wallMs) => {
    const second = Math.floor(wallMs / 1000);
    if (second !== cachedSecond) {
      cachedSecond = second;
      const date = dateOf(second);
      for (let index = 0; index < parts.length; index++) {
        const part = parts[index]!;
        if (typeof part === 'function') texts[index] = part(date, second);
        else if (typeof part === 'string') texts[index] = part;
      }
    }
    let line = '';
    for (let index = 0; index < parts.length; index++) {
      const part = parts[index]!;
      line += typeof part === 'number' ? subsecond(wallMs, second, part) : texts[index]!;
    }
    return line;
  };
}

const threeDigits: readonly string[] = Array.from({ length: 1000 }, (_, value) => String(value).padStart(3, '0'));
const dayNames = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const monthNames = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];

/** Literal text, a field of the date, or the number of digits of a fraction. */
type PatternPart = string | number | DateField;

function parsePattern(pattern: string, fields: PatternFields): readonly PatternPart[] {
  const parts: PatternPart[] = [];
  let at = 0;
  for (const found of pattern.matchAll(/%(?:([1-9])?f|([a-zA-Z%]))/g)) {
    if (found.index > at) parts.push(pattern.slice(at, found.index));
    at = found.index + found[0].length;
    if (found[2] === undefined) parts.push(Number(found[1] ?? 9));
    else parts.push(fields[found[2]] ?? found[0]);
  }
  if (at < pattern.length) parts.push(pattern.slice(at));
  return parts;
}

function subsecond(wallMs: number, second: number, digits: number): string {
  // A double holds the present to about a quarter of a microsecond; further digits would be noise.
  const microseconds = Math.min(999_999, Math.floor((wallMs - second * 1000) * 1000));
  return `${String(microseconds).padStart(6, '0')}000`.slice(0, digits);
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}

const isoDate = (date: Date) => date.toISOString().slice(0, 10);
const isoTime = (date: Date) => date.toISOString().slice(11, 19);
const dayOfYear = (date: Date) => Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / 86_400_000) + 1;
const hour12 = (date: Date) => date.getUTCHours() % 12 || 12;

/** Of a date whose UTC is the time to be written, and of the seconds since the epoch. */
type DateField = (date: Date, second: number) => string;
type PatternFields = Readonly<Record<string, DateField>>;

const fields: PatternFields = {
  '%': () => '%',
  A: (date) => dayNames[date.getUTCDay()]!,
  B: (date) => monthNames[date.getUTCMonth()]!,
  C: (date) => two(Math.floor(date.getUTCFullYear() / 100)),
  D: (date) => `${two(date.getUTCMonth() + 1)}/${two(date.getUTCDate())}/${two(date.getUTCFullYear() % 100)}`,
  F: isoDate,
  H: (date) => two(date.getUTCHours()),
  I: (date) => two(hour12(date)),
  M: (date) => two(date.getUTCMinutes()),
  R: (date) => isoTime(date).slice(0, 5),
  S: (date) => two(date.getUTCSeconds()),
  T: isoTime,
  Y: (date) => String(date.getUTCFullYear()),
  Z: () => 'UTC',
  a: (date) => dayNames[date.getUTCDay()]!.slice(0, 3),
  b: (date) => monthNames[date.getUTCMonth()]!.slice(0, 3),
  d: (date) => two(date.getUTCDate()),
  e: (date) => String(date.getUTCDate()).padStart(2),
  h: (date) => monthNames[date.getUTCMonth()]!.slice(0, 3),
  j: (date) => String(dayOfYear(date)).padStart(3, '0'),
  m: (date) => two(date.getUTCMonth() + 1),
  p: (date) => (date.getUTCHours() < 12 ? 'AM' : 'PM'),
  s: (_, second) => String(second),
  u: (date) => String(date.getUTCDay() || 7),
  w: (date) => String(date.getUTCDay()),
  y: (date) => two(date.getUTCFullYear() % 100),
  z: () => '+0000',
};

function zoneOffset(_: Date, second: number): string {
  const minutes = -new Date(second * 1000).getTimezoneOffset();
  const size = Math.abs(minutes);
  return `${minutes < 0 ? '-' : '+'}${two(Math.floor(size / 60))}${two(size % 60)}`;
}

function zoneName(_: Date, second: number): string {
  const parts = new Intl.DateTimeFormat('en-US', { timeZoneName: 'short' }).formatToParts(second * 1000);
  return parts.find(({ type }) => type === 'timeZoneName')!.value;
}
