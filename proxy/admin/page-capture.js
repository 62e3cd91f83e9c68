// The live page's part about redirection. `page-script.js` follows in the same element and has the helpers.
'use strict';

const captureLabels = [
  { label: 'Direction' },
  { label: '' },
  { label: 'per second', className: 'number' },
  { label: 'connections', className: 'number' },
];

function capturedOf(capture) {
  return capture.counters.flatMap(({ group, counts }) =>
    Object.entries(counts).map(([name, number]) => ({ group, name, number, key: `${group} ${name}` })),
  );
}

function showCapture(facts, earlier) {
  const { capture } = facts;
  byId('capture').hidden = capture === null;
  if (capture === null) return;
  setText(byId('captured-by'), capture.by === null ? 'nothing is captured' : `by ${capture.by}`);
  const policy = capture.policy === 'open' ? 'go out past the mesh' : 'fail';
  const sentences = [capture.problem, ...capture.notes, `Without a proxy, connections ${policy}.`];
  setText(byId('capture-notes'), sentences.filter((each) => each !== null).join(' '));
  byId('capture-notes').className = capture.problem === null ? 'soft' : 'bad';
  const known = new Map(earlier?.capture ? capturedOf(earlier.capture).map(({ key, number }) => [key, number]) : []);
  const seconds = earlier === null ? 0 : (facts.atMs - earlier.atMs) / 1000;
  showRows(byId('capture-rows'), capturedOf(capture).filter(({ number }) => number > 0), {
    keyOf: ({ key }) => key,
    labels: captureLabels,
    show: (row, { group, name, number, key }) => {
      setText(row.cells[0], group);
      setText(row.cells[1], name.replaceAll('_', ' '));
      setText(row.cells[2], rateText(rateOf(number, known.get(key), seconds)));
      setText(row.cells[3], count(number));
    },
  });
}
