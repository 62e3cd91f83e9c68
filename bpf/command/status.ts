// `status` and `audit`: what of ours is in this kernel, where, since when, of which version, and what it counted; and whether
// all of it is what was released.

import { effectiveCapabilities } from '../../native/capabilities.ts';
import { GONE } from '../loader/attach-place.ts';
import type { Inventory, LinkEntry, ProgramEntry } from '../loader/inventory.ts';
import { isFailure, type LoadFailure } from '../loader/load-failure.ts';
import type { ObjectFiles } from '../loader/object-files.ts';
import { failed, type Outcome } from './outcome.ts';
import { columns, paragraph } from './text-layout.ts';

export function status(inventory: Inventory, name: string | undefined): Outcome {
  const shown = name === undefined ? inventory : ofRedirection(inventory, name);
  const { programs, links, maps, gaps, notes = [] } = shown;
  const isEmpty = programs.length === 0 && links.length === 0;
  if (name !== undefined && isEmpty)
    return failed({ reason: `nothing is attached as ${name}`, wayOut: 'status without --name lists all' });
  const sections = [
    isEmpty ? 'Nothing of ours is in this kernel.' : placesText(shown),
    programs.length === 0 ? '' : `Programs\n${columns([PROGRAM_HEADER, ...programs.map(programRow)], '  ')}`,
    maps.length === 0 ? '' : `Maps\n${columns([MAP_HEADER, ...maps.map(mapRow)], '  ')}`,
    countersText(shown),
    ...gaps.map((gap) => paragraph('Not seen: ', gap)),
    ...notes.map((note) => paragraph('Note: ', note)),
  ];
  return { text: `${sections.filter((section) => section !== '').join('\n\n')}\n`, data: shown, exitCode: 0 };
}

export interface Audited {
  readonly inventory: Inventory;
  readonly files: ObjectFiles | LoadFailure;
  /** Names that this process holds. */
  readonly capabilities?: ReadonlySet<string>;
}

/** Exit code 1 when anything is not as released, or could not be looked at. */
export function audit({ inventory, files, capabilities = effectiveCapabilities() }: Audited): Outcome {
  const findings = findingsOf(inventory, files);
  const objects = isFailure(files) ? [] : [...files.manifest.objects.values()];
  const text = [
    objectsText(files),
    inventory.programs.length === 0
      ? 'No program of ours runs.'
      : `Programs\n${columns([AUDIT_HEADER, ...auditRows(inventory)], '  ')}`,
    ...(inventory.notes ?? []).map((note) => paragraph('Note: ', note)),
    paragraph('Capabilities of this process: ', [...capabilities].join(', ') || 'none of those that matter'),
    findings.length === 0
      ? soundText(files)
      : `NOT AS RELEASED\n${findings.map((finding) => paragraph('  ', finding)).join('\n')}`,
  ];
  const signature = isFailure(files) ? { kind: 'none', because: files.reason } : files.signature;
  return {
    text: `${text.join('\n\n')}\n`,
    data: { findings, objects, signature, capabilities: [...capabilities], ...inventory },
    exitCode: findings.length === 0 ? 0 : 1,
  };
}

function soundText(files: ObjectFiles | LoadFailure): string {
  const isSigned = !isFailure(files) && files.signature.kind === 'signed';
  return isSigned ? 'All of it is as released.' : 'All of it is as built here, not signed.';
}

function findingsOf({ programs, gaps }: Inventory, files: ObjectFiles | LoadFailure): readonly string[] {
  const broken = isFailure(files)
    ? [files.reason]
    : [...files.manifest.objects.keys()]
        .map((name) => files.read(name))
        .flatMap((read) => (isFailure(read) ? [read.reason] : []));
  const others = programs.flatMap(({ id, name, tag, release, createdByUid }) => {
    // Without objects to compare with, one reason says it for all programs.
    if (release === 'same' || isFailure(files)) return [];
    const why =
      release === 'other'
        ? 'the released program of this name has another'
        : 'there is no released one to compare with';
    return [`program ${id} is called ${name} and has tag ${tag}: ${why} (loaded by uid ${createdByUid})`];
  });
  return [...broken, ...others, ...gaps.map((gap) => `not everything could be looked at: ${gap}`)];
}

/** What is pinned under a name, with the programs and maps that belong to it. */
function ofRedirection(inventory: Inventory, name: string): Inventory {
  const isOf = ({ pinnedAs }: { readonly pinnedAs?: string }) => pinnedAs !== undefined && nameOf(pinnedAs) === name;
  const links = inventory.links.filter(isOf);
  const programs = inventory.programs.filter(({ id }) => links.some(({ programId }) => programId === id));
  const mapIds = new Set(programs.flatMap((program) => program.mapIds));
  const maps = inventory.maps.filter((map) => mapIds.has(map.id) || isOf(map));
  return { programs, links, maps, gaps: inventory.gaps, notes: inventory.notes ?? [] };
}

/** `…/outrigger/v1/NAME/links/or_connect4`. */
function nameOf(pinnedAs: string): string {
  return pinnedAs.split('/').at(-3) ?? '';
}

function placesText({ programs, links }: Inventory): string {
  const redirectionOf = ({ pinnedAs }: LinkEntry) => (pinnedAs === undefined ? '' : nameOf(pinnedAs));
  const names = [...new Set(links.map(redirectionOf))];
  const texts = names.map((name) => {
    const own = links.filter((link) => redirectionOf(link) === name);
    const places = [...new Set(own.map(({ place }) => place))].map((place) => {
      const there = own.filter((link) => link.place === place).map((link) => programName(programs, link));
      return `  at ${place}\n${paragraph('    ', there.join(', '))}`;
    });
    const isGone = name !== '' && own.every(({ place }) => place === GONE);
    const wayOut = isGone ? [`  of no use any more: outrigger bpf unload --name ${name}`] : [];
    return [
      name === '' ? 'Held by a process, or pinned by another user' : `Redirection ${name}, pinned`,
      ...places,
      ...wayOut,
    ].join('\n');
  });
  return texts.join('\n\n');
}

function programName(programs: readonly ProgramEntry[], { programId, attachType }: LinkEntry): string {
  return programs.find(({ id }) => id === programId)?.name ?? attachType;
}

const PROGRAM_HEADER = ['program', 'id', 'tag', 'of', 'release', 'since', 'runs', 'ns a run', 'memory'];

function programRow({
  name,
  id,
  tag,
  object,
  release,
  loadedAtMs,
  runCount,
  runTimeNs,
  memoryBytes,
}: ProgramEntry): readonly string[] {
  const nsARun = runCount === 0 ? '-' : String(Math.round(runTimeNs / runCount));
  const runs = runCount === 0 ? '-' : String(runCount);
  return [name, String(id), tag, object, RELEASES[release], timeText(loadedAtMs), runs, nsARun, kibText(memoryBytes)];
}

const RELEASES = { same: 'this', other: 'ANOTHER', unknown: 'unknown' } as const;

const MAP_HEADER = ['map', 'id', 'type', 'entries', 'of', 'memory', 'pinned'];

function mapRow({
  name,
  id,
  type,
  entries,
  maxEntries,
  memoryBytes,
  pinnedAs,
}: Inventory['maps'][number]): readonly string[] {
  const fill = entries === undefined ? '-' : String(entries);
  return [
    name,
    String(id),
    type,
    fill,
    String(maxEntries),
    kibText(memoryBytes),
    pinnedAs === undefined ? 'no' : nameOf(pinnedAs),
  ];
}

/** What has happened; a counter at 0 says nothing. */
function countersText({ programs, maps }: Inventory): string {
  const objectOf = (id: number) => programs.find(({ mapIds }) => mapIds.includes(id))?.object ?? '';
  const rows = maps.flatMap(({ id, counters = {} }) =>
    Object.entries(counters)
      .filter(([, count]) => count > 0)
      .map(([name, count]) => [name.toLowerCase(), String(count), objectOf(id), `map ${id}`]),
  );
  return rows.length === 0 ? '' : `Counted since loading\n${columns(rows, '  ')}`;
}

function objectsText(files: ObjectFiles | LoadFailure): string {
  if (isFailure(files)) return `Objects\n${paragraph('  ', files.reason)}`;
  const { folder, manifest, signature } = files;
  const rows = [...manifest.objects.values()].map(({ file, sha256, bytes }) => [
    file,
    `${bytes} bytes`,
    `sha256 ${sha256}`,
  ]);
  const signed = signature.kind === 'signed' ? `signed by key ${signature.key}` : signature.because;
  return [
    `Objects in ${folder}`,
    columns(rows, '  '),
    paragraph('  ', `manifest: ${signed}; sources ${manifest.sources}; ${manifest.compiler}`),
  ].join('\n');
}

const AUDIT_HEADER = ['program', 'id', 'tag', 'release', 'sha256 of the object', 'attached'];

function auditRows({ programs, links }: Inventory): readonly (readonly string[])[] {
  return programs.map(({ id, name, tag, release, sha256 }) => {
    const places = links
      .filter(({ programId }) => programId === id)
      .map(({ attachType, place }) => `${attachType} at ${place}`);
    return [name, String(id), tag, RELEASES[release], sha256 ?? '-', places.join(', ') || 'not attached by a link'];
  });
}

function timeText(atMs: number): string {
  return new Date(atMs).toISOString().slice(0, 19).replace('T', ' ');
}

function kibText(bytes: number): string {
  return `${Math.ceil(bytes / 1024)} KiB`;
}
