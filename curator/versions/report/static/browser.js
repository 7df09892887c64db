// The row browser: filters, a list that holds only the visible rows, keys; and the theme of the page.
(() => {
  const get = (id) => document.getElementById(id);
  // Directions of writing are shown as their code: they would show a text in another order.
  const showDirections = (text) => text.replace(/[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g,
    (mark) => `<U+${mark.charCodeAt().toString(16).toUpperCase().padStart(4, '0')}>`);
  const { names, rows } = JSON.parse(get('data').textContent,
    (key, value) => (typeof value === 'string' ? showDirections(value) : value));
  const list = get('list'), spacer = get('spacer'), search = get('search'), form = get('filters');
  const HEIGHT = 56;
  const filters = { s: get('by-subset'), st: get('by-status'), r: get('by-reason'), k: get('by-kind') };
  let matches = rows, at = 0, searchTexts = null;

  const inRows = (count) => `${count.toLocaleString('en')} ${count === 1 ? 'row' : 'rows'}`;
  const nameOf = (key, value) => (key === 'st' ? names[value] || value : value);

  function fillFilter(key, select) {
    const counts = new Map();
    for (const row of rows) if (row[key]) counts.set(row[key], (counts.get(row[key]) || 0) + 1);
    const chosen = select.value;
    select.replaceChildren(new Option('all', ''));
    for (const [value, count] of counts) {
      select.add(new Option(`${nameOf(key, value).slice(0, 70)} (${count.toLocaleString('en')})`, value));
    }
    select.value = chosen;
    select.disabled = counts.size < 2;
  }

  const searchText = (row) => [row.id, row.s, row.r, row.q, textOf(row.t), textOf(row.before), row.gold, row.field, row.level,
    row.place, ...row.v.map((each) => Object.values(each[3]).join(' '))].join('\n').toLowerCase();

  function applyFilters() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    if (words.length && !searchTexts) searchTexts = rows.map(searchText);
    matches = rows.filter((row, n) => Object.entries(filters).every(([key, each]) => !each.value || row[key] === each.value)
      && words.every((word) => searchTexts[n].includes(word)));
    get('count').textContent = matches.length === rows.length
      ? inRows(rows.length) : `${matches.length.toLocaleString('en')} of ${inRows(rows.length)}`;
    spacer.style.height = `${matches.length * HEIGHT}px`;
    list.scrollTop = 0;
    select(0);
  }

  function makeItem(row, n) {
    const box = make('div', '', 'item');
    box.id = `row-${n}`;
    box.setAttribute('role', 'option');
    box.setAttribute('aria-selected', String(n === at));
    box.setAttribute('aria-setsize', String(matches.length));
    box.setAttribute('aria-posinset', String(n + 1));
    box.style.top = `${n * HEIGHT}px`;
    const summary = make('span', '', 'where');
    const reason = row.r ? ` · ${row.r.slice(0, 80)}` : '';
    if (marks.reasonOf(row)) summary.append(make('b', 'marked', 'tag rejected'), ' ');
    summary.append(make('b', nameOf('st', row.st), `tag ${row.st}`), ` ${row.s}${reason}`);
    box.append(make('span', row.q.slice(0, 160).replace(/\s+/g, ' '), 'line1'), summary);
    return box;
  }

  function drawList() {
    const first = Math.max(0, Math.floor(list.scrollTop / HEIGHT) - 8);
    const last = Math.min(matches.length, Math.ceil((list.scrollTop + list.clientHeight) / HEIGHT) + 8);
    const items = [];
    for (let n = first; n < last; n += 1) items.push(makeItem(matches[n], n));
    spacer.replaceChildren(...items);
    if (matches.length) list.setAttribute('aria-activedescendant', `row-${at}`);
    else list.removeAttribute('aria-activedescendant');
  }

  function select(n) {
    at = Math.max(0, Math.min(matches.length - 1, n));
    const top = at * HEIGHT;
    if (top < list.scrollTop) list.scrollTop = top;
    else if (top + HEIGHT > list.scrollTop + list.clientHeight) list.scrollTop = top + HEIGHT - list.clientHeight;
    drawList();
    showRow(get('detail'), matches[at], names, marked);
  }

  // After a mark the keys go on where they were: in the list.
  function marked() {
    select(at);
    list.focus({ preventScroll: true });
  }

  const page = () => Math.max(1, Math.floor(list.clientHeight / HEIGHT) - 1);
  const steps = { ArrowDown: () => 1, j: () => 1, ArrowUp: () => -1, k: () => -1, PageDown: page,
    PageUp: () => -page(), Home: () => -matches.length, End: () => matches.length };

  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target.matches('input[type=search], input[type=text], select');
    if (event.key === 'Escape' && event.target.matches('input')) {
      list.focus();
    } else if (typing) {
      return;
    } else if (event.key === '/') {
      search.focus();
      search.select();
    } else if (event.key === 'x' && (get('reason') || document.querySelector('.mark-row button'))) {
      (get('reason') || document.querySelector('.mark-row button')).focus();
    } else if (steps[event.key] && (event.target === list || event.key === 'j' || event.key === 'k')) {
      if (event.target !== list) list.focus({ preventScroll: false });
      select(at + steps[event.key]());
    } else return;
    event.preventDefault();
  });
  list.addEventListener('scroll', () => requestAnimationFrame(drawList), { passive: true });
  list.addEventListener('click', (event) => {
    const box = event.target.closest('.item');
    if (box) select(Number(box.id.slice(4)));
  });
  form.addEventListener('submit', (event) => event.preventDefault());
  form.addEventListener('reset', () => setTimeout(applyFilters));
  for (const [key, each] of Object.entries(filters)) {
    fillFilter(key, each);
    each.addEventListener('change', applyFilters);
  }
  let timer = 0;
  search.addEventListener('input', () => {
    clearTimeout(timer);
    timer = setTimeout(applyFilters, 80);
  });
  addEventListener('resize', drawList);

  const root = document.documentElement, dark = matchMedia('(prefers-color-scheme: dark)');
  const setTheme = (theme) => { root.dataset.theme = theme; };
  let chosen = null;
  try { chosen = localStorage.getItem('curator-theme'); } catch { /* a page opened from a file may have no storage */ }
  setTheme(chosen || (dark.matches ? 'dark' : 'light'));
  dark.addEventListener('change', () => chosen || setTheme(dark.matches ? 'dark' : 'light'));
  get('theme').addEventListener('click', () => {
    chosen = root.dataset.theme === 'dark' ? 'light' : 'dark';
    setTheme(chosen);
    try { localStorage.setItem('curator-theme', chosen); } catch { /* see above */ }
  });
  marks.start(drawList);
  applyFilters();
})();
