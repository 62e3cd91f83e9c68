// Path templates such as `/videos/{id}/*.m4s` (`extensions.path.match.uri_template` and its rewriter). They become regular
// expressions here, so that routes know no further kind of match and rewrite.
// https://www.envoyproxy.io/docs/envoy/latest/api-v3/extensions/path/match/uri_template/v3/uri_template_match.proto

import type { Problems } from '../../config/problems.ts';

export interface UriTemplate {
  /** For the whole path. */
  readonly regex: string;
  /** Names of its groups, in their order. */
  readonly variables: readonly string[];
}

// RFC 3986 `pchar` without *, which is no literal here. Envoy takes some templates with it as a part of a segment, of which
// its documentation says nothing.
const characters = "a-zA-Z0-9._~%!$&'()+,;=:@";
const literal = new RegExp(`^[${characters}-]+$`);
const rewriteLiteral = new RegExp(`^[${characters}*/-]*$`);
const oneSegment = `[${characters}*-]+`;
const anySegments = `[${characters}*/-]*`;

const variableName = /^[a-zA-Z][a-zA-Z0-9_]{0,15}$/;
const mostVariables = 5;

export function parseUriTemplate(text: string, problems: Problems): UriTemplate | undefined {
  const template = new Template();
  const wrong = text.startsWith('/') ? template.read(text) : 'it begins with /';
  if (wrong === undefined) return { regex: template.regex, variables: template.variables };
  problems.add(`${JSON.stringify(text)} is not a path template: ${wrong}`);
  return undefined;
}

/** The substitution for the path of a template: literals, and its variables by their names. */
export function parseUriTemplateRewrite(text: string, template: UriTemplate, problems: Problems): string | undefined {
  let substitution = '';
  let wrong = text.startsWith('/') && !text.includes('//') ? undefined : 'it begins with /, and has no empty segment';
  for (const part of text.split(/(\{[^{}]*\})/)) {
    if (rewriteLiteral.test(part)) {
      substitution += part;
      continue;
    }
    const name = /^\{(.*)\}$/.exec(part)?.[1];
    const index = name === undefined ? -1 : template.variables.indexOf(name);
    if (index >= 0) substitution += `\\${index + 1}`;
    else wrong ??= name === undefined ? `${part} has characters that no path has` : `the match has no variable ${name}`;
  }
  if (wrong === undefined) return substitution;
  problems.add(`${JSON.stringify(text)} is not a rewrite of paths: ${wrong}`);
  return undefined;
}

/** What was read of a template; each method says what is wrong. */
class Template {
  regex = '';
  readonly variables: string[] = [];
  #hasAnySegments = false;

  read(text: string): string | undefined {
    // One between braces is of the variable.
    const segments = text.slice(1).split(/\/(?![^{]*\})/);
    for (const [index, segment] of segments.entries()) {
      const isLast = index === segments.length - 1;
      this.regex += '/';
      if (segment === '' && isLast) break;
      const wrong = this.#readSegment(segment, isLast);
      if (wrong !== undefined) return wrong;
    }
    return undefined;
  }

  #readSegment(segment: string, isLast: boolean): string | undefined {
    const [, first, rest = ''] = /^(\{[^}]*\}|\*\*?)(.*)$/s.exec(segment) ?? [];
    if (first === undefined) return this.#readLiteral(segment);
    const wrong = first.startsWith('{') ? this.#readVariable(first.slice(1, -1)) : this.#readOperator(first);
    if (wrong !== undefined || rest === '') return wrong;
    return isLast ? this.#readLiteral(rest) : `behind ${first} nothing can follow but the end of the path`;
  }

  #readVariable(text: string): string | undefined {
    const [name = '', pattern = '*'] = text.split(/=(.*)/s);
    if (!variableName.test(name)) return `${JSON.stringify(name)} is no name of a variable, with 16 letters at most`;
    if (this.variables.includes(name)) return `${name} stands twice`;
    if (this.variables.length === mostVariables) return `it has more than ${mostVariables} variables`;
    this.variables.push(name);
    this.regex += '(';
    for (const [index, part] of pattern.split('/').entries()) {
      if (index > 0) this.regex += '/';
      const wrong = part === '*' || part === '**' ? this.#readOperator(part) : this.#readLiteral(part);
      if (wrong !== undefined) return wrong;
    }
    this.regex += ')';
    return undefined;
  }

  #readOperator(operator: string): string | undefined {
    if (this.#hasAnySegments) return 'behind ** there is no other * and no variable';
    this.#hasAnySegments = operator === '**';
    this.regex += this.#hasAnySegments ? anySegments : oneSegment;
    return undefined;
  }

  #readLiteral(text: string): string | undefined {
    if (!literal.test(text)) return `${JSON.stringify(text)} is neither a segment of a path, nor *, ** or {name}`;
    this.regex += text.replace(/[$()+.]/g, '\\$&');
    return undefined;
  }
}
