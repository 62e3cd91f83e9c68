// Commands that read the path and its query: PATH, QUERY_PARAM, QUERY_PARAMS and REQ_WITHOUT_QUERY.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/advanced/substitution_formatter

import type { FormatCommand } from '../../config/format-commands.ts';
import { headerName } from '../http/header-name.ts';
import type { RequestHead } from '../http/message.ts';
import { withoutControls } from './byte-string.ts';
import type { Operator } from './format-context.ts';
import { headerOperators } from './header-operators.ts';

/** By command name: makes the operator for one use of the command. */
export const pathOperators: Readonly<Record<string, (command: FormatCommand) => Operator>> = {
  PATH: ({ argument }) => {
    const [query, source] = (argument ?? '').split(':');
    const read = pathSource(source);
    const cut = query === 'NQ' ? withoutQuery : unchanged;
    return ({ request }) => {
      const path = request === null ? '' : read(request);
      return path === '' ? null : cut(path);
    };
  },
  REQ_WITHOUT_QUERY: (command) => {
    const read = headerOperators['REQ']!(command);
    return (context) => {
      const value = read(context);
      return typeof value === 'string' ? withoutQuery(value) : value;
    };
  },
  QUERY_PARAM: ({ argument }) => {
    const wanted = argument!;
    return ({ request }) => (request === null ? null : parameterOf(request.path, wanted));
  },
  QUERY_PARAMS: ({ argument }) => {
    const write = argument === 'DECODED' ? decodeVisible : unchanged;
    return ({ request }) => {
      const at = request === null ? -1 : request.path.indexOf('?');
      return at < 0 ? null : write(request!.path.slice(at + 1));
    };
  },
};

const originalPath = headerName('x-envoy-original-path');

function pathSource(source: string | undefined): (request: RequestHead) => string {
  const original = (request: RequestHead) => request.headers.get(originalPath) ?? '';
  if (source === 'PATH') return (request) => request.path;
  if (source === 'ORIG') return original;
  return (request) => original(request) || request.path;
}

function unchanged(text: string): string {
  return text;
}

function withoutQuery(path: string): string {
  const at = path.indexOf('?');
  return at < 0 ? path : path.slice(0, at);
}

// The first of the name; both are compared and told decoded, and what is no escape stays as it is.
function parameterOf(path: string, wanted: string): string | null {
  const at = path.indexOf('?');
  if (at < 0) return null;
  for (const pair of path.slice(at + 1).split('&')) {
    const equals = pair.indexOf('=');
    if (decode(equals < 0 ? pair : pair.slice(0, equals)) !== wanted) continue;
    return equals < 0 ? '' : withoutControls(decode(pair.slice(equals + 1)));
  }
  return null;
}

function decode(text: string): string {
  return text.replace(/%([0-9A-Fa-f]{2})/g, (_, digits) => String.fromCharCode(Number.parseInt(digits, 16)));
}

// Envoy decodes a whole query so that it stays one word: only escapes of what can be seen. A `%` that escapes nothing goes.
function decodeVisible(query: string): string {
  return query.replace(/%([0-9A-Fa-f]{2})?/g, (whole, digits: string | undefined) => {
    if (digits === undefined) return '';
    const code = Number.parseInt(digits, 16);
    return code > 0x20 && code < 0x7f ? String.fromCharCode(code) : whole;
  });
}
