// The codec against the reference parser: the same text must be the same message, or no message, to both.

import { type CodecRun, CodecRunner } from '../proxy/http/http1/codec-run.ts';
import { requestText, responseText } from './http1-arbitraries.ts';
import { type Reading, type ReferenceField, readRequest, readResponse } from './reference-parser.ts';

const sample = { method: 'POST', target: '/', fields: [['X', 'y']] as const, body: 'abc', hostAt: 0, framingAt: 1 };
/** Ends of sound messages: what could follow a text, if anything could make it sound. */
const completions = [
  ...suffixesOf(requestText({ ...sample, chunks: null })),
  ...suffixesOf(requestText({ ...sample, chunks: [3] })),
  ...suffixesOf(responseText({ ...sample, chunks: [3] })),
];

function suffixesOf(text: string): string[] {
  return Array.from(text, (_, at) => text.slice(at));
}

/** What differs when `text`, cut as `pieces`, is read as a request; empty when nothing does. */
export function compareRequest(text: string, pieces: readonly string[]): string {
  return compare(new CodecRunner({}), text, { pieces, read: (whole) => readRequest(whole) });
}

export function compareResponse(text: string, pieces: readonly string[], requestMethod: string): string {
  const read = (whole: string) => readResponse(whole, { requestMethod, isEnd: true });
  return compare(new CodecRunner({ requestMethod }), text, { pieces, read });
}

interface Comparison {
  readonly pieces: readonly string[];
  readonly read: (text: string) => Reading;
}

function compare(runner: CodecRunner, text: string, { pieces, read }: Comparison): string {
  const run = runner.run([text]);
  const cut = runner.run(pieces);
  if (JSON.stringify(cut) !== JSON.stringify(run)) return `cut: ${JSON.stringify(cut)}, whole: ${JSON.stringify(run)}`;
  const reading = read(text);
  // Which nominations are refused is no matter of reading.
  if (run.error?.details === 'http1.connection_header_rejected') return '';
  if (reading === 'refused') return run.error === null ? 'the codec takes what the reference refuses' : '';
  if (reading === 'incomplete') return compareIncomplete(run, text, read);
  if (run.error !== null) return `the codec refuses what the reference takes: ${run.error.reason}`;
  return compareMessages(run, text, reading);
}

// The codec may see sooner that a text is wrong, never wrongly.
function compareIncomplete(run: CodecRun, text: string, read: Comparison['read']): string {
  if (run.isComplete) return 'the codec takes a part for the whole';
  if (run.error === null) return '';
  const sound = completions.find((completion) => typeof read(text + completion) !== 'string');
  return sound === undefined ? '' : `refused (${run.error.reason}), but sound with ${JSON.stringify(sound)} behind it`;
}

function compareMessages(run: CodecRun, text: string, message: Exclude<Reading, string>): string {
  if (!run.isComplete) return 'the codec waits for more';
  if (run.body !== message.body) return `the codec's body is ${JSON.stringify(run.body)}`;
  if (run.leftover !== text.slice(message.length)) return `the codec leaves ${JSON.stringify(run.leftover)}`;
  const fields = plainLines(message.fields);
  const forwarded = plainLines(fieldsOf(run.forwarded));
  if (forwarded !== fields) return `the codec sends on ${JSON.stringify(forwarded)}, not ${JSON.stringify(fields)}`;
  const trailers = plainLines(fieldsOf(run.trailers));
  return trailers === plainLines(message.trailers) ? '' : `the codec's trailers are ${JSON.stringify(trailers)}`;
}

function fieldsOf(head: string): ReferenceField[] {
  const lines = head.split('\r\n').filter((line) => line.includes(':') && !/ HTTP\/1\.1$/.test(line));
  return lines.map((line) => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon), line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, '')];
  });
}

/** Fields that mean nothing on the way, in order: none may be lost, changed or added. */
function plainLines(fields: readonly ReferenceField[]): string {
  const isPlain = ([name]: ReferenceField) => /^x-/i.test(name) && name.toLowerCase() !== 'x-y';
  return fields
    .filter(isPlain)
    .map(([name, value]) => `${name}:${value}\n`)
    .join('');
}
