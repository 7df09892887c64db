// Highlights Python: strings, comments, keywords, numbers.
const PYTHON = /("""[^]*?(?:"""|$)|'''[^]*?(?:'''|$)|"(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?)|(#[^\n]*)|\b(False|None|True|and|as|assert|break|class|continue|def|del|elif|else|except|finally|for|from|global|if|import|in|is|lambda|nonlocal|not|or|pass|raise|return|try|while|with|yield)\b|\b(\d[\d_]*\.?\d*(?:[eE][+-]?\d+)?)\b/g;

function highlightPython(text) {
  const parts = [];
  let at = 0;
  for (const match of text.matchAll(PYTHON)) {
    if (match.index > at) parts.push(text.slice(at, match.index));
    const kind = ['s', 'c', 'k', 'd'][match.slice(1).findIndex((group) => group !== undefined)];
    parts.push(make('span', match[0], kind));
    at = match.index + match[0].length;
  }
  parts.push(text.slice(at));
  return parts;
}
