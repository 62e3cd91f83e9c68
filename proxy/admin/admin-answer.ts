// What an admin path is asked and what it answers.

import { Regex } from '../route/regex.ts';
import type { AdminContext } from './admin-context.ts';

export interface AdminRequest {
  readonly query: URLSearchParams;
  /** Form values of the body; empty for any other body. */
  readonly form: URLSearchParams;
  /** The Accept header; empty without one. */
  readonly accept: string;
}

export interface AdminAnswer {
  readonly status: number;
  readonly type: string;
  /** A large body is made as it is sent. */
  readonly body: string | Generator<string>;
}

export type AnswerPath = (context: AdminContext, request: AdminRequest) => AdminAnswer;

export function text(body: string | Generator<string>): AdminAnswer {
  return { status: 200, type: 'text/plain; charset=UTF-8', body };
}

export function ok(): AdminAnswer {
  return text('OK\n');
}

export function json(value: unknown): AdminAnswer {
  return jsonPieces(`${JSON.stringify(value, null, 1)}\n`);
}

/** JSON that is text already. */
export function jsonPieces(body: string | Generator<string>): AdminAnswer {
  return { status: 200, type: 'application/json', body };
}

export function failure(status: number, body: string): AdminAnswer {
  return { status, type: 'text/plain; charset=UTF-8', body };
}

/** A filter given in a query: a predicate, null when there is none, or the answer to a pattern that is malformed. */
export function nameFilter(pattern: string | null): ((name: string) => boolean) | AdminAnswer | null {
  if (pattern === null || pattern === '') return null;
  let regex: Regex;
  try {
    regex = new Regex(pattern);
  } catch (error) {
    return failure(400, `Invalid re2 regex: ${(error as Error).message}\n`);
  }
  return (name) => regex.finds(name);
}
