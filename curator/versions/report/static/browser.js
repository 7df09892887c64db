// The browser of rows: filters, a list of which only what is seen is in the page, keys, theme.
(() => {
  const get = (id) => document.getElementById(id);
  const { names, rows } = JSON.parse(get('data').textContent);
  const list = get('list'), spacer = get('spacer'), search = get('search'), form = get('filters');
  const HEIGHT = 56;
  const filters = { s: get('by-subset'), o: get('by-outcome'), r: get('by-reason'), k: get('by-kind') };
  let found = rows, at = 0, haystack = null;

  const nameOf = (key, value) => (key === 'o' ? names[value] || value : value);

  function fill(key, select) {
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

  const textOf = (row) => [row.id, row.s, row.r, row.q, row.t, row.before, row.gold, row.field, row.level,
    row.place, ...row.v.map((each) => Object.values(each[3]).join(' '))].join('\n').toLowerCase();

  function filter() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    if (words.length && !haystack) haystack = rows.map(textOf);
    found = rows.filter((row, n) => Object.entries(filters).every(([key, each]) => !each.value || row[key] === each.value)
      && words.every((word) => haystack[n].includes(word)));
    get('count').textContent = found.length === rows.length
      ? `${rows.length.toLocaleString('en')} rows`
      : `${found.length.toLocaleString('en')} of ${rows.length.toLocaleString('en')} rows`;
    spacer.style.height = `${found.length * HEIGHT}px`;
    list.scrollTop = 0;
    select(0);
  }

  function item(row, n) {
    const box = make('div', '', 'item');
    box.id = `row-${n}`;
    box.setAttribute('role', 'option');
    box.setAttribute('aria-selected', String(n === at));
    box.setAttribute('aria-setsize', String(found.length));
    box.setAttribute('aria-posinset', String(n + 1));
    box.style.top = `${n * HEIGHT}px`;
    const where = make('span', '', 'where');
    const reason = row.r ? ` · ${row.r.slice(0, 80)}` : '';
    where.append(make('b', nameOf('o', row.o), `tag ${row.o}`), ` ${row.s}${reason}`);
    box.append(make('span', row.q.slice(0, 160).replace(/\s+/g, ' '), 'line1'), where);
    return box;
  }

  function draw() {
    const first = Math.max(0, Math.floor(list.scrollTop / HEIGHT) - 8);
    const last = Math.min(found.length, Math.ceil((list.scrollTop + list.clientHeight) / HEIGHT) + 8);
    const items = [];
    for (let n = first; n < last; n += 1) items.push(item(found[n], n));
    spacer.replaceChildren(...items);
    if (found.length) list.setAttribute('aria-activedescendant', `row-${at}`);
    else list.removeAttribute('aria-activedescendant');
  }

  function select(n) {
    at = Math.max(0, Math.min(found.length - 1, n));
    const top = at * HEIGHT;
    if (top < list.scrollTop) list.scrollTop = top;
    else if (top + HEIGHT > list.scrollTop + list.clientHeight) list.scrollTop = top + HEIGHT - list.clientHeight;
    draw();
    showRow(get('detail'), found[at], names);
  }

  const page = () => Math.max(1, Math.floor(list.clientHeight / HEIGHT) - 1);
  const steps = { ArrowDown: () => 1, j: () => 1, ArrowUp: () => -1, k: () => -1, PageDown: page,
    PageUp: () => -page(), Home: () => -found.length, End: () => found.length };

  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target === search || event.target.tagName === 'SELECT';
    if (event.key === 'Escape' && event.target === search) {
      list.focus();
    } else if (typing) {
      return;
    } else if (event.key === '/') {
      search.focus();
      search.select();
    } else if (steps[event.key] && (event.target === list || event.key === 'j' || event.key === 'k')) {
      if (event.target !== list) list.focus({ preventScroll: false });
      select(at + steps[event.key]());
    } else return;
    event.preventDefault();
  });
  list.addEventListener('scroll', () => requestAnimationFrame(draw), { passive: true });
  list.addEventListener('click', (event) => {
    const box = event.target.closest('.item');
    if (box) select(Number(box.id.slice(4)));
  });
  form.addEventListener('submit', (event) => event.preventDefault());
  form.addEventListener('reset', () => setTimeout(filter));
  for (const [key, each] of Object.entries(filters)) {
    fill(key, each);
    each.addEventListener('change', filter);
  }
  let waiting = 0;
  search.addEventListener('input', () => {
    clearTimeout(waiting);
    waiting = setTimeout(filter, 80);
  });
  addEventListener('resize', draw);

  const root = document.documentElement, dark = matchMedia('(prefers-color-scheme: dark)');
  const use = (theme) => { root.dataset.theme = theme; };
  let chosen = null;
  try { chosen = localStorage.getItem('curator-theme'); } catch { /* a file may have no storage */ }
  use(chosen || (dark.matches ? 'dark' : 'light'));
  dark.addEventListener('change', () => chosen || use(dark.matches ? 'dark' : 'light'));
  get('theme').addEventListener('click', () => {
    chosen = root.dataset.theme === 'dark' ? 'light' : 'dark';
    use(chosen);
    try { localStorage.setItem('curator-theme', chosen); } catch { /* as above */ }
  });
  filter();
})();
