// RESULTS.md has a part for each suite, so that one can be run again without the others.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';

// Puts `text`, which begins with the heading `# title`, in the place of the part of that title, or at the end.
export function writePart(path: string, title: string, text: string): void {
  writeFileSync(path, replacePart(existsSync(path) ? readFileSync(path, 'utf8') : '', title, text));
}

export function replacePart(document: string, title: string, text: string): string {
  const parts = document.split(/^(?=# )/m).map((part) => part.trim());
  const others = parts.filter((part) => part !== '');
  const at = others.findIndex((part) => part.split('\n', 1)[0] === `# ${title}`);
  others.splice(at < 0 ? others.length : at, at < 0 ? 0 : 1, text.trim());
  return `${others.join('\n\n')}\n`;
}
