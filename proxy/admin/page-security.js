// The live page's part about certificates, and about where configuration comes from. `page-script.js` follows in the same
// element and has the helpers.
'use strict';

const certificateLabels = [{ label: 'Secret' }, { label: 'whose' }, { label: 'ends' }];
const endingClasses = { good: '', ending: 'warn', expired: 'bad' };

function showCertificates({ certificates, atMs }) {
  const { total, listed } = certificates;
  byId('certificates').hidden = total === 0;
  setText(byId('certificate-count'), listed.length < total ? `the first ${listed.length} of ${count(total)} that end` : '');
  showRows(byId('certificate-rows'), listed, {
    // Of those that are written where they are used, none has a name.
    keyOf: ({ name }, index) => `${index} ${name}`,
    labels: certificateLabels,
    show: (row, { name, whose, endsAtMs, state, problem }) => {
      setText(row.cells[0], name === '' ? 'in the configuration' : name);
      setText(row.cells[1], whose);
      const when = endsAtMs === undefined ? 'not usable' : new Date(endsAtMs).toLocaleString();
      setLines(row.cells[2], endsAtMs === undefined ? when : endText(endsAtMs - atMs), problem, endingClasses[state]);
      row.cells[2].title = when;
      if (endsAtMs === undefined) row.cells[2].children[0].className = 'bad';
    },
  });
}

function endText(leftMs) {
  return leftMs < 0 ? `ended ${duration(Math.round(-leftMs / 1000))} ago` : `in ${duration(Math.round(leftMs / 1000))}`;
}

const sourceLabels = [{ label: 'Source' }, { label: 'state', className: 'words' }, { label: 'gave' }, { label: 'refused' }];
const protocols = { delta: 'control plane', 'state-of-the-world': 'control plane', file: 'file', own: 'own identity' };

function showConfiguration({ configuration, atMs }) {
  const { sources, sourceCount, missing, missingCount } = configuration;
  byId('configuration').hidden = sourceCount === 0 && missingCount === 0;
  byId('source-rows').closest('table').hidden = sourceCount === 0;
  setText(byId('source-count'), sources.length < sourceCount ? `the first ${sources.length} of ${count(sourceCount)} sources` : '');
  showRows(byId('source-rows'), sources, {
    keyOf: ({ name }) => name,
    labels: sourceLabels,
    show: (row, source) => {
      setLines(row.cells[0], source.name, [protocols[source.protocol], source.target].join(' · '));
      const [words, below, className] = sourceState(source, atMs);
      setLines(row.cells[1], words, below, className);
      const gave = source.held.map(({ type, count: number }) => `${count(number)} ${type}`);
      setText(row.cells[2], gave.length === 0 ? 'nothing yet' : gave.join(' · '));
      const [refused] = source.refused;
      if (refused === undefined) setLines(row.cells[3], 'nothing', '');
      else setLines(row.cells[3], refusedText(refused, source.refused.length, atMs), refused.reason, 'bad');
    },
  });
  const more = missingCount > missing.length ? ` And ${count(missingCount - missing.length)} more: see /xds.` : '';
  setText(byId('missing'), missingCount === 0 ? '' : `What is served lacks: ${missing.join('; ')}.${more}`);
}

function sourceState({ protocol, state, sinceMs, error }, atMs) {
  if (state === 'waiting') return [protocol === 'file' ? 'cannot be used' : 'not connected', error, 'bad'];
  if (state === 'connecting') return [protocol === 'file' ? 'not read yet' : protocol === 'own' ? 'waits for a certificate' : 'connecting', '', 'warn'];
  const since = duration(Math.max(0, Math.round((atMs - sinceMs) / 1000)));
  return [protocol === 'file' ? `read ${since} ago` : protocol === 'own' ? `there for ${since}` : `connected for ${since}`, '', ''];
}

function refusedText({ type, atMs: refusedAtMs, more }, types, atMs) {
  const ago = duration(Math.max(0, Math.round((atMs - refusedAtMs) / 1000)));
  const others = more > 0 ? `, ${several(more, 'more line', 'more lines')} in /xds` : '';
  return `${type}${types > 1 ? ` and ${several(types - 1, 'other type', 'other types')}` : ''}, ${ago} ago${others}`;
}
