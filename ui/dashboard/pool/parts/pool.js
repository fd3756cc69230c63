// The gallery: filters, pages, a selection, and what a curator decides. Words from outside are set as text.
class Pool {
  constructor(root) {
    this.root = root;
    this.thumbs = new Map();
    this.marked = new Set();
    this.total = 0;
    this.viewer = new Viewer(this, root);
    this.decisions = new Decisions(this, root);
    const params = new URLSearchParams(location.search);
    this.page = Number(params.get("page")) || 0;
    this.filter = Object.fromEntries([...params].filter(([name]) => FILTERS.includes(name)));
    root.addEventListener("keydown", (event) => event.stopPropagation()); // Streamlit takes single letters for commands
    this.listen();
    this.drawChoices({ which: [["", null]], version: [], reason: [], rater: [], accord: [] });
    this.load().then(() => { if (params.get("image")) this.viewer.open(Number(params.get("image")), [...this.thumbs.keys()]); });
  }

  at(name) { return this.root.querySelector(name); }

  listen() {
    const press = (name, act) => this.at(name).addEventListener("click", act);
    press(".clear", () => { this.at(".filters").reset(); this.choose({ which: this.filter.which }); });
    press(".back", () => this.turn(-1, true));
    press(".on", () => this.turn(1, true));
    press(".none", () => this.mark([]));
    press(".filter", ({ target }) => { target.ariaExpanded = String(target.ariaExpanded !== "true"); });
    this.at(".filters").addEventListener("submit", (event) => event.preventDefault());
    this.at(".filters").addEventListener("input", (event) => {
      clearTimeout(this.typing);
      this.typing = setTimeout(() => this.read(), event.target.name === "prompt" ? 250 : 0);
    });
    this.at(".thumbs").addEventListener("click", (event) => this.click(event));
    this.at(".thumbs").addEventListener("keydown", (event) => this.key(event));
    this.at(".thumbs").addEventListener("load", ({ target: img }) =>
      img.classList.toggle("small", img.naturalWidth < img.clientWidth), true);
  }

  // ---- which pictures ------------------------------------------------------------------------------------------

  read() {
    const said = Object.fromEntries([...new FormData(this.at(".filters"))].filter(([, value]) => value.trim()));
    if (said.sort === "newest") delete said.sort;
    this.choose({ ...(this.filter.which ? { which: this.filter.which } : {}), ...said });
  }

  choose(filter) {
    this.filter = Object.fromEntries(Object.entries(filter).filter(([, value]) => value));
    this.page = 0;
    this.at(".done").hidden = true;
    this.mark([]);
    return this.load();
  }

  async turn(by, isSeen = false) {
    this.page = Math.max(0, this.page + by);
    await this.load();
    if (isSeen) this.at(".parts").scrollIntoView({ block: "nearest" });
  }

  async load() {
    const turn = (this.turns = (this.turns ?? 0) + 1);
    try {
      const choices = ask(`${ADDRESS}/choices?${new URLSearchParams(this.filter)}`);
      choices.then((found) => { if (turn === this.turns) this.drawChoices(found); }, () => {});
      const found = await ask(`${ADDRESS}?${new URLSearchParams({ ...this.filter, page: this.page })}`);
      if (turn !== this.turns) return;
      tell(this.root, null);
      this.draw(found);
    } catch (error) {
      tell(this.root, error);
    }
  }

  // The filter, the page and the opened picture are kept in the address.
  remember() {
    const said = { ...this.filter, ...(this.page ? { page: this.page } : {}), ...(this.viewer.isOpen ? { image: this.viewer.id } : {}) };
    const query = new URLSearchParams(said).toString();
    history.replaceState(history.state, "", query ? `?${query}` : location.pathname);
  }

  draw(found) {
    Object.assign(this, { page: found.page, total: found.total, hasMore: found.page + 1 < found.pages });
    this.thumbs = new Map(found.thumbs.map((thumb) => [thumb.id, thumb]));
    this.current = this.thumbs.has(this.current) ? this.current : found.thumbs[0]?.id;
    this.remember();
    const count = `${found.is_more ? "more than " : ""}${plural(found.total, "picture")}`;
    this.at(".count").textContent = `${count}: ${this.filter.which ?? "rejects"}`;
    this.at(".export").href = `${ADDRESS}/data?${new URLSearchParams(this.filter)}`;
    this.at(".about").hidden = this.filter.which !== "look again" || !found.total;
    this.at(".about").textContent = LOOK_AGAIN;
    this.at(".thumbs").replaceChildren(...found.thumbs.map((thumb) => this.item(thumb)));
    if (!found.thumbs.length) this.at(".thumbs").append(element("li", { className: "empty", textContent: this.nothing() }));
    this.at(".turn").hidden = found.pages < 2;
    this.at(".turn span").textContent = `page ${(found.page + 1).toLocaleString("en")} of ${found.is_more ? "more than " : ""}${found.pages.toLocaleString("en")}`;
    this.at(".turn .back").disabled = !found.page;
    this.at(".turn .on").disabled = !this.hasMore;
    this.drawMarks();
  }

  // Why no picture is shown, and what brings some.
  nothing() {
    const isFiltered = FILTERS.some((name) => !["which", "sort"].includes(name) && this.filter[name]);
    return isFiltered ? "No picture passes this filter." : NOTHING[this.filter.which ?? "rejects"] ?? "No picture here.";
  }

  drawChoices(choices) {
    const counts = new Map(choices.which), chosen = this.filter.which ?? "rejects";
    const parts = Object.entries(WORDS.which).filter(([name]) => name !== "look again" || counts.has(name) || chosen === name);
    this.at(".parts").replaceChildren(...parts.map(([name, words]) => {
      const button = element("button", { type: "button", ariaPressed: String(name === chosen) }, words);
      if (choices.which[0]?.[1] !== null) button.append(element("span", { textContent: (counts.get(name) ?? 0).toLocaleString("en") }));
      button.addEventListener("click", () => this.choose({ ...this.filter, which: name === "rejects" ? "" : name }));
      return button;
    }));
    for (const [name, any] of [["version", "any"], ["reason", "any"], ["rater", "any"], ["accord", "any"]]) {
      const known = choices[name], value = this.filter[name] ?? "";
      const missing = value && !known.some(([one]) => one === value) ? [[value, null]] : [];
      fill(this.at(`[name=${name}]`), value, [["", any], ...[...known, ...missing].map(([one, n]) =>
        [one, `${name === "version" ? "v" : ""}${one}${n === null ? "" : ` (${n.toLocaleString("en")})`}`])]);
    }
    fill(this.at("[name=sort]"), this.filter.sort ?? "newest", Object.entries(WORDS.sort));
    for (const name of ["prompt", "since", "until"]) {
      const input = this.at(`[name=${name}]`);
      if (this.root.getRootNode().activeElement !== input) input.value = this.filter[name] ?? "";
    }
    const set = FILTERS.filter((name) => !["which", "sort"].includes(name) && this.filter[name]);
    this.at(".clear").hidden = !set.length && !this.filter.sort;
    const inside = set.filter((name) => name !== "prompt").length;
    this.at(".filter").textContent = inside ? `Filters · ${inside}` : "Filters";
  }

  item(thumb) {
    const open = element("button", { type: "button", className: "open", tabIndex: thumb.id === this.current ? 0 : -1 },
      element("img", { src: thumb.url, alt: thumb.prompt, loading: "lazy", width: 160, height: 160 }));
    open.setAttribute("aria-label", `${thumb.prompt}; ${thumb.votes}, v${thumb.version}`);
    const tick = element("button", { type: "button", className: "tick", role: "checkbox", tabIndex: -1, title: "Select; Shift: select up to here" });
    tick.setAttribute("aria-label", `Select picture ${thumb.id}`);
    const line = element("p", { className: "line" }, element("span", { title: thumb.votes },
      ...(thumb.rejects ? [element("b", { className: "reject", textContent: `−${thumb.rejects}` })] : []),
      ...(thumb.keeps ? [element("b", { className: "keep", textContent: `+${thumb.keeps}` })] : []),
      ...(thumb.ruled ? [element("span", { className: "badge", textContent: `ruled ${thumb.ruled}` })] : [])),
    element("span", { textContent: `v${thumb.version}` }));
    const why = thumb.doubt || thumb.reasons.join(", ");
    const item = element("li", {}, open, tick, line, element("p", { className: "words", textContent: thumb.prompt, title: thumb.prompt }),
      ...(why ? [element("p", { className: "why", textContent: why })] : []));
    item.dataset.id = thumb.id;
    return item;
  }

  // ---- the selection -------------------------------------------------------------------------------------------

  click(event) {
    const item = event.target.closest("li[data-id]");
    if (!item) return;
    const id = Number(item.dataset.id);
    if (event.shiftKey) this.reach(id);
    else if (event.target.closest(".tick")) this.toggle(id);
    else if (event.target.closest(".open")) this.viewer.open(id, [...this.thumbs.keys()]);
    this.current = id;
  }

  toggle(id) {
    const marked = new Set(this.marked);
    if (!marked.delete(id)) marked.add(id);
    this.anchor = id;
    this.mark(marked);
  }

  // From the picture that was selected last up to this one.
  reach(id) {
    const order = [...this.thumbs.keys()], ends = [order.indexOf(this.anchor ?? id), order.indexOf(id)];
    const from = Math.max(0, Math.min(...ends));
    this.mark([...this.marked, ...order.slice(from, Math.max(...ends) + 1)]);
  }

  mark(ids, isAll = false) {
    this.marked = new Set(ids);
    this.isAll = isAll;
    this.drawMarks();
  }

  drawMarks() {
    const n = this.isAll ? this.total : this.marked.size;
    this.at(".thumbs").classList.toggle("any", n > 0);
    for (const item of this.root.querySelectorAll("li[data-id]")) {
      const isMarked = this.isAll || this.marked.has(Number(item.dataset.id));
      item.classList.toggle("is-chosen", isMarked);
      item.querySelector(".tick").ariaChecked = String(isMarked);
    }
    this.at(".chosen").hidden = !n;
    if (!n) return;
    this.at(".chosen strong").textContent = `${n.toLocaleString("en")} selected`;
    const page = [...this.thumbs.keys()], all = element("button", { type: "button", textContent: `All ${this.total.toLocaleString("en")} that match` });
    all.addEventListener("click", () => this.mark([], true));
    const here = element("button", { type: "button", textContent: `All ${page.length} on this page` });
    here.addEventListener("click", () => this.mark([...this.marked, ...page]));
    const hasPage = page.every((id) => this.marked.has(id));
    this.at(".reach").replaceChildren(...(this.isAll || hasPage ? [] : [here]), ...(this.isAll || n >= this.total ? [] : [all]));
    const names = this.filter.which === "taken out" ? ["restore"] : ["exclude", "reject", "keep", ...(this.filter.which === "overruled" ? ["follow"] : [])];
    this.at(".chosen .acts").replaceChildren(...names.map((action) => {
      const words = { reject: "Reject…", keep: "Keep…" }[action] ?? `${ACTS[action][0]}…`;
      const button = element("button", { type: "button", textContent: words, ariaLabel: `${ACTS[action][0]}…`, className: { reject: "no", keep: "yes" }[action] ?? "" });
      button.addEventListener("click", () => this.decisions.decide(action, this.isAll ? null : [...this.marked]));
      return button;
    }));
  }

  key(event) {
    const order = [...this.thumbs.keys()], place = order.indexOf(this.current);
    const across = getComputedStyle(this.at(".thumbs")).gridTemplateColumns.split(" ").length;
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -across, ArrowDown: across, Home: -place, End: order.length - 1 - place };
    if (event.key in steps) {
      const next = order[Math.min(order.length - 1, Math.max(0, place + steps[event.key]))];
      if (event.shiftKey) { this.anchor ??= this.current; this.reach(next); }
      this.focusOn(next);
    } else if (event.key === " ") this.toggle(this.current);
    else if (event.key === "a" && (event.ctrlKey || event.metaKey)) this.mark([...this.marked, ...order]);
    else if (event.key === "Escape") this.mark([]);
    else return;
    event.preventDefault();
  }

  focusOn(id) {
    if (!this.thumbs.has(id)) return;
    this.current = id;
    for (const open of this.root.querySelectorAll(".thumbs .open")) open.tabIndex = -1;
    const open = this.at(`li[data-id="${id}"] .open`);
    open.tabIndex = 0;
    open.focus();
  }
}

const pools = new WeakMap();

export default function mount({ parentElement }) {
  const root = parentElement.querySelector(".pool");
  if (!pools.has(root)) pools.set(root, new Pool(root));
}
