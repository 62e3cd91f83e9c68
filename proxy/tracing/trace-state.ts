// The field `tracestate`: what tracing systems carry along, a member each. Ours to change are `ot` (OpenTelemetry's: the
// threshold `th` and the random value `rv` of consistent sampling) and `outrigger` (`trust.chain`); the others are told on.
// https://www.w3.org/TR/trace-context-2/#tracestate-header
// https://opentelemetry.io/docs/specs/otel/trace/tracestate-handling/

import { HeaderId } from '../http/header-name.ts';
import type { HeaderTable } from '../http/header-table.ts';
import { isHexText } from './hex-digits.ts';
import { ParentDecision, randomAt, randomLength, type TraceContext } from './trace-context.ts';

/** Reads all lines as one list. A list with an error is dropped, as the recommendation has it. */
export function readTraceState(headers: HeaderTable, context: TraceContext): void {
  list.members = 0;
  list.hasOt = false;
  context.keepsState = true;
  for (let row = headers.findId(HeaderId.tracestate); row >= 0; row = headers.findId(HeaderId.tracestate, row + 1)) {
    if (readLine(headers.bytes, headers.valueStart(row), headers.valueEnd(row), context)) continue;
    dropAll(context);
    return;
  }
  checkThreshold(context);
  context.sentThreshold = context.threshold;
}

/** Leaves one line with what the context says, or none; received lines stay where they say that already. */
export function writeTraceState(headers: HeaderTable, context: TraceContext): void {
  if (context.keepsState && context.sentThreshold === context.threshold && ownMember(context) === '') return;
  headers.removeId(HeaderId.tracestate);
  if (isBare(context)) return;
  const state = stateText(context);
  if (state !== '') headers.append('tracestate', state);
}

/** All members, ours first: a changed member moves to the left. Empty when there are none. */
export function stateText(context: TraceContext): string {
  const own = ownMember(context);
  const ot = otMember(context);
  const ours = joined(ot, own);
  const room = maxMembers - (ot === '' ? 0 : 1) - (own === '' ? 0 : 1);
  return joined(ours, firstMembers(context.otherState, room));
}

/** Most requests: nothing came, and they are not chosen. */
function isBare({ sentThreshold, randomValue, otherOt, otherState, sentChain }: TraceContext): boolean {
  return sentThreshold === '' && randomValue === '' && otherOt === '' && otherState === '' && sentChain === '';
}

export const chainLength = 64;

const otKey = 'ot';
const ownKey = 'outrigger';
const maxMembers = 32;
const maxKeyLength = 256;
const maxValueLength = 256;
const maxOtLength = 256;
const comma = 0x2c;
const equalsSign = 0x3d;

/** 1 where a byte may stand in a key; 3 where it may begin one. */
const keyBytes = new Uint8Array(256);
for (const byte of Buffer.from('_-*/@', 'latin1')) keyBytes[byte] = 1;
for (const byte of Buffer.from('abcdefghijklmnopqrstuvwxyz0123456789', 'latin1')) keyBytes[byte] = 3;

function dropAll(context: TraceContext): void {
  context.keepsState = false;
  context.otherState = '';
  context.otherOt = '';
  context.randomValue = '';
  context.threshold = '';
  context.receivedChain = '';
}

/** What was seen of the list that is read, over its lines. */
const list = { members: 0, hasOt: false };

/** False when the list is not one. Members may be empty. */
function readLine(bytes: Buffer, from: number, end: number, context: TraceContext): boolean {
  for (let at = from; at < end; ) {
    const start = skipSpace(bytes, at, end);
    const next = indexOfComma(bytes, start, end);
    const stop = trimSpace(bytes, start, next);
    at = next + 1;
    if (stop === start) continue;
    const equals = keyEnd(bytes, start, stop);
    if (equals < 0 || !isValue(bytes, equals + 1, stop) || list.members === maxMembers) return false;
    list.members++;
    if (isKey(bytes, start, equals, otKey)) takeOt(bytes.latin1Slice(equals + 1, stop), context);
    else if (isKey(bytes, start, equals, ownKey)) takeOwn(bytes.latin1Slice(equals + 1, stop), context);
    else context.otherState = joined(context.otherState, bytes.latin1Slice(start, stop));
  }
  return true;
}

/** The first one counts: what stands farther right is older. */
function takeOt(value: string, context: TraceContext): void {
  if (list.hasOt) context.keepsState = false;
  else readOt(value, context);
  list.hasOt = true;
}

/** It is about the hop before, and never told on. */
function takeOwn(value: string, context: TraceContext): void {
  context.keepsState = false;
  if (isHexText(value, chainLength, chainLength)) context.receivedChain = value;
}

function isKey(bytes: Uint8Array, start: number, end: number, key: string): boolean {
  if (end - start !== key.length) return false;
  for (let index = 0; index < key.length; index++) if (bytes[start + index] !== key.charCodeAt(index)) return false;
  return true;
}

function skipSpace(bytes: Uint8Array, from: number, end: number): number {
  let at = from;
  while (at < end && (bytes[at] === 0x20 || bytes[at] === 0x09)) at++;
  return at;
}

function trimSpace(bytes: Uint8Array, start: number, from: number): number {
  let end = from;
  while (end > start && (bytes[end - 1] === 0x20 || bytes[end - 1] === 0x09)) end--;
  return end;
}

function indexOfComma(bytes: Uint8Array, from: number, end: number): number {
  let at = from;
  while (at < end && bytes[at] !== comma) at++;
  return at;
}

/** Where the `=` behind a right key stands; -1 when the key is not one. */
function keyEnd(bytes: Uint8Array, start: number, end: number): number {
  if (keyBytes[bytes[start]!] !== 3) return -1;
  let at = start + 1;
  while (at < end && keyBytes[bytes[at]!] !== 0) at++;
  return at < end && bytes[at] === equalsSign && at - start <= maxKeyLength ? at : -1;
}

// Its end was trimmed, so that it does not end in a space.
function isValue(bytes: Uint8Array, start: number, end: number): boolean {
  if (start >= end || end - start > maxValueLength) return false;
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!;
    if (byte < 0x20 || byte > 0x7e || byte === equalsSign) return false;
  }
  return true;
}

const otEntry = /^[a-z][a-z0-9]*:[A-Za-z0-9._-]*$/;

/** `th:…;rv:…;other:…`. What does not have this form is dropped, as nobody could tell what it says. */
function readOt(value: string, context: TraceContext): void {
  for (let at = 0; at <= value.length; ) {
    const semicolon = value.indexOf(';', at);
    const end = semicolon < 0 ? value.length : semicolon;
    const entry = value.slice(at, end);
    at = end + 1;
    if (!otEntry.test(entry)) {
      context.keepsState = false;
      context.threshold = '';
      context.randomValue = '';
      context.otherOt = '';
      return;
    }
    const text = entry.slice(3);
    if (entry.startsWith('th:')) {
      if (isHexText(text, 1, randomLength)) context.threshold = withoutEndingZeros(text);
      else context.keepsState = false;
    } else if (entry.startsWith('rv:')) {
      if (isHexText(text, randomLength, randomLength)) context.randomValue = text;
      else context.keepsState = false;
    } else context.otherOt = context.otherOt === '' ? entry : `${context.otherOt};${entry}`;
  }
}

function withoutEndingZeros(digits: string): string {
  let length = digits.length;
  while (length > 1 && digits.charCodeAt(length - 1) === 0x30) length--;
  return digits.slice(0, length);
}

// A parent is sampled iff its random value reaches its threshold; where that is not so its probability is not known.
function checkThreshold(context: TraceContext): void {
  if (context.threshold === '') return;
  const decision = reaches(context) ? ParentDecision.sampled : ParentDecision.notSampled;
  if (context.parentDecision === decision) return;
  context.threshold = '';
  context.keepsState = false;
}

function reaches({ line, randomValue, threshold }: TraceContext): boolean {
  for (let index = 0; index < threshold.length; index++) {
    const digit = randomValue === '' ? line.bytes[randomAt + index]! : randomValue.charCodeAt(index);
    if (digit !== threshold.charCodeAt(index)) return digit > threshold.charCodeAt(index);
  }
  return true;
}

/** Chains are for traces that are kept: below one that is not, nobody has spans to check. */
function ownMember({ isSampled, sentChain }: TraceContext): string {
  return isSampled && sentChain !== '' ? `${ownKey}=${sentChain}` : '';
}

function otMember(context: TraceContext): string {
  let entries = context.sentThreshold === '' ? '' : `th:${context.sentThreshold}`;
  if (context.randomValue !== '') entries += `${entries === '' ? '' : ';'}rv:${context.randomValue}`;
  if (context.otherOt !== '') entries += `${entries === '' ? '' : ';'}${context.otherOt}`;
  while (entries.length > maxOtLength) entries = entries.slice(0, entries.lastIndexOf(';'));
  return entries === '' ? '' : `${otKey}=${entries}`;
}

/** Members that are too many leave at the right, where the oldest are. */
function firstMembers(members: string, room: number): string {
  let at = -1;
  for (let count = 0; count < room; count++) {
    at = members.indexOf(',', at + 1);
    if (at < 0) return members;
  }
  return members.slice(0, at);
}

function joined(left: string, right: string): string {
  return left === '' || right === '' ? left + right : `${left},${right}`;
}
