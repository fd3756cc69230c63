// The pictures from worst to best. Only what is near the screen is there, so ten thousand scroll as forty do.
const CHUNK = 60;
const COLUMNS = [2, 3, 4, 5, 6, 10];  // all divide CHUNK, so that every row but the last is full
const LEAST_WIDE = 132, GAP = 13, LINE = 24;

// What scrolls an element; null: the window.
function scrollerOf(node) {
  for (let at = node.parentNode ?? node.host; at; at = at.assignedSlot ?? at.parentNode ?? at.host) {
    if (at instanceof Element && /auto|scroll/.test(getComputedStyle(at).overflowY)) return at;
  }
  return null;
}

class Gallery {
  // `fetchRows` gives the rows of some ids; `open` is called with the place of a picture that was pressed.
  constructor(place, fetchRows, open) {
    this.place = place;
    this.fetchRows = fetchRows;
    this.open = open;
    this.order = [];
    this.scores = [];
    this.flagged = 0;
    this.rows = new Map();
    this.tiles = new Map();
    this.shown = new Set();
    this.asking = new Set();
    this.watcher = null;
    new ResizeObserver(() => this.lay()).observe(place);
  }

  // The ids and their scores from worst to best.
  show(order, scores) {
    this.order = order;
    this.scores = scores;
    this.lay();
    for (const number of this.shown) this.fill(number);
  }

  flag(count) {
    this.flagged = count;
    for (const number of this.shown) this.markChunk(number);
  }

  // A box for every CHUNK pictures, each as high as what it will hold.
  lay() {
    const wide = this.place.clientWidth;
    if (!wide) return;
    const fitting = COLUMNS.filter((n) => (wide - GAP * (n - 1)) / n >= LEAST_WIDE);
    const columns = fitting.at(-1) ?? 2, tile = (wide - GAP * (columns - 1)) / columns;
    const wanted = Math.ceil(this.order.length / CHUNK);
    this.watcher ??= new IntersectionObserver((seen) => this.look(seen), { root: scrollerOf(this.place), rootMargin: "900px 0px" });
    while (this.place.children.length > wanted) {
      const last = this.place.lastChild;
      this.watcher.unobserve(last);
      this.shown.delete(Number(last.dataset.number));
      last.remove();
    }
    while (this.place.children.length < wanted) {
      const box = element("div", { className: "chunk" });
      box.dataset.number = String(this.place.children.length);
      this.place.append(box);
      this.watcher.observe(box);
    }
    [...this.place.children].forEach((box, number) => {
      const rows = Math.ceil(Math.min(CHUNK, this.order.length - number * CHUNK) / columns);
      box.style.gridTemplateColumns = `repeat(${columns}, minmax(0, 1fr))`;
      box.style.gap = `${GAP}px`;
      box.style.paddingBottom = `${GAP}px`;
      box.style.height = `${rows * (tile + LINE + GAP)}px`;
    });
  }

  look(seen) {
    for (const one of seen) {
      const number = Number(one.target.dataset.number);
      if (one.isIntersecting) { this.shown.add(number); this.fill(number); }
      else if (this.shown.delete(number)) this.empty(number);
    }
  }

  idsOf(number) { return this.order.slice(number * CHUNK, (number + 1) * CHUNK); }

  fill(number) {
    const box = this.place.children[number], ids = this.idsOf(number);
    if (!box) return;
    box.replaceChildren(...ids.map((id, at) => this.tile(id, number * CHUNK + at)));
    this.markChunk(number);
    this.learn(ids.filter((id) => !this.rows.has(id))).catch(() => {});
  }

  empty(number) {
    const box = this.place.children[number];
    for (const tile of box?.children ?? []) this.tiles.delete(Number(tile.dataset.id));
    box?.replaceChildren();
  }

  // Names, prompts and addresses of pictures, asked for once.
  async learn(ids) {
    const missing = ids.filter((id) => !this.rows.has(id) && !this.asking.has(id));
    if (!missing.length) return;
    missing.forEach((id) => this.asking.add(id));
    try {
      for (const row of (await this.fetchRows(missing)).rows) {
        this.rows.set(row.id, row);
        if (this.tiles.has(row.id)) this.dress(row.id);
      }
    } finally {
      missing.forEach((id) => this.asking.delete(id));
    }
  }

  tile(id, place) {
    if (!this.tiles.has(id)) {
      const made = element("div", { className: "tile" },
        element("button", { type: "button" }), element("p", {}, element("span", {}), element("span", {})));
      made.setAttribute("role", "listitem");
      made.dataset.id = String(id);
      made.querySelector("button").addEventListener("click", () => this.open(this.order.indexOf(id)));
      this.tiles.set(id, made);
      if (this.rows.has(id)) this.dress(id);
    }
    const tile = this.tiles.get(id);
    tile.dataset.place = String(place);
    const [score, rank] = tile.querySelectorAll("p span");
    score.textContent = this.scores[place].toPrecision(3);
    rank.textContent = number(place + 1);
    return tile;
  }

  dress(id) {
    const row = this.rows.get(id), button = this.tiles.get(id).querySelector("button");
    const img = element("img", { alt: row.prompt, loading: "lazy", decoding: "async" });
    img.addEventListener("load", () => img.classList.toggle("pixels", img.naturalWidth < 200));
    img.src = row.url;
    button.title = row.name;
    button.replaceChildren(img);
  }

  markChunk(number) {
    for (const tile of this.place.children[number]?.children ?? []) {
      tile.classList.toggle("flagged", Number(tile.dataset.place) < this.flagged);
    }
  }
}
