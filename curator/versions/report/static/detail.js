// One row in full. Every text enters the page as text: nothing of a row is ever parsed as markup.
function make(tag, text, name) {
  const element = document.createElement(tag);
  if (text) element.textContent = text;
  if (name) element.className = name;
  return element;
}

let asWritten = false;

function showRow(place, row, names) {
  place.replaceChildren();
  place.scrollTop = 0;
  if (!row) {
    place.append(make('p', 'No row is like that.', 'meta'));
    return;
  }
  const top = make('div', '', 'bar-top');
  const label = make('label', '');
  const box = make('input');
  box.type = 'checkbox';
  box.checked = asWritten;
  box.addEventListener('change', () => {
    asWritten = box.checked;
    showRow(place, row, names);
    place.querySelector('input').focus();
  });
  label.append(box, ' as written');
  top.append(make('strong', names[row.o] || row.o, `tag ${row.o}`), label);
  place.append(top);
  if (row.r) place.append(make('p', row.r, 'meta'));
  const program = row.k === 'PoT';
  part(place, row.o === 'unread' ? 'Record' : 'Instruction', row.q, row.ql, row.o === 'unread');
  if (row.before !== undefined) part(place, 'Before', row.before, 0, program);
  if (row.t) part(place, row.before === undefined ? (program ? 'Program' : 'Rationale') : 'After', row.t, row.tl, program);
  if (row.c && !row.c.every((each) => row.q.includes(each))) options(place, row.c);
  if (row.gold) part(place, 'Gold answer', row.gold, 0, false);
  if (row.told) lines(place, 'Verdicts that changed', row.told.map((text) => [text]));
  if (row.v.length) lines(place, 'Verdicts', row.v.map(verdict));
  place.append(make('h3', 'Where it is from'));
  const known = [row.s, row.k, row.source, row.place, row.field, row.level, row.licence, row.w && `written by ${row.w}`];
  place.append(make('p', known.filter(Boolean).join(' · '), 'meta'));
  if (row.id) {
    const id = make('p', '', 'meta');
    id.append('id ', make('code', row.id));
    place.append(id);
  }
}

function part(place, title, text, whole, code) {
  place.append(make('h3', title));
  const box = make(code ? 'pre' : 'div', '', code ? 'code' : 'text');
  if (asWritten) box.textContent = text;
  else if (code) box.append(...highlightPython(text));
  else box.append(...renderLatex(text));
  place.append(box);
  if (whole) place.append(make('p', `The first ${text.length.toLocaleString('en')} of ${whole.toLocaleString('en')} characters.`, 'meta'));
}

function options(place, choices) {
  place.append(make('h3', 'Options'));
  const list = make('ol');
  for (const choice of choices) {
    const line = make('li');
    line.append(...(asWritten ? [choice] : renderLatex(choice)));
    list.append(line);
  }
  place.append(list);
}

function verdict([check, outcome, reason, evidence]) {
  const tone = { passed: 'kept', failed: 'failed', undecided: 'undecided' }[outcome];
  const said = make('b', reason || outcome, `tag ${tone}`);
  const facts = Object.entries(evidence).flatMap(([key, value]) => [make('i', key), ' ', make('code', value), ' ']);
  return [`${check} `, said, ' ', ...facts];
}

function lines(place, title, items) {
  place.append(make('h3', title));
  const list = make('ul');
  for (const parts of items) {
    const line = make('li');
    line.append(...parts);
    list.append(line);
  }
  place.append(list);
}
