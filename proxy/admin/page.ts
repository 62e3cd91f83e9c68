// The live page: one answer without anything from elsewhere, and a policy that lets nothing else in.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { AdminAnswer } from './admin-answer.ts';

export function page(): AdminAnswer {
  return { status: 200, type: 'text/html; charset=UTF-8', body: markup };
}

const style = readFileSync(new URL('./page-style.css', import.meta.url), 'utf8');
const script =
  readFileSync(new URL('./page-capture.js', import.meta.url), 'utf8') +
  readFileSync(new URL('./page-security.js', import.meta.url), 'utf8') +
  readFileSync(new URL('./page-tracing.js', import.meta.url), 'utf8') +
  readFileSync(new URL('./page-script.js', import.meta.url), 'utf8');
const markup = readFileSync(new URL('./page.html', import.meta.url), 'utf8')
  .replace('<style></style>', () => `<style>${style}</style>`)
  .replace('<script></script>', () => `<script>${script}</script>`);

/**
 * Only the page's own style and script run, known by their hashes, and only this server is talked to: a name in the
 * configuration that were markup could do nothing.
 */
export const contentSecurityPolicy = [
  "default-src 'none'",
  `script-src ${hashOf(script)}`,
  `style-src ${hashOf(style)}`,
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

function hashOf(content: string): string {
  return `'sha256-${createHash('sha256').update(content).digest('base64')}'`;
}
