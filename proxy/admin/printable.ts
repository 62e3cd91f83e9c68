// Names and sentences in texts that people read in a terminal. Parts of them come from peers and configurations: a line break
// would look like a line of ours, and an escape sequence would be done by the terminal.

/** Controls of both kinds (an escape sequence may begin with U+009B too), line separators, and what turns the direction of text. */
const unprintable = /[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/** On one line, with `\x0a` or `\u2028` in the place of what no line shows. */
export function printable(text: string): string {
  return text.replaceAll(unprintable, escapeOf);
}

/** Not longer than `most` characters, and no half of one that takes two. */
export function cut(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 1).replace(/[\ud800-\udbff]$/, '')}…`;
}

function escapeOf(character: string): string {
  const code = character.charCodeAt(0);
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
}
