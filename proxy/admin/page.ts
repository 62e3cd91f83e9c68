// The live page: one file without anything from elsewhere, and a policy that lets nothing else in.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { AdminAnswer } from './admin-answer.ts';

export function page(): AdminAnswer {
  return { status: 200, type: 'text/html; charset=UTF-8', body: markup };
}

const markup = readFileSync(new URL('./page.html', import.meta.url), 'utf8');

/**
 * Only the page's own style and script run, known by their hashes, and only this server is talked to: a name in the
 * configuration that were markup could do nothing.
 */
export const contentSecurityPolicy = [
  "default-src 'none'",
  `script-src ${hashOf('script')}`,
  `style-src ${hashOf('style')}`,
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

function hashOf(element: 'script' | 'style'): string {
  const content = new RegExp(`<${element}>([^]*?)</${element}>`).exec(markup)?.[1] ?? '';
  return `'sha256-${createHash('sha256').update(content).digest('base64')}'`;
}
