// From a tree of plain values to a message that was checked and to what a decoder makes of it. Each step goes on after a
// problem with what it could read, so that an operator repairs a file once.

import { type Problem, Problems } from '../../config/problems.ts';
import { checkMessage } from '../message/message-check.ts';
import type { Message } from '../message/message-descriptor.ts';
import { readProtoJson } from '../message/proto-json.ts';
import { writtenPath } from './written-path.ts';

export interface DocumentMessage<T> {
  readonly message: Message;
  readonly value: T;
  /** In the spelling of the document. */
  readonly problems: readonly Problem[];
  /** Fields that no message has; the caller decides whether they are problems. */
  readonly unknownFields: readonly Problem[];
}

/** Reads `document` as a message of the type (README.md, the road of a file). Throws only for a type without descriptor. */
export function readDocumentMessage<M extends Message, T>(
  document: unknown,
  typeName: string,
  decode: (message: M, problems: Problems) => T,
): DocumentMessage<T> {
  const { message, problems: misread, unknownFields } = readProtoJson(document, typeName);
  const problems = new Problems();
  checkMessage(message, typeName, problems);
  const value = decode(message as M, problems);
  return { message, value, problems: [...misread, ...ownProblems(problems.list, misread, document)], unknownFields };
}

/** Without those that only follow from a value that could not be read: below it, or the oneof that it is a member of. */
function ownProblems(found: readonly Problem[], misread: readonly Problem[], document: unknown): readonly Problem[] {
  const written = found.map(({ path, message }) => ({ path: writtenPath(path, document), message }));
  const follows = (path: string, cause: string) => isWithin(path, cause) || path === cause.replace(/\.?[^.]*$/, '');
  return written.filter(({ path }) => !misread.some((cause) => follows(path, cause.path)));
}

function isWithin(path: string, outer: string): boolean {
  if (!path.startsWith(outer) || outer === '') return outer === '';
  return path.length === outer.length || path[outer.length] === '.' || path[outer.length] === '[';
}
