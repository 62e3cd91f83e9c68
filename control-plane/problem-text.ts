import type { FileProblem } from './resource-file.ts';

/** `shop.yaml:3: routes[0].to: expected text`, which editors and terminals know how to open. */
export function problemText({ file, line, path, message }: FileProblem): string {
  return [line === undefined ? file : `${file}:${line}`, path, message].filter((part) => part !== '').join(': ');
}
