// What a request says of its trace, by the rules and without care for time: lists, regular expressions, strings.
// https://www.w3.org/TR/trace-context-2/ and https://github.com/openzipkin/b3-propagation

export type Fields = readonly (readonly [name: string, value: string])[];

export interface ModelParent {
  readonly decision: 'absent' | 'sampled' | 'notSampled' | 'debug';
  /** Absent when no ids arrived. */
  readonly ids?: { readonly traceId: string; readonly spanId: string };
}

/** The parent of a request, where the provider prefers W3C or B3. */
export function modelParent(fields: Fields, prefersW3c: boolean): ModelParent {
  const w3c = modelTraceparent(fields);
  const b3 = modelB3(fields);
  const isDebug = b3?.decision === 'debug';
  const inOrder = (prefersW3c ? [w3c, b3] : [b3, w3c]).filter((each) => each !== null);
  const withIds = inOrder.findIndex((each) => each.ids !== undefined);
  const considered = withIds < 0 ? inOrder : inOrder.slice(0, withIds + 1);
  const decision = considered.find((each) => each.decision !== 'absent')?.decision ?? 'absent';
  const { ids } = considered.at(-1) ?? {};
  return { decision: isDebug ? 'debug' : decision, ...(ids !== undefined && { ids }) };
}

/** Null when there is none that is right. */
export function modelTraceparent(fields: Fields): (ModelParent & { readonly isRandom: boolean }) | null {
  const values = valuesOf(fields, 'traceparent');
  if (values.length !== 1) return null;
  const match = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/.exec(values[0]!);
  if (match === null) return null;
  const [, version, traceId, spanId, flags, rest] = match;
  if (version === 'ff' || (version === '00' && rest !== undefined)) return null;
  if (isZero(traceId!) || isZero(spanId!)) return null;
  const bits = Number.parseInt(flags!, 16);
  return {
    ids: { traceId: traceId!, spanId: spanId! },
    decision: bits % 2 === 1 ? 'sampled' : 'notSampled',
    isRandom: bits % 4 >= 2,
  };
}

/** Null when there is nothing of it that is right. The trace id is padded. */
export function modelB3(fields: Fields): ModelParent | null {
  return singleB3(fields) ?? multiB3(fields);
}

function singleB3(fields: Fields): ModelParent | null {
  const values = valuesOf(fields, 'b3');
  if (values.length !== 1) return null;
  const alone = stateOf(values[0]!);
  if (alone !== 'absent') return { decision: alone };
  const match = /^([0-9a-f]{16}|[0-9a-f]{32})-([0-9a-f]{16})(-([01d])(-([0-9a-f]{16}))?)?$/i.exec(values[0]!);
  if (match === null) return null;
  const [, traceId, spanId, , state, , parentId] = match;
  if (isZero(traceId!) || isZero(spanId!) || (parentId !== undefined && isZero(parentId))) return null;
  return { ids: idsOf(traceId!, spanId!), decision: stateOf(state ?? '') };
}

function multiB3(fields: Fields): ModelParent | null {
  const read = (name: string) => valuesOf(fields, name).filter((value) => value !== '');
  const names = ['x-b3-traceid', 'x-b3-spanid', 'x-b3-sampled', 'x-b3-flags'];
  if (names.some((name) => read(name).length > 1)) return null;
  const [traceId, spanId, sampled, flags] = names.map((name) => read(name)[0]);
  const decision = flags === '1' ? 'debug' : stateOf(sampled ?? '');
  if (traceId === undefined || spanId === undefined) return { decision };
  const isRight = /^([0-9a-f]{16}){1,2}$/i.test(traceId) && /^[0-9a-f]{16}$/i.test(spanId);
  return isRight && !isZero(traceId) && !isZero(spanId) ? { decision, ids: idsOf(traceId, spanId) } : null;
}

function idsOf(traceId: string, spanId: string): { readonly traceId: string; readonly spanId: string } {
  return { traceId: traceId.toLowerCase().padStart(32, '0'), spanId: spanId.toLowerCase() };
}

function stateOf(text: string): ModelParent['decision'] {
  if (text === '1' || text.toLowerCase() === 'true') return 'sampled';
  if (text === '0' || text.toLowerCase() === 'false') return 'notSampled';
  return text === 'd' ? 'debug' : 'absent';
}

export function valuesOf(fields: Fields, wanted: string): readonly string[] {
  return fields
    .filter(([name]) => name.toLowerCase() === wanted)
    .map(([, value]) => value.replace(/^[ \t]+|[ \t]+$/g, ''));
}

function isZero(id: string): boolean {
  return /^0+$/.test(id);
}
