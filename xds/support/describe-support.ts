// What is supported, field by field, for people: the source of docs/envoy-support.md.

import { supportChapters } from './all-support.ts';
import type { MessageSupport, Refusal } from './support-table.ts';

export interface DescribedChapter {
  readonly title: string;
  readonly messages: readonly DescribedMessage[];
}

export interface DescribedMessage {
  /** Full name, such as `envoy.config.cluster.v3.Cluster`. */
  readonly name: string;
  readonly fields: readonly DescribedField[];
}

export interface DescribedField {
  readonly name: string;
  readonly support: 'supported' | 'ignored' | 'refused';
  /** Why it is ignored, or why it is refused and what to write instead; empty for supported fields. */
  readonly note: string;
}

export function describeSupport(): readonly DescribedChapter[] {
  return supportChapters.map(({ title, messages }) => ({
    title,
    messages: Object.entries(messages).map(([name, table]) => ({ name, fields: describeFields(table) })),
  }));
}

function describeFields(table: MessageSupport): readonly DescribedField[] {
  const supported = table.supported.map((name): DescribedField => ({ name, support: 'supported', note: '' }));
  const ignored = Object.entries(table.ignored ?? {}).map(
    ([name, note]): DescribedField => ({ name, support: 'ignored', note }),
  );
  const refused = Object.entries(table.unsupported ?? {}).map(
    ([name, refusal]): DescribedField => ({ name, support: 'refused', note: refusalNote(refusal) }),
  );
  return [...supported, ...ignored, ...refused];
}

function refusalNote(refusal: string | Refusal): string {
  return typeof refusal === 'string' ? refusal : `unless ${refusal.unless.join(', ')}: ${refusal.why}`;
}
