// Shows a rationale by its parts: thoughts and long texts folded, programs and outputs as blocks,
// steps with their labels. The parts were split where the page was written.
const FOLDED = 20000; // characters from which on a text is folded
const PIECE = 6000; // characters in which formulas are looked for at a time
const PART_TITLES = { thought: 'Thought', text: 'Text', program: 'Program', output: 'Output', answer: 'Answer', step: 'Step' };
const TONES = { equal: 'kept', close: 'kept', right: 'kept', different: 'rejected', wrong: 'rejected' };
const count = (number, noun) => `${number.toLocaleString('en')} ${noun}${number === 1 ? '' : 's'}`;

// All words of a rationale, for the search.
function textOf(value) {
  if (!Array.isArray(value)) return value || '';
  return value.map((part) => (part.p ? textOf(part.p) : `${part.t || ''}${part.e || ''}`)).join('\n');
}

function addRationale(place, title, value, code, id) {
  if (!Array.isArray(value)) {
    addText(place, title, value, 0, code);
    return;
  }
  place.append(make('h3', title));
  for (const part of value) addPart(place, part, id);
}

function addPart(place, part, id) {
  if (part.k === 'left out') {
    place.append(make('p', `${count(part.n, 'part')} left out; ${howToSee(id)}`, 'meta'));
    return;
  }
  const length = part.l || part.t.length;
  const size = part.p || length >= FOLDED || part.k === 'thought' ? `, ${count(length, 'character')}` : '';
  const title = `${PART_TITLES[part.k]}${part.n ? ` ${part.n}` : ''}${part.a ? ', alternative' : ''}${size}${part.k === 'program' && part.r ? ', replayed:' : ''}`;
  const isFolded = part.k === 'thought' || length >= FOLDED;
  const box = make(isFolded ? 'details' : 'div', '', `part ${part.k}`);
  const head = make(isFolded ? 'summary' : 'p', title, 'meta');
  if (part.r) head.append(' ', make('b', part.r, `tag ${TONES[part.r] || 'undecided'}`));
  box.append(head);
  if (isFolded) box.addEventListener('toggle', () => fillPart(box, part, id), { once: true });
  else fillPart(box, part, id);
  place.append(box);
}

function fillPart(box, part, id) {
  if (part.p) {
    for (const each of part.p) addPart(box, each, id);
    return;
  }
  addPartText(box, part.k, part.t);
  if (part.e === undefined) return;
  const hidden = part.l - part.t.length - part.e.length;
  box.append(make('p', `${count(hidden, 'character')} left out; ${howToSee(id)}`, 'meta'));
  addPartText(box, part.k, part.e);
}

function addPartText(box, kind, text) {
  const isCode = kind === 'program' || kind === 'output';
  const element = make(isCode ? 'pre' : 'div', '', isCode ? 'code' : 'text');
  if (showsSource || kind === 'output') element.textContent = text;
  else if (kind === 'program') element.append(...highlightPython(text));
  else for (const piece of cutIntoPieces(text)) element.append(...renderLatex(piece));
  box.append(element);
}

// A formula that is never closed is looked for up to the end of its piece, so pieces bound the time.
// A piece ends with a paragraph, or with a line, or, in a text without either, anywhere.
function cutIntoPieces(text) {
  const pieces = [];
  for (let at = 0; at < text.length;) {
    const most = at + PIECE;
    const ends = ['\n\n', '\n'].map((mark) => text.lastIndexOf(mark, most - 1) + 1);
    const end = most >= text.length ? text.length : ends.find((each) => each > at) || most;
    pieces.push(text.slice(at, end));
    at = end;
  }
  return pieces;
}

const howToSee = (id) => `curator why ${id.slice(0, 12)} --whole prints all`;
