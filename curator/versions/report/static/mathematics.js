// Text with LaTeX in it, as text and MathML: the commands that school mathematics uses. What is not
// known stays as it was written, in another colour.
const DEEPEST = 40;

function ml(name, ...children) {
  const element = document.createElementNS('http://www.w3.org/1998/Math/MathML', name);
  element.append(...children);
  return element;
}

function tokens(text) {
  return text.match(/\\[a-zA-Z]+\*?|\\[^]|[{}^_&~]|\d+(?:[.,]\d+)*|\s+|[^]/gu) || [];
}

class Reader {
  constructor(text) {
    this.left = tokens(text.replace(/(^|[^\\])%[^\n]*\n/g, '$1'));
    this.at = 0;
    this.depth = 0;
  }

  peek() { return this.left[this.at]; }

  next() { this.at += 1; return this.left[this.at - 1]; }

  skip() { while (/^\s+$/.test(this.peek() || '')) this.at += 1; }

  raw() {
    // What a pair of braces holds, as it was written.
    this.skip();
    if (this.peek() !== '{') return this.next() || '';
    let depth = 0, text = '';
    while (this.at < this.left.length) {
      const token = this.next();
      if (token === '{') depth += 1;
      if (token === '}') depth -= 1;
      if (depth === 0) break;
      if (depth > 1 || token !== '{') text += token;
    }
    return text;
  }

  argument() {
    this.skip();
    if (this.peek() === '{') {
      this.next();
      const found = this.row(['}']);
      if (this.next() !== '}') throw new SyntaxError('a brace is not closed');
      return found;
    }
    const token = this.next();
    if (/^\d./.test(token || '')) { // \frac12 is one half
      this.left.splice(this.at, 0, token.slice(1));
      return ml('mn', token[0]);
    }
    return this.atom(token) || ml('mrow');
  }

  row(ends) {
    this.depth += 1;
    if (this.depth > DEEPEST) throw new RangeError('too deep');
    const parts = [];
    while (this.at < this.left.length && !ends.includes(this.peek())) {
      const token = this.next();
      if (/^\s+$/.test(token)) continue;
      if (token === '\\choose' || token === '\\over') {
        const fraction = ml('mfrac', ml('mrow', ...parts), this.row(ends));
        this.depth -= 1;
        return token === '\\over' ? fraction : this.chosen(fraction);
      }
      if (token === '^' || token === '_' || token === "'") this.script(parts, token);
      else {
        const part = this.atom(token);
        if (part) parts.push(part);
      }
    }
    this.depth -= 1;
    return parts.length === 1 ? parts[0] : ml('mrow', ...parts);
  }

  script(parts, token) {
    const base = parts.pop() || ml('mrow');
    if (token === "'") {
      parts.push(ml('msup', base, ml('mo', '′')));
      return;
    }
    const one = this.argument();
    this.skip();
    const big = BIG.has(base.textContent);
    if ((token === '^' && this.peek() === '_') || (token === '_' && this.peek() === '^')) {
      this.next();
      const two = this.argument();
      const [low, high] = token === '_' ? [one, two] : [two, one];
      parts.push(ml(big ? 'munderover' : 'msubsup', base, low, high));
    } else if (token === '^') parts.push(ml(big ? 'mover' : 'msup', base, one));
    else parts.push(ml(big ? 'munder' : 'msub', base, one));
  }

  atom(token) {
    if (token === undefined) throw new SyntaxError('something is missing');
    if (token === '{') {
      this.at -= 1;
      return this.argument();
    }
    if (token === '}') throw new SyntaxError('a brace too many');
    if (token === '~') return this.space('0.25em');
    if (token === '&') return null;
    if (/^\d/.test(token)) return ml('mn', token);
    if (/^\p{L}$/u.test(token)) return ml('mi', token);
    if (token[0] !== '\\') return this.sign({ '-': '−', '*': '∗' }[token] || token);
    return this.command(token.slice(1));
  }

  sign(text) {
    // Only what stands after \left and \right grows with what is between.
    const found = ml('mo', text);
    found.setAttribute('stretchy', 'false');
    return found;
  }

  space(width) {
    const found = ml('mspace');
    found.setAttribute('width', width);
    return found;
  }

  command(name) {
    if (Object.hasOwn(GREEK, name)) return ml('mi', GREEK[name]);
    if (Object.hasOwn(OPERATORS, name)) return this.sign(OPERATORS[name]);
    if (Object.hasOwn(SPACES, name)) return this.space(SPACES[name]);
    if (FUNCTIONS.has(name)) return ml('mi', name);
    if (QUIET.has(name)) return null;
    if (Object.hasOwn(TEXTS, name)) return this.text(name);
    if (Object.hasOwn(ACCENTS, name)) return this.accent(ACCENTS[name]);
    if (/^[dtc]?frac$/.test(name)) return ml('mfrac', this.argument(), this.argument());
    if (/^[dt]?binom$/.test(name)) return this.binomial();
    switch (name) {
      case 'sqrt': return this.root();
      case 'boxed': case 'fbox': return this.boxed();
      case 'left': return this.fenced();
      case 'right': throw new SyntaxError('a fence too many');
      case 'begin': return this.environment(this.raw());
      case 'pmod': return ml('mrow', ml('mo', '('), ml('mi', 'mod'), this.space('0.25em'), this.argument(), ml('mo', ')'));
      case 'bmod': case 'mod': return ml('mrow', this.space('0.25em'), ml('mi', 'mod'), this.space('0.25em'));
      case 'underline': case 'underbrace': case 'overbrace': case 'mathop': case 'cancel': return this.argument();
      case 'stackrel': case 'overset': { const over = this.argument(); return ml('mover', this.argument(), over); }
      case 'underset': { const under = this.argument(); return ml('munder', this.argument(), under); }
      case 'not': return ml('mrow', ml('mo', '¬'), this.argument());
      case 'cancelto': this.raw(); return this.argument();
      case 'multicolumn': this.raw(); this.raw(); return this.argument();
      case 'renewcommand': this.raw(); this.raw(); return null;
      case 'hphantom': case 'cline': case 'hspace': case 'vspace': case 'phantom': case 'label': case 'tag': case 'color': this.raw(); return null;
      case '\\': return this.space('1em');
      case '{': case '}': case '%': case '$': case '#': case '&': case '_': case '|':
        return ml('mo', name === '|' ? '‖' : name);
      default: return this.unknown(`\\${name}`);
    }
  }

  unknown(text) {
    const found = ml('mtext', text);
    found.setAttribute('class', 'raw');
    return found;
  }

  text(name) {
    const text = this.raw();
    if (name === 'mathbb') return ml('mi', Object.hasOwn(DOUBLE, text) ? DOUBLE[text] : text);
    if (/[\\^_]/.test(text) || TEXTS[name] === 'bold') {
      const inner = text.replace(/\$/g, '');
      const part = /\\/.test(inner) || inner.length === 1 ? new Reader(inner).row([]) : ml('mtext', inner);
      if (TEXTS[name] === 'bold') part.setAttribute('class', 'bold');
      return part;
    }
    const plain = text.replace(/\$/g, '').replace(/^ | $/g, '\u00a0');
    return name.startsWith('math') && plain.length === 1 ? ml('mi', plain) : ml('mtext', plain);
  }

  accent(sign) {
    const found = ml('mover', this.argument(), ml('mo', sign));
    found.setAttribute('accent', 'true');
    return found;
  }

  root() {
    this.skip();
    if (this.peek() !== '[') return ml('msqrt', this.argument());
    this.next();
    const index = this.row([']']);
    this.next();
    return ml('mroot', this.argument(), index);
  }

  binomial() {
    return this.chosen(ml('mfrac', this.argument(), this.argument()));
  }

  chosen(fraction) {
    fraction.setAttribute('linethickness', '0');
    return ml('mrow', ml('mo', '('), fraction, ml('mo', ')'));
  }

  boxed() {
    const found = ml('mrow', this.argument());
    found.setAttribute('class', 'boxed');
    return found;
  }

  fence() {
    this.skip();
    const token = this.next() || '.';
    if (token === '.') return null;
    const name = token.slice(1);
    const sign = token[0] !== '\\' ? token : Object.hasOwn(OPERATORS, name) ? OPERATORS[name] : name === '|' ? '‖' : name;
    return ml('mo', sign);
  }

  fenced() {
    const open = this.fence();
    const inner = this.row(['\\right']);
    if (this.next() !== '\\right') throw new SyntaxError('a fence is not closed');
    const close = this.fence();
    return ml('mrow', ...[open, inner, close].filter(Boolean));
  }

  environment(name) {
    if (!Object.hasOwn(FENCES, name)) return this.unknown(`\\begin{${name}}`);
    this.skip();
    if (/^(array|tabular|alignat\*)$/.test(name)) this.raw();
    const rows = [[]];
    while (this.at < this.left.length && this.peek() !== '\\end') {
      rows[rows.length - 1].push(ml('mtd', this.row(['&', '\\\\', '\\end'])));
      if (this.peek() === '&') this.next();
      else if (this.peek() === '\\\\') {
        this.next();
        rows.push([]);
      }
    }
    if (this.next() !== '\\end') throw new SyntaxError('an environment is not closed');
    this.raw();
    const lines = rows.filter((row) => row.some((cell) => cell.textContent.trim()));
    const [open, close] = FENCES[name];
    const table = ml('mtable', ...lines.map((row) => ml('mtr', ...row)));
    if (name === 'cases' || /align|split|array|eqn/.test(name)) table.setAttribute('columnalign', 'left');
    return ml('mrow', ...(open ? [ml('mo', open)] : []), table, ...(close ? [ml('mo', close)] : []));
  }
}

function formula(text, block) {
  try {
    const found = ml('math', new Reader(text).row([]));
    if (block) found.setAttribute('display', 'block');
    return found;
  } catch {
    return make('code', text, 'raw');
  }
}

// Drawings are programs. $…$ as pandoc reads it, so that prices stay prices: no space inside, no digit after it.
const SPANS = /(\[asy\][^]*?\[\/asy\])|\$\$([^]+?)\$\$|\\\[([^]+?)\\\]|\\\(([^]+?)\\\)|(\\begin\{(align\*?|equation\*?|eqnarray\*?|gather\*?)\}[^]+?\\end\{\6\})|(?<!\\)\$(?=\S)((?:\\.|[^\\$])+?)(?<=\S)\$(?!\d)|(\\boxed\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\})/g;

function typeset(text) {
  const parts = [];
  let at = 0, match;
  SPANS.lastIndex = 0;
  while ((match = SPANS.exec(text))) {
    const [, , dollars, bracket, parenthesis, environment, , inline, box] = match;
    if (inline !== undefined && !/\\/.test(inline) && /[A-Za-z]{3,}/.test(inline)) {
      SPANS.lastIndex = match.index + 1; // words without any command: a price
      continue;
    }
    parts.push(text.slice(at, match.index));
    const block = dollars ?? bracket ?? environment;
    if (match[1]) parts.push(make('pre', match[1], 'code'));
    else parts.push(formula(block ?? parenthesis ?? inline ?? box, block !== undefined));
    at = SPANS.lastIndex;
  }
  parts.push(text.slice(at));
  return parts;
}
