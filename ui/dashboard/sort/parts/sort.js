// The page: which folder, how far its scores are, the cut, the gallery.
const ADDRESS = "./naysayer/sort";
const POLL_MS = 1500;
const NEAR = 4;

class Sorter {
  constructor(root) {
    this.root = root;
    this.state = null;
    this.scores = [];
    this.gone = new Set();
    this.cut = new Cut(root, (flagged) => this.flag(flagged));
    this.gallery = new Gallery(this.at(".gallery"), (rows) => ask(`${this.address}/rows`, { rows }), (place) => this.enlarge(place));
    this.acts = new Acts(this);
    this.at(".from").addEventListener("submit", (event) => { event.preventDefault(); this.begin(); });
    this.at(".stop").addEventListener("click", () => this.trying(async () => { await ask(`${this.address}/stop`, {}); await this.refresh(); }));
    this.at(".on").addEventListener("click", () => this.begin(this.state.folder));
    const large = this.at(".large");
    large.querySelector(".close").addEventListener("click", () => large.close());
    large.querySelector(".previous").addEventListener("click", () => this.enlarge(this.place - 1));
    large.querySelector(".next").addEventListener("click", () => this.enlarge(this.place + 1));
    large.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (by) this.enlarge(this.place + by);
    });
    this.trying(() => this.list());
    const number = Number(new URL(location).searchParams.get("sorted"));
    if (number) this.open(number);
    setInterval(() => { if (this.root.isConnected && this.state?.isAtWork && !document.hidden) this.refresh().catch(() => {}); }, POLL_MS);
  }

  at(name) { return this.root.querySelector(name); }

  get address() { return `${ADDRESS}/${this.number}`; }

  async trying(act) {
    try {
      await act();
      tell(this.root, null);
    } catch (error) {
      tell(this.root, error);
    }
  }

  say(words) {
    this.at(".done").textContent = words;
    this.at(".done").hidden = !words;
  }

  async list() {
    const found = await ask(ADDRESS);
    this.at(".unable").textContent = found.unable && `${found.unable[0].toUpperCase()}${found.unable.slice(1)}.`;
    this.at(".unable").hidden = !found.unable;
    this.at(".from .go").disabled = Boolean(found.unable);
    this.at(".inside").textContent = found.inside ? ` It must lie in ${found.inside}.` : "";
    this.at(".list").replaceChildren(...found.sortings.map((one) => {
      const open = element("button", { type: "button", textContent: one.folder });
      open.addEventListener("click", () => this.open(one.number));
      return element("li", {}, open, element("span", { textContent: `v${one.version} · ${plural(one.scored, "picture")} · ${one.isAtWork ? "being scored" : one.ago}` }));
    }));
    this.at(".before").hidden = !found.sortings.length || Boolean(this.number);
  }

  begin(folder = this.at("[name=folder]").value) {
    return this.trying(async () => {
      const { number } = await ask(ADDRESS, { folder });
      if (number === this.number) await this.refresh();
      else await this.open(number);
    });
  }

  async open(number) {
    Object.assign(this, { number, scores: [], gone: new Set(), state: null });
    this.cut.cut = null;
    this.gallery.rows.clear();
    this.say("");
    const url = new URL(location);
    url.searchParams.set("sorted", String(number));
    history.replaceState(history.state, "", url);
    this.at(".before").hidden = true;
    await this.trying(() => this.refresh());
    this.at(".opened").hidden = !this.state;
    if (this.state) this.at("[name=folder]").value = this.state.folder;
    this.arrange();
  }

  // Asks only for the scores that came since. One request at a time, in order.
  refresh() {
    const after = () => this.load();
    this.coming = (this.coming ?? Promise.resolve()).then(after, after);
    return this.coming;
  }

  async load() {
    const number = this.number, found = await ask(`${this.address}?after=${this.scores.length}`);
    if (number !== this.number) return;
    if (!found.after) Object.assign(this.cut, { held: { kept: found.kept, rejected: found.rejected }, cut: this.cut.cut ?? found.cut });
    this.scores.push(...found.scores);
    this.gone = new Set(found.gone);
    this.state = found;
    this.arrange();
    this.drawState();
  }

  arrange() {
    if (!this.state) return;
    const ids = this.scores.flatMap((score, id) => (score === null || this.gone.has(id) ? [] : [id]));
    ids.sort((a, b) => this.scores[b] - this.scores[a] || a - b);
    const scores = ids.map((id) => this.scores[id]);
    this.order = ids;
    this.gallery.show(ids, scores);
    this.cut.show(scores);
    if (this.cut.cut === null && scores.length) this.cut.flag(Math.round(scores.length / 5));
  }

  drawState() {
    const { state } = this, scored = this.scores.length - this.gone.size + state.moved;
    const far = state.isDone ? `${plural(state.total, "picture")}, scored by v${state.version}` : `${number(Math.min(scored, state.total))} of ${plural(state.total, "picture")} scored by v${state.version}`;
    const moved = state.moved ? `${number(state.moved)} moved` : "";
    this.at(".far span").textContent = [far, moved, state.said].filter(Boolean).join(" · ");
    for (const what of ["move", "tag"]) this.at(`[data-act=${what}]`).hidden = state.isArchive; // it stays as it is
    this.at(".stop").hidden = !state.isAtWork;
    this.at(".on").hidden = state.isAtWork;
    this.at(".on").textContent = state.isDone ? "Look for new ones" : "Go on";
    const progress = this.at(".about progress");
    progress.hidden = !state.isAtWork || !state.total;
    Object.assign(progress, { max: state.total || 1, value: scored });
    this.drawUnscored();
  }

  drawUnscored() {
    const ids = this.scores.flatMap((score, id) => (score === null && !this.gone.has(id) ? [id] : [])), place = this.at(".unscored");
    place.hidden = !ids.length;
    place.querySelector("summary").textContent = `${plural(ids.length, "file")} could not be scored`;
    const some = ids.slice(0, 60);
    if (ids.length) this.gallery.learn(some).then(() => place.querySelector("ul").replaceChildren(...some.map((id) => {
      const row = this.gallery.rows.get(id);
      return element("li", { textContent: row ? `${row.name}: ${row.why}` : "" });
    }))).catch(() => {});
  }

  flag(flagged) {
    this.gallery.flag(flagged);
    for (const button of this.root.querySelectorAll("[data-act]")) {
      button.disabled = button.dataset.act === "send" ? !this.order?.length : !flagged;
    }
    clearTimeout(this.nearing);
    this.nearing = setTimeout(() => this.drawNear(flagged).catch(() => {}), 60);
  }

  // The last flagged pictures and the first of the others.
  async drawNear(flagged) {
    const ids = this.order?.slice(Math.max(0, flagged - NEAR), flagged + NEAR) ?? [];
    await this.gallery.learn(ids);
    const left = Math.min(NEAR, flagged);
    const imgs = ids.map((id, at) => {
      const row = this.gallery.rows.get(id);
      return element("img", { src: row?.url ?? "", alt: row?.prompt ?? "", className: at < left ? "flagged" : "" });
    });
    imgs.splice(left, 0, element("b", {}));
    this.at(".near").replaceChildren(...(ids.length ? imgs : []));
  }

  flaggedIds() { return this.order.slice(0, this.cut.flagged); }

  // Nearest to the cut first; those that were sent before are left out.
  doubtful() {
    const sent = new Set(this.state.sent), far = (id) => Math.abs(this.scores[id] - this.cut.cut);
    return this.order.filter((id) => !sent.has(id)).sort((a, b) => far(a) - far(b));
  }

  download(path) {
    const link = element("a", { href: `${this.address}/${path}`, download: "" });
    this.root.append(link);
    link.click();
    link.remove();
  }

  async enlarge(place) {
    const id = this.order[place], large = this.at(".large");
    if (id === undefined) return;
    this.place = place;
    await this.gallery.learn([id]);
    const row = this.gallery.rows.get(id), img = large.querySelector("img");
    if (!row || this.place !== place) return;
    img.onload = () => img.classList.toggle("pixels", img.naturalWidth < 400);
    Object.assign(img, { src: row.large, alt: row.prompt });
    large.querySelector(".what").textContent = row.prompt;
    large.querySelector(".name").textContent = `${number(place + 1)} of ${number(this.order.length)} · score ${this.scores[id].toPrecision(3)}${place < this.cut.flagged ? " · flagged" : ""} · ${row.name}`;
    large.querySelector(".previous").disabled = place === 0;
    large.querySelector(".next").disabled = place === this.order.length - 1;
    if (!large.open) large.showModal();
  }
}

const sorters = new WeakMap();

export default function mount({ parentElement }) {
  const root = parentElement.querySelector(".sort");
  if (!sorters.has(root)) sorters.set(root, new Sorter(root));
}
