// Rows that a person marks, with a reason each, to be saved as a list for the recipe key
// `screens.lists.exclude`. The marks stay in this browser until they are removed; no server sees them.
const marks = (() => {
  const KEY = `curator-marks:${location.pathname}`;
  const MAX_QUESTION = 300;
  const reasons = new Map();
  let redraw = () => {};
  try {
    for (const { id, reason, question } of JSON.parse(localStorage.getItem(KEY) || '[]')) {
      if (/^[0-9a-f]{32}$/.test(id)) reasons.set(id, { id, reason: String(reason), question: String(question) });
    }
  } catch { /* a page opened from a file may have no storage, or another page's */ }

  function show() {
    const count = reasons.size;
    document.getElementById('marks').hidden = !count;
    document.getElementById('marked').textContent = `${count.toLocaleString('en')} ${count === 1 ? 'row is' : 'rows are'} marked.`;
    try {
      if (count) localStorage.setItem(KEY, JSON.stringify([...reasons.values()]));
      else localStorage.removeItem(KEY);
    } catch { /* see above: then the marks last as long as the page is open */ }
    redraw();
  }

  function save() {
    const lines = [...reasons.values()].map((each) => `${JSON.stringify(each)}\n`);
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob(lines, { type: 'application/x-ndjson' }));
    link.download = 'exclude.jsonl';
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  return {
    reasonOf: (row) => (reasons.has(row.id) ? reasons.get(row.id).reason : ''),
    used: () => [...new Set([...reasons.values()].map((each) => each.reason))],
    set(row, reason) {
      reasons.set(row.id, { id: row.id, reason, question: row.q.slice(0, MAX_QUESTION) });
      show();
    },
    remove(row) {
      reasons.delete(row.id);
      show();
    },
    start(draw) {
      redraw = draw;
      document.getElementById('save-marks').addEventListener('click', save);
      document.getElementById('clear-marks').addEventListener('click', () => {
        if (!confirm('Remove all marks? They are not saved in the list any more.')) return;
        reasons.clear();
        show();
      });
      show();
    },
  };
})();

// The form below a row: a reason and a button, or the reason given and a button to take it back.
function addMark(place, row, done) {
  place.append(make('h3', 'Exclude this row'));
  const form = make('form', '', 'mark-row');
  const reason = marks.reasonOf(row);
  if (reason) {
    const button = make('button', 'Remove the mark');
    form.append(make('b', 'marked', 'tag rejected'), ` ${reason} `, button);
  } else {
    const label = make('label', 'Reason ');
    const input = make('input');
    const known = make('datalist');
    input.type = 'text';
    input.id = 'reason';
    input.required = true;
    input.maxLength = 300;
    input.autocomplete = 'off';
    known.id = 'reasons';
    input.setAttribute('list', known.id);
    known.append(...marks.used().map((text) => new Option(text)));
    label.append(input);
    form.append(label, known, ' ', make('button', 'Mark'));
  }
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const text = reason ? '' : form.elements.reason.value.trim();
    if (reason) marks.remove(row);
    else if (text) marks.set(row, text);
    else return;
    done();
  });
  place.append(form);
}
