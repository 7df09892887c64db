// Text that contains LaTeX → text and MathML. Temml writes the MathML. A formula that Temml cannot
// read, or that would show nothing, stays as it was written.
const DEEPEST = 100; // levels of nested elements; a browser's layout may fail far beyond this

const MACROS = { // commands that Temml does not have, and a box that the style sheet can colour
  '\\boxed': '\\fbox{$\\displaystyle{#1}$}',
  '\\mbox': '\\text{#1}',
  '\\bold': '\\mathbf{#1}',
  '\\multicolumn': '\\@secondoftwo{#1#2}{#3}',
  '\\cline': '\\@secondoftwo{#1}{}',
};

function adaptEnvironments(text) {
  return text.replace(/\\begin\{eqnarray\*?\}/g, '\\begin{darray}{rcl}')
    .replace(/\\end\{eqnarray\*?\}/g, '\\end{darray}')
    .replace(/@\{[^{}]*\}/g, ''); // the space between two columns of an array
}

function renderFormula(text, block) {
  const place = document.createElement('span');
  const options = { displayMode: block, throwOnError: true, trust: false, maxExpand: 1000, maxSize: [20, 20], macros: { ...MACROS } };
  try {
    temml.render(adaptEnvironments(text), place, options);
  } catch {
    return make('code', text, 'raw');
  }
  const tooDeep = place.querySelector(Array(DEEPEST).fill('*').join(' > '));
  return tooDeep || !place.textContent.trim() ? make('code', text, 'raw') : place.firstChild;
}

// Drawings ([asy]) are programs. `$…$` follows pandoc's rule, so that prices stay prices: no space
// inside the dollar signs and no digit after them.
const SPANS = /(\[asy\][^]*?\[\/asy\])|(?<!\\)\$\$([^]+?)\$\$|\\\[([^]+?)\\\]|\\\(([^]+?)\\\)|(\\begin\{(align\*?|equation\*?|eqnarray\*?|gather\*?)\}[^]+?\\end\{\6\})|(?<!\\)\$(?=\S)((?:\\.|[^\\$])+?)(?<=\S)\$(?!\d)|(\\boxed\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\})/g;

function renderLatex(text) {
  const parts = [];
  let at = 0, match;
  SPANS.lastIndex = 0;
  while ((match = SPANS.exec(text))) {
    const [, drawing, dollars, bracket, parenthesis, environment, , inline, box] = match;
    if (inline !== undefined && !/\\/.test(inline) && /[a-z]{3,}/.test(inline)) {
      SPANS.lastIndex = match.index + 1; // words without a command: the dollar sign is a price
      continue;
    }
    parts.push(text.slice(at, match.index));
    const block = dollars ?? bracket ?? environment;
    if (drawing) parts.push(make('pre', drawing, 'code'));
    else parts.push(renderFormula(block ?? parenthesis ?? inline ?? box, block !== undefined));
    at = SPANS.lastIndex;
  }
  parts.push(text.slice(at));
  return parts;
}
