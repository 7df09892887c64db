// Shows one row in full. Every text enters the page as text; nothing in a row is parsed as HTML.
function make(tag, text, name) {
  const element = document.createElement(tag);
  if (text) element.textContent = text;
  if (name) element.className = name;
  return element;
}

let showsSource = false;

function showRow(place, row, names, marked) {
  place.replaceChildren();
  place.scrollTop = 0;
  if (!row) {
    place.append(make('p', 'No row matches these filters.', 'meta'));
    return;
  }
  const top = make('div', '', 'bar-top');
  const label = make('label', '');
  const box = make('input');
  box.type = 'checkbox';
  box.checked = showsSource;
  box.addEventListener('change', () => {
    showsSource = box.checked;
    showRow(place, row, names, marked);
    place.querySelector('input').focus();
  });
  label.append(box, ' show source');
  top.append(make('strong', names[row.st] || row.st, `tag ${row.st}`), label);
  place.append(top);
  if (row.r) place.append(make('p', row.r, 'meta'));
  const program = row.k === 'PoT';
  addText(place, row.st === 'quarantined' ? 'Record' : 'Instruction', row.q, row.ql, row.st === 'quarantined');
  if (row.before !== undefined) addRationale(place, 'Before', row.before, program, row.id);
  if (row.t) addRationale(place, row.before === undefined ? (program ? 'Program' : 'Rationale') : 'After', row.t, program, row.id);
  if (row.c && !row.c.every((each) => row.q.includes(each))) addChoices(place, row.c);
  if (row.gold) addText(place, 'Gold answer', row.gold, 0, false);
  if (row.changes) addList(place, 'Verdicts that changed', row.changes.map((text) => [text]));
  if (row.v.length) addList(place, 'Verdicts', row.v.map(verdictLine));
  place.append(make('h3', 'Origin'));
  const origin = [row.s, row.k, row.source, row.place, row.field, row.level, row.licence, row.w && `written by ${row.w}`];
  place.append(make('p', origin.filter(Boolean).join(' · '), 'meta'));
  if (row.id) {
    const id = make('p', '', 'meta');
    id.append('id ', make('code', row.id));
    place.append(id);
    addMark(place, row, marked);
  }
}

function addText(place, title, text, fullLength, code) {
  place.append(make('h3', title));
  const box = make(code ? 'pre' : 'div', '', code ? 'code' : 'text');
  if (showsSource) box.textContent = text;
  else if (code) box.append(...highlightPython(text));
  else box.append(...renderLatex(text));
  place.append(box);
  if (fullLength) place.append(make('p', `The first ${text.length.toLocaleString('en')} of ${fullLength.toLocaleString('en')} characters.`, 'meta'));
}

function addChoices(place, texts) {
  place.append(make('h3', 'Choices'));
  const list = make('ol');
  for (const text of texts) {
    const line = make('li');
    line.append(...(showsSource ? [text] : renderLatex(text)));
    list.append(line);
  }
  place.append(list);
}

function verdictLine([check, outcome, reason, evidence]) {
  const tone = { passed: 'kept', reported: 'kept', failed: 'rejected', undecided: 'undecided' }[outcome];
  const result = make('b', reason ? `${outcome}: ${reason}` : outcome, `tag ${tone}`);
  const details = Object.entries(evidence).filter(([, value]) => value).flatMap(([key, value]) => [make('i', key), ' ', make('code', value), ' ']);
  return [`${check} `, result, ' ', ...details];
}

function addList(place, title, items) {
  place.append(make('h3', title));
  const list = make('ul');
  for (const parts of items) {
    const line = make('li');
    line.append(...parts);
    list.append(line);
  }
  place.append(list);
}
